"""The daemon's log: JSON lines for machines, readable ones on a terminal; secrets masked, lines and files bounded.

To stderr (with priorities when that is systemd's journal, sd-daemon(3)) or to a file that is rotated. What cannot be
written, because the disk is full or the reader has gone, is left out: nobody fails for the log's sake.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO, cast

from waved.errors import NotAllowedError
from waved.masking import Masks

# Where rich is installed structlog draws tracebacks with it. Ours are text, and its import is a tenth of a start.
_rich = sys.modules.setdefault("rich", cast(ModuleType, None))
import structlog  # noqa: E402

if _rich is None:
    del sys.modules["rich"]

LONGEST = 4_000
"""Characters of one text in a line: journald takes a line of 48 KB apart."""
LONGEST_LIST = 100
"""Items of one list in a line."""
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""syslog(3) priority by level."""
Event = MutableMapping[str, Any]


class Unfailing:
    """A stream to log to that never raises."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, if possible."""
        with contextlib.suppress(OSError, ValueError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, if possible."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


class RotatedFile:
    """A log file that becomes `FILE.1` when it is full, `FILE.1` becoming `FILE.2`, …, up to `keep`.

    It is our stderr, too: what a crash prints belongs there. Raises NotAllowedError when it cannot be opened.
    """

    def __init__(self, path: Path, max_size: int, keep: int) -> None:
        self._path = path
        self._max_size = max_size
        self._keep = keep
        try:
            self._open()
        except OSError as error:
            raise NotAllowedError(f"cannot write the log {path}: {error.strerror}") from None

    def _open(self) -> None:
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            self._size = os.fstat(fd).st_size
            os.dup2(fd, 2)
        finally:
            os.close(fd)

    def write(self, text: str) -> int:
        """Write a line, if possible."""
        data = text.encode(errors="replace")
        if self._size and self._size + len(data) > self._max_size:
            with contextlib.suppress(OSError):  # then the present file grows: better than no log
                self._rotate()
        with contextlib.suppress(OSError):
            self._size += os.write(2, data)
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def _rotate(self) -> None:
        if not self._keep:
            self._path.unlink()
        for number in range(self._keep, 0, -1):
            newer = self._numbered(number - 1) if number > 1 else self._path
            with contextlib.suppress(FileNotFoundError):
                newer.replace(self._numbered(number))
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


class JsonLine:
    """Renders a line as JSON; with `priorities` behind `<N>`, which journald takes for the line's priority."""

    def __init__(self, *, priorities: bool) -> None:
        self._priorities = priorities

    def __call__(self, _logger: object, method: str, event: Event) -> str:
        """The line."""
        text = json.dumps(event, ensure_ascii=False, default=str)
        return f"<{_PRIORITIES.get(method, 6)}>{text}" if self._priorities else text


def set_up(file: Path | None, *, max_size: int, keep: int, level: str, masks: Masks) -> None:
    """Configure structlog for this process. `max_size`: bytes of `file`. Raises NotAllowedError."""
    pretty = file is None and sys.stderr.isatty()
    stream: object = Unfailing(sys.stderr) if file is None else RotatedFile(file, max_size, keep)
    # Values of local variables are environment values as often as not: never in a traceback.
    traceback = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    priorities = file is None and is_journal(os.environ)

    def masked(_logger: object, _method: str, event: Event) -> Event:
        event.update(masks.fields(event))
        return event

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer() if pretty else structlog.processors.ExceptionRenderer(traceback),
            masked,
            _bounded,
            structlog.dev.ConsoleRenderer() if pretty else JsonLine(priorities=priorities),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, stream)),
        cache_logger_on_first_use=True,
    )


def _bounded(_logger: object, _method: str, event: Event) -> Event:
    for name, value in event.items():
        event[name] = bounded(value)
    return event


def bounded(value: Any) -> Any:  # noqa: ANN401 — any plain data
    """A value of a line, cut to what a reader and journald can take. The journal has it whole."""
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[:LONGEST]}… ({len(value)} characters)"
    if isinstance(value, list):
        kept = [bounded(item) for item in value[:LONGEST_LIST]]
        return kept if len(value) <= LONGEST_LIST else [*kept, f"… ({len(value)} in all)"]
    if isinstance(value, dict):
        return {key: bounded(item) for key, item in itertools.islice(value.items(), LONGEST_LIST)}
    return value


def is_journal(environ: Mapping[str, str]) -> bool:
    """Whether stderr leads to systemd's journal (systemd.exec(5), $JOURNAL_STREAM)."""
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
