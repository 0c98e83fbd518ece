"""An agent's output as it is looked at: lines that come, the part of them in sight, and what is searched in them."""

from __future__ import annotations

from wavectl.outputs import NOTICE, STDERR, Line
from wavectl.top.ink import wrapped
from wavectl.views.text import printable

MOST_LINES = 5000
"""Lines that are kept; the oldest give way."""
_TRIM = 500


class Transcript:
    """What one run printed, as a person reads it."""

    def __init__(self, agent: str = "", run: str = "", *, earlier: bool = False) -> None:
        self.agent = agent
        self.run = run
        self.earlier = earlier
        """A person wants to read this attempt although there is a later one."""
        self.ended = False
        """Nothing more will come."""
        self.loaded = False
        """Something was asked for and has come, if only that there is nothing."""
        self.first: int | None = None
        """The first row in sight; None: the last ones are, and new ones come into sight."""
        self.searched = ""
        self.found: int | None = None
        """The row that was found last."""
        self.changes = 0
        """Goes up with each line."""
        self._lines: list[tuple[str, str]] = []
        self._rows: list[tuple[str, str]] = []
        self._width = 0

    def clear(self) -> None:
        """It is read anew, from a later daemon."""
        self._lines, self._rows, self.found = [], [], None

    def take(self, lines: list[Line]) -> None:
        """Lines that came."""
        for line in lines:
            style = "dim" if line.stream == NOTICE else "yellow" if line.stream == STDERR else ""
            text = printable(line.text).expandtabs(4).replace("\n", " ")
            if not style and text.startswith(("→ ", "✓ ")):
                style = "cyan" if text.startswith("→") else "green"
            elif not style and text.lstrip().startswith("✗ "):
                style = "red"
            self._lines.append((style, text))
            self._rows += [(style, row) for row in wrapped(text, self._width)] if self._width else []
            self.changes += 1
        self.loaded = True
        if len(self._lines) > MOST_LINES + _TRIM:
            before = len(self._rows)
            del self._lines[:_TRIM]
            self._rewrap()
            if self.first is not None:
                self.first = max(0, self.first - (before - len(self._rows)))

    def _rewrap(self) -> None:
        width, self.found = self._width, None
        self._rows = [(style, row) for style, text in self._lines for row in wrapped(text, width)] if width else []

    def rows(self, width: int, room: int) -> tuple[list[tuple[str, str]], int, int]:
        """The (style, text) in sight at that width, the number of the first of them, and how many there are."""
        if width != self._width:
            self._width = width
            self._rewrap()
        count = len(self._rows)
        last = max(0, count - room)
        first = last if self.first is None else min(self.first, last)
        return self._rows[first : first + room], first, count

    def move(self, rows: int, room: int) -> None:
        """Go up or down; at the end the output is followed again."""
        last = max(0, len(self._rows) - room)
        first = (last if self.first is None else min(self.first, last)) + rows
        self.first = None if first >= last else max(0, first)

    def search(self, words: str, room: int, *, back: bool = True) -> bool:
        """Bring the next row that has these words into sight, upwards first; False if there is none."""
        if words.lower() != self.searched.lower():
            self.found = None
        self.searched = words
        wanted = words.lower()
        if not wanted:
            return True
        matches = [number for number, (_, row) in enumerate(self._rows) if wanted in row.lower()]
        if not matches:
            return False
        here = self.found if self.found is not None else (len(self._rows) if back else -1)
        onward = [number for number in matches if (number < here if back else number > here)]
        if back:
            self.found = onward[-1] if onward else matches[-1]
        else:
            self.found = onward[0] if onward else matches[0]
        self.first = max(0, min(self.found - room // 2, len(self._rows) - room))
        return True
