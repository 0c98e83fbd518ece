"""How long: the time a run is given, and the waits before something is tried again (requirement M5)."""

from __future__ import annotations

from waved.domain.state import Node, Session, WaveState

MAX_BACKOFF = 300.0
"""Seconds; the wait before a repetition is doubled up to this."""
MAX_START_WAIT = 60.0
"""Seconds; the longest wait before a start that failed for want of a worker is tried again."""
SHORTEST = 0.001
"""Seconds; a run decided at the very end of its wave still gets a limit, not none."""


def run_limit(session: Session, wave: WaveState, own: float | None, whose: str, now: float) -> tuple[float | None, str]:
    """Seconds a run may take, and whose limit that is: its own, the wave's or the session's, whichever is nearest.

    The worker enforces it, so that the wave's and the session's deadline hold with the daemon down (invariant 7).
    """
    timeout, of = own, whose
    for deadline, name in ((wave.deadline, "wave"), (session.deadline, "session")):
        if deadline is not None and (timeout is None or deadline - now < timeout):
            timeout, of = deadline - now, name
    return (None if timeout is None else max(timeout, SHORTEST)), of


def backoff(node: Node) -> float:
    """Seconds before a failed attempt is repeated: the agent's `backoff`, doubled with each repetition."""
    repeated: int = node.attempt - node.base
    return min(node.agent.backoff * 2.0 ** (repeated - 1), MAX_BACKOFF)


def start_wait(withdrawn: int) -> float:
    """Seconds before a start is tried again that was withdrawn `withdrawn` times in a row.

    None the first time: the daemon ended before the start, and the new one goes on at once. From then on doubled:
    where no process can be made, trying without pause would only fill the journal.
    """
    return 0.0 if withdrawn <= 1 else min(2.0 ** min(withdrawn - 2, 10), MAX_START_WAIT)
