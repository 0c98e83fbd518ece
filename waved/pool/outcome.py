"""What became of a run: gathered by its worker while it goes on, and put into the exit record."""

from __future__ import annotations

import os
import signal
from typing import Any

from waved.pool.acting import Acting
from waved.pool.capture import Capture
from waved.pool.ending import Ending

TAIL_BYTES = 4096


class Outcome:
    """When the program began and ended, how, and what it used. Times are waved's clock's."""

    def __init__(self) -> None:
        self.pid = 0
        """The program's; 0 until it was started."""
        self.started_at: float | None = None
        self.ended_at = 0.0
        self.status: int | None = None
        """The program's wait status, once it has ended."""
        self.sandboxed = False
        """Its program is bubblewrap, which tells how the one inside has ended."""
        self._unstarted: tuple[str, str] | None = None
        self._cpu = 0.0
        self._rss = 0

    def began(self, pid: int, at: float) -> None:
        """The program was exec'ed."""
        self.pid, self.started_at = pid, at

    def ended(self, status: int, at: float) -> None:
        """The program itself has ended."""
        self.status, self.ended_at = status, at

    def unstarted(self, outcome: str, reason: str, at: float) -> None:
        """Nothing was exec'ed, and nothing will be."""
        self._unstarted, self.ended_at = (outcome, reason), at

    def spent(self, cpu: float, rss: int) -> None:
        """A process of the run was collected: seconds of processor time, peak bytes."""
        self._cpu += cpu
        self._rss = max(self._rss, rss)

    def record(self, run: str, ending: Ending, capture: Capture | None, acting: Acting | None) -> dict[str, Any]:
        """The exit record. `ending` knows whether it was ended by us, `capture` what it printed, `acting` what of that
        the program said of itself.
        """
        cause = self._unstarted or ending.cause
        outcome, reason = cause or ("exited", "")
        code = number = None
        if self.status is not None:
            if os.WIFSIGNALED(self.status):
                number = os.WTERMSIG(self.status)
                if cause is None:
                    outcome, reason = "signalled", f"ended by {signal.Signals(number).name}"
            else:
                code = os.WEXITSTATUS(self.status)
                if cause is None and code:
                    reason = f"exited with status {code}" + (_from_sandbox(code) if self.sandboxed else "")
        told = self._told(acting, lingered=outcome == "exited" and cause is not None)
        if outcome == "exited" and told.get("judged") is False:
            reason = told.pop("judgement")
        elif outcome == "exited" and told.get("judged") and cause is None:
            reason = ""
        told.pop("judgement", None)
        failed = outcome != "exited" or not told.get("judged", code == 0)
        return {
            "run": run,
            "outcome": outcome,
            "exit_code": code,
            "signal": number,
            "reason": reason,
            "pid": self.pid or None,
            "started": self.started_at,
            "ended": self.ended_at,
            "output_bytes": capture.written if capture else 0,
            "dropped_bytes": capture.dropped if capture else 0,
            "rotated_bytes": capture.rotated if capture else 0,
            "tail": capture.tail(TAIL_BYTES) if capture and failed else "",
            "leftovers": list(ending.leftovers.values()),
            "cpu_seconds": round(self._cpu, 6),
            "max_rss": self._rss or None,
            **told,
        }

    def _told(self, acting: Acting | None, *, lingered: bool) -> dict[str, Any]:
        """What the program says of itself. One that was ended because it lingered had ended well, as it saw it."""
        if acting is None or self.status is None:
            return {}
        if lingered or not os.WIFSIGNALED(self.status):
            return acting.conclude(0 if lingered else os.WEXITSTATUS(self.status), None)
        return acting.conclude(None, os.WTERMSIG(self.status))


def _from_sandbox(code: int) -> str:
    """bubblewrap, like a shell, tells a signal as 128 and its number: which of the two it was nobody can say."""
    try:
        return f", as one does that {signal.Signals(code - 128).name} has ended in a sandbox"
    except ValueError:
        return ""
