"""The one error hierarchy of waved, and the exit statuses a person or script sees.

Every error carries what was wrong (`message`), what to do about it (`hint`) and a stable `code` that crosses the
wire unchanged (docs/architecture.md, "Wire").
"""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """Exit statuses of `wavectl` (documented in docs/wavectl.md; values follow sysexits(3) where one fits)."""

    OK = 0
    FAILED = 1
    """The session (or what was asked for) ended, and not well: a gate failed, an agent failed."""
    USAGE = 2
    """The command line was wrong (click's own status)."""
    STOPPED = 3
    """The session was stopped by a person before its end."""
    REFUSED = 4
    """The pre-deployment checklist refused the session: nothing was started."""
    HELD = 5
    """The session waits for a person."""
    TIMEOUT = 6
    """`wavectl wait --timeout` ran out, or the session's own time limit did."""
    PLAN = 65
    """The plan is wrong (EX_DATAERR)."""
    NOT_FOUND = 66
    """No such session, agent, run or file (EX_NOINPUT)."""
    NO_DAEMON = 69
    """No daemon answers (EX_UNAVAILABLE)."""
    INTERNAL = 70
    """A defect in waved itself (EX_SOFTWARE)."""
    OUTPUT = 74
    """What was to be printed cannot be written: the disk is full (EX_IOERR)."""
    PROTOCOL = 76
    """Client and daemon do not speak the same protocol version (EX_PROTOCOL)."""
    PERMISSION = 77
    """Not allowed (EX_NOPERM)."""
    CONFIG = 78
    """The configuration file is wrong (EX_CONFIG)."""
    DETACHED = 130
    """The terminal was left with Ctrl-C; the session goes on."""


class WavedError(Exception):
    """Base of every error waved raises on purpose; its text is meant for a person."""

    code = "error"
    exit_status = ExitStatus.FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class PlanError(WavedError):
    """A plan that cannot be run; `problems` lists each with file, line and key."""

    code = "plan-invalid"
    exit_status = ExitStatus.PLAN

    def __init__(self, message: str, hint: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.problems = problems


class ConfigError(WavedError):
    """A configuration file that cannot be used; the message lists each problem with file, line and key."""

    code = "config"
    exit_status = ExitStatus.CONFIG


class NotFoundError(WavedError):
    """A session, agent, run or file that does not exist."""

    code = "not-found"
    exit_status = ExitStatus.NOT_FOUND


class ConflictError(WavedError):
    """The request does not fit the present state (stop of an ended session, a second daemon, …)."""

    code = "conflict"


class BadRequestError(WavedError):
    """A frame or parameter the daemon cannot accept."""

    code = "bad-request"
    exit_status = ExitStatus.USAGE


class ProtocolError(WavedError):
    """A frame of another protocol version, oversized, or no frame at all."""

    code = "protocol"
    exit_status = ExitStatus.PROTOCOL


class NoDaemonError(WavedError):
    """No daemon answers on the socket."""

    code = "no-daemon"
    exit_status = ExitStatus.NO_DAEMON


class NotAllowedError(WavedError):
    """The caller may not do this, or the file system does not let us."""

    code = "not-allowed"
    exit_status = ExitStatus.PERMISSION


class ResourceError(WavedError):
    """The machine cannot take more now: disk full, no descriptors, no processes, limits reached."""

    code = "resources"


class InternalError(WavedError):
    """A defect in waved: reported to the caller, logged with its traceback, and never fatal to the daemon."""

    code = "internal"
    exit_status = ExitStatus.INTERNAL


BY_CODE: dict[str, type[WavedError]] = {
    kind.code: kind
    for kind in (
        WavedError,
        ConfigError,
        NotFoundError,
        ConflictError,
        BadRequestError,
        ProtocolError,
        NoDaemonError,
        NotAllowedError,
        ResourceError,
        InternalError,
        PlanError,
    )
}
"""Error class by wire code, for clients that turn a reply back into an exception."""


def from_wire(code: str, message: str, hint: str) -> WavedError:
    """The exception for an error reply; an unknown code becomes a plain `WavedError` with that code."""
    error = BY_CODE.get(code, WavedError)(message, hint)
    error.code = code
    return error
