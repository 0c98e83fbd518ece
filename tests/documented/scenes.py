"""What each documented command needs, and how it ends: a table by the beginning of the command.

Two things are read off the screen in a reader's place: ids (sessions, snapshots, findings, commits) and keys.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.documented.effects import missing
from tests.documented.elsewhere import elsewhere
from tests.documented.shown import Shown
from tests.documented.world import World, user_environment
from tests.terminal import Terminal
from waved.errors import ExitStatus


@dataclass(frozen=True, slots=True)
class Scene:
    """Commands that begin so (a pattern), what has to be there before, and the exit status that the documents tell."""

    begins: str
    needs: str = ""
    ends: tuple[int, ...] = (0,)
    agrees: bool = False
    """It asks, and the reader says yes."""
    on_terminal: bool = False
    """It needs one; it is left with `q`."""
    if_there: str = ""
    """A program that a machine may lack: without it the command cannot be tried."""
    undo: str = ""
    """What a reader types afterwards."""

    def fits(self, command: str) -> bool:
        """Whether it is about this command."""
        return re.match(rf"(?:{self.begins})(?![\w-])", command) is not None


SCENES = (
    Scene(r"wavectl (plan (check|show|schema)|doctor)", "shop"),
    Scene(r"wavectl (daemon (status|upgrade)|keys show-server)", "daemon"),
    Scene(r'eval "\$\(wavectl completion bash\)"'),
    Scene(r"wavectl plan new", "no plan"),
    Scene(r"wavectl (run|deploy)", "idle"),
    Scene(r"wavectl (rollback|prune)$", "held", ends=(2,)),  # the command as such: it asks what of
    Scene(r"wavectl (list|status|logs|events|metrics|report|diff|watch|wait|export|prune)", "ended"),
    Scene(r"wavectl snapshots (list|diff|show)", "ended"),
    Scene(r"wavectl top", "running", on_terminal=True),
    Scene(r"wavectl (stop|freeze)", "running"),
    Scene(r"wavectl retry", "failed"),
    Scene(r"wavectl (approve|resume)", "held"),
    Scene(r"wavectl rollback", "held", agrees=True),
    Scene(r"wavectl daemon stop", "daemon to end"),
    Scene(r"wavectl daemon start", "no daemon"),
    Scene(
        r"WAVED_RUNTIME_DIR=/tmp/w wavectl daemon start",
        "no daemon",
        undo="WAVED_RUNTIME_DIR=/tmp/w wavectl daemon stop",
    ),
    Scene(r"wavectl service status", ends=(1, ExitStatus.NO_DAEMON)),  # no systemd, or no such service
    Scene(r"wavectl keys new", "no key"),
    Scene(r"wavectl keys (authorize|trust)", "key"),
    Scene(r"wavectl keys revoke", "known"),
    Scene(r"wavectl --host", "known"),
    Scene(r"waved --check"),
    Scene(r"waved --end-leftovers", "no daemon"),
    Scene(r"cd ~/\.local/state/waved/snapshots/NAME-HASH", "ended"),
    Scene(r"git --git-dir=git"),  # in the folder that the line before has led to
    Scene(r"python docs/(man|agents)/build\.py|python -m waved\.plan\.reference", "pages"),
    Scene(r"man -l \S+", "pages", if_there="man"),
)
"""The first that fits counts."""


def by_needs(all_shown: Iterable[Shown], world: World) -> list[Shown]:
    """Commands in an order in which those that need the same go together."""
    order = ["", *world.states]
    return sorted(all_shown, key=lambda shown: order.index(scene.needs) if (scene := scene_of(shown.text)) else 0)


def scene_of(command: str) -> Scene | None:
    """Where a command is run; none if no scene fits."""
    return next((scene for scene in SCENES if scene.fits(command)), None)


def typed(command: str, world: World) -> str:
    """A documented command with what is so here in the place of what the page names."""
    told: dict[str, Callable[[], str]] = {
        "checkout-x7k2": lambda: world.session,
        "report demo": lambda: "report checkout",
        "5d3f…c1": lambda: world.key,
        "9ab0…77": lambda: world.server_key,
        "there.example.org": lambda: world.host,
        "/backup/": lambda: f"{world.home}/backup/",
        "/tmp/w": lambda: f"{world.folder}/w",
        "s4": lambda: "s1",
        "f3": lambda: "f1",
        "NAME-HASH": lambda: world.store.name,
        "COMMIT": lambda: world.commits[0],
        "OTHER": lambda: world.commits[-1],
        "/some/new/folder": lambda: f"{world.home}/new",
    }
    pattern = "|".join(rf"(?<![\w/]){re.escape(name)}(?!\w)" if len(name) == 2 else re.escape(name) for name in told)
    return re.sub(pattern, lambda found: told[found[0]](), command)


def tried(shown: Shown, world: World) -> str:
    """Type a documented command where it belongs; what is wrong with what came of it."""
    scene = scene_of(shown.text)
    if elsewhere(shown.text) or shown.text in world.typed:
        return ""
    if scene is None:
        return f"{shown.place}: no scene runs `{shown.text}`: see tests/documented/scenes.py"
    if scene.if_there and not shutil.which(scene.if_there):
        return ""
    world.typed.add(shown.text)
    world.prepare(scene.needs)
    command = typed(shown.text, world)
    if scene.on_terminal:
        status, printed = _on_terminal(command, world)
    else:
        status, printed = world.type(f"yes | {command}" if scene.agrees else command)
    if scene.undo:
        world.type(typed(scene.undo, world))
    wrong = "" if status in scene.ends else f"exit status {status}, not one of {scene.ends}"
    wrong = wrong or ("a traceback" if "Traceback" in printed else missing(shown.text, world, printed))
    return f"{shown.place}: $ {command}\n{wrong}\n{printed}" if wrong else ""


def _on_terminal(command: str, world: World) -> tuple[int, str]:
    terminal = Terminal("-c", command, program=["bash"], environment=user_environment(world))
    try:
        terminal.until("frontend")
        terminal.type(b"q")
        return terminal.ended(), terminal.text
    finally:
        terminal.close()
