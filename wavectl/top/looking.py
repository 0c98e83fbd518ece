"""What a person looks at: page, what is chosen on it, filter, order, dialog. Plain values; `controls` changes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from wavectl.top.transcript import Transcript

Page = Literal["sessions", "session", "output"]
Tab = Literal["agents", "timeline", "findings", "checks"]
TABS: tuple[Tab, ...] = ("agents", "timeline", "findings", "checks")
WIDE, TALL = 140, 30
"""From this size on, agents, timeline and findings are shown side by side."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that changes what the daemon does: a request, or one for each of several."""

    method: str
    params: dict[str, Any]
    said: str
    """What is said when it is done."""
    more: tuple[dict[str, Any], ...] = ()
    """Asked after `params`, one after another: the same for others."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the controls cannot do by themselves: speak to the daemon, or end.

    `kind`: quit; open (session); leave (back to the list); read (run, agent); close (an output); do (action);
    dry (action: say first what it would do); suspend; look (metrics are to be read).
    """

    kind: Literal["quit", "open", "leave", "read", "close", "do", "dry", "suspend", "look"]
    session: str = ""
    agent: str = ""
    run: str = ""
    earlier: bool = False
    """Of `run`: not the agent's last attempt, and wanted all the same."""
    action: Action | None = None


@dataclass(frozen=True, slots=True)
class Dialog:
    """A question, a choice, or something to be read, in the middle of the screen."""

    title: str
    lines: tuple[str, ...] = ()
    wish: Wish | None = None
    """Carried out on "y"; None: there is nothing to say yes to."""
    choices: tuple[tuple[str, str, Wish | Dialog], ...] = ()
    """(key, text, what follows)."""
    bad: bool = False
    """Something was refused, or failed."""


@dataclass(slots=True)
class Looking:
    """All of it. The first page is the list of sessions."""

    width: int = 80
    height: int = 24
    page: Page = "sessions"
    tab: Tab = "agents"
    session: str = ""
    """The session that is looked at."""
    listed: str = ""
    """The one chosen in the list."""
    agent: str = ""
    """The assignment that is chosen."""
    finding: str = ""
    wanted: str = ""
    """Only what has these words is shown."""
    typing: str | None = None
    """The words as they are typed; None: nobody types."""
    order: str = "plan"
    first: dict[str, int] = field(default_factory=dict)
    """The first line shown, by page or tab."""
    opened: dict[str, bool] = field(default_factory=dict)
    """Waves that a person has opened or closed."""
    dialog: Dialog | None = None
    message: str = ""
    """Said in the last line but one, until `message_until`."""
    message_until: float = 0.0
    transcript: Transcript = field(default_factory=Transcript)

    @property
    def wide(self) -> bool:
        """Whether there is room for two columns."""
        return self.width >= WIDE and self.height >= TALL

    def say(self, text: str, clock: float, seconds: float = 6.0) -> None:
        """Say something for a while."""
        self.message, self.message_until = text, clock + seconds


MOVES = {"up": -1, "k": -1, "down": 1, "j": 1, "scroll_up": -3, "scroll_down": 3}
_ENDS = {"home": -1, "g": -1, "end": 1, "G": 1}
_FAR = 1_000_000


def moved(key: str, page: int) -> int:
    """How many lines a key goes down; `page`: how many a page has."""
    return MOVES.get(key, 0) + {"pageup": -page, "pagedown": page}.get(key, 0) + _ENDS.get(key, 0) * _FAR


def window(count: int, chosen: int, room: int, first: int) -> int:
    """The first of `count` lines to show in `room`, as near to `first` as the chosen one is in sight."""
    first = max(0, min(first, count - room))
    if chosen < 0:
        return first
    if chosen < first:
        return chosen
    return max(first, chosen - room + 1)
