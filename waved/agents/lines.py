"""Cuts what a program prints into lines and decodes the ones that matter (docs/agents.md, "What is read").

Most bytes of a long log are contents of files and output of commands that the program repeats. They are looked over for
the ends of lines and never decoded: a program's reader says by the beginning of a line what it wants to see of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from json import JSONDecoder
from typing import Any

from waved.agents.activity import LONGEST_TEXT, Activity, Result, Said, clip
from waved.agents.api_errors import cause_of
from waved.agents.reader import STDERR, STDOUT, Judgement, SideFile

LONGEST_LINE = 1024 * 1024
"""Bytes of a line that is read; a longer one is not, unless its edges are enough."""
LONG = 8192
"""Bytes from which a line may be told by its edges."""
HEAD, TAIL = 4096, 512
"""Bytes of such a line that are looked at."""
_COMPLAINT = 400
_TROUBLE = re.compile(
    r"error|fail|fatal|exception|invalid|denied|refused|no \w+ session found|not (?:found|logged|authori[sz]ed)|cannot"
    r"|unable|limit|quota",
    re.IGNORECASE,
)
_decode = JSONDecoder(strict=False).decode


class LineReader:
    """Base of the readers of programs that print a line for each thing they do.

    A reader overrides `_line` (and `_judge`), and adds what it learns to `self._found`.
    """

    side_files: tuple[SideFile, ...] = ()

    def __init__(self, provider: str = "") -> None:
        self.provider = provider
        self.finished = False
        self.too_long = 0
        self.unknown = 0
        """Lines that told nothing: not JSON, or of a kind that is not known."""
        self.result: Result | None = None
        """The last one."""
        self.last_words = ""
        """What the agent said last."""
        self.complaint = ""
        """The last line on stderr that sounds like trouble: often the only reason that is given."""
        self._found: list[Activity] = []
        self._pieces: list[str] = []
        self._parts: dict[int, list[bytes]] = {}
        self._sizes: dict[int, int] = {}
        self._tails: dict[int, bytes] = {}

    # --- bytes to lines -----------------------------------------------------------------------------------------

    def feed(self, data: bytes | memoryview, stream: int = STDOUT) -> list[Activity]:
        """See `waved.agents.reader.Reader`."""
        if not isinstance(data, bytes):
            data = bytes(data)
        found: list[Activity] = []
        self._found = found
        size = len(data)
        find = data.find
        start = 0
        end = find(b"\n")
        if end >= 0 and self._sizes.get(stream):
            self._more(stream, data, 0, end)
            self._flush(stream)
            start = end + 1
            end = find(b"\n", start)
        while end >= 0:
            self._guarded(stream, data, start, end)
            start = end + 1
            end = find(b"\n", start)
        if start < size:
            self._more(stream, data, start, size)
        return found

    def close(self) -> list[Activity]:
        """See `waved.agents.reader.Reader`."""
        found: list[Activity] = []
        self._found = found
        for stream in sorted(self._sizes):
            if self._sizes[stream]:
                self._flush(stream)
        self._ended()
        return found

    def _more(self, stream: int, data: bytes, start: int, end: int) -> None:
        """Keep a piece of a line that has not ended; of one that is told by its edges, and of one that is too long,
        only its beginning and its end.
        """
        parts = self._parts.setdefault(stream, [])
        before = self._sizes.get(stream, 0)
        size = self._sizes[stream] = before + end - start
        if stream in self._tails:
            self._tails[stream] = (self._tails[stream] + data[max(start, end - TAIL) : end])[-TAIL:]
            return
        parts.append(data[start:end])
        if (before <= LONG < size and self._by_edges_only(stream, b"".join(parts)[:HEAD])) or size > LONGEST_LINE:
            whole = b"".join(parts)
            parts[:] = [whole[:HEAD]]
            self._tails[stream] = whole[-TAIL:]

    def _flush(self, stream: int) -> None:
        """The line of which the pieces were kept has ended."""
        size, line, tail = self._sizes[stream], b"".join(self._parts[stream]), self._tails.pop(stream, b"")
        self._sizes[stream] = 0
        self._parts[stream].clear()
        if tail:
            self._unread(stream, line, tail, size)
        else:
            self._guarded(stream, line, 0, size)

    def _guarded(self, stream: int, data: bytes, start: int, end: int) -> None:
        size = end - start
        if size > LONG:
            head = data[start : start + HEAD]
            if size > LONGEST_LINE or self._by_edges_only(stream, head):
                self._unread(stream, head, data[end - TAIL : end], size)
                return
        try:
            if stream == STDERR:
                self._stderr(data[start:end])
            elif size:
                self._line(data, start, end)
        except Exception:  # noqa: BLE001 — whatever a program prints, its worker must live to see its end
            self.unknown += 1

    def _by_edges_only(self, stream: int, head: bytes) -> bool:
        return stream != STDERR and self._told_by_edges(head)

    def _unread(self, stream: int, head: bytes, tail: bytes, size: int) -> None:
        if not self._by_edges_only(stream, head):
            self.too_long += 1
            return
        try:
            self._edges(head, tail, size)
        except Exception:  # noqa: BLE001 — as above
            self.unknown += 1

    # --- what readers override ----------------------------------------------------------------------------------

    def _line(self, data: bytes, start: int, end: int) -> None:
        """One line of stdout or of a side file, `data[start:end]`, never empty. Look before decoding."""
        event = self._decoded(data, start, end)
        if event is not None:
            self._event(event)

    def _event(self, event: Mapping[str, Any]) -> None:
        """One JSON object."""
        raise NotImplementedError

    def _told_by_edges(self, head: bytes) -> bool:  # noqa: ARG002 — for those that override it
        """Whether a line of more than `LONG` bytes that begins so is told by its edges alone: most of it is the content
        of a file, or what a command printed, and is not even kept.
        """
        return False

    def _edges(self, head: bytes, tail: bytes, size: int) -> None:
        """A line of `size` bytes of which only the first `HEAD` and the last `TAIL` are known."""

    def _stderr(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").strip()
        if _TROUBLE.search(text):
            self.complaint = clip(text, _COMPLAINT)

    def _ended(self) -> None:
        """All has been read: report what was held back."""
        self._said()

    # --- help for readers ---------------------------------------------------------------------------------------

    def _say(self, value: object) -> None:
        """A piece of a message that comes in pieces; `_said` reports the whole."""
        if isinstance(value, str) and len(self._pieces) < LONGEST_TEXT:
            self._pieces.append(value)

    def _said(self) -> None:
        """The message has ended."""
        if self._pieces:
            whole = clip("".join(self._pieces), LONGEST_TEXT)
            self._pieces.clear()
            if whole.strip():
                self.last_words = whole
                self._found.append(Said(whole))

    def _conclude(self, result: Result) -> None:
        """The program says how it went."""
        self.result = result
        self.finished = True
        self._found.append(result)

    def _decoded(self, data: bytes, start: int, end: int) -> dict[str, Any] | None:
        """The JSON object of a line; None, and counted, when it is none."""
        if data[start] == 0x7B:
            try:
                event = _decode(str(data[start:end], "utf-8", "replace"))
            except (ValueError, RecursionError):
                event = None
            if isinstance(event, dict):
                return event
        self.unknown += 1
        return None

    def judge(self, exit_code: int | None, signal: int | None) -> Judgement:
        """See `waved.agents.reader.Reader`. The rule of most programs: a good result, and exit status 0."""
        result = self.result
        if result is None:
            return unfinished(exit_code, signal, self.complaint)
        if result.ok is False:
            return Judgement(False, result.error or self.complaint or result.subtype or "it reports a failure")
        if exit_code or (signal and not self.finished):
            return Judgement(False, f"{how_it_ended(exit_code, signal)}, in spite of a good result")
        return Judgement(result.ok)


def unfinished(exit_code: int | None, signal: int | None, complaint: str = "") -> Judgement:
    """The judgement of a program that ended without saying how it went."""
    reason = f"{how_it_ended(exit_code, signal)} without a result"
    if signal or exit_code in INTERRUPTED:
        return Judgement(False, reason, "interrupted")
    if cause_of(message=complaint) == "no-session":
        return Judgement(False, f"{reason}: {complaint}", "no-session")
    return Judgement(False, f"{reason}: {complaint}" if complaint else reason, "no-result")


INTERRUPTED = (130, 143)
"""What programs that catch SIGINT and SIGTERM exit with (128 + the signal's number)."""


def how_it_ended(exit_code: int | None, signal: int | None) -> str:
    """ "exited with status 3", or "ended by signal 9"."""
    return f"ended by signal {signal}" if signal else f"exited with status {exit_code}"


def table(value: object) -> Mapping[str, Any]:
    """A JSON object, or an empty one instead of anything else."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> Sequence[Any]:
    """A JSON array, or an empty one instead of anything else."""
    return value if isinstance(value, list) else ()


def text(value: object) -> str:
    """A JSON string as a name to keep; "" instead of anything else."""
    return clip(value)
