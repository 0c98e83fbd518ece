"""What a session's view means for whoever waits for it: is it over, and with which exit status."""

from __future__ import annotations

from typing import Any

from waved.errors import ExitStatus, WavedError

_BY_OUTCOME = {
    "succeeded": ExitStatus.OK,
    "failed": ExitStatus.FAILED,
    "stopped": ExitStatus.STOPPED,
    "refused": ExitStatus.REFUSED,
    "timed-out": ExitStatus.TIMEOUT,
}


class WaitTimeoutError(WavedError):
    """The time a caller wanted to wait ran out; the session goes on."""

    code = "timeout"
    exit_status = ExitStatus.TIMEOUT

    def __init__(self, session: str, seconds: float, state: str) -> None:
        super().__init__(
            f"session {session} is still {state} after {seconds:g} s", f"follow it with `wavectl watch {session}`"
        )


def is_settled(view: dict[str, Any]) -> bool:
    """Nothing more happens by itself: the session has ended, or is held with nothing running."""
    return view["state"] == "ended" or (view["state"] == "held" and not view["agents"]["running"])


def exit_status(view: dict[str, Any]) -> ExitStatus:
    """The exit status for a session as it stands (docs/wavectl.md, "Exit statuses")."""
    if view["state"] == "ended":
        return _BY_OUTCOME.get(view["outcome"], ExitStatus.FAILED)
    return ExitStatus.HELD if view["state"] == "held" else ExitStatus.OK
