"""How long: the time a run is given, and the waits before something is tried again (requirement M5)."""

from __future__ import annotations

from waved.domain.state import Node, Run, Session, WaveState

MAX_BACKOFF = 300.0
"""Seconds; the wait before a repetition is doubled up to this."""
MAX_START_WAIT = 60.0
"""Seconds; the longest wait before a start that failed for want of a worker is tried again."""
REFUSAL_WAIT = 15.0
"""Seconds; the first wait for a provider that refused without saying until when."""
MAX_REFUSAL_WAIT = 900.0
"""Seconds; the longest wait before a call is tried again that a provider refused without saying until when."""
MOST_REFUSALS = 30
"""Refusals in a row after which an assignment has failed."""
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


def was_refused(run: Run) -> bool:
    """Whether the run ended because its provider took no more calls, or could not answer them."""
    return not run.succeeded and run.cause in ("rate-limited", "overloaded") and not run.stop_reason


def lacked_session(run: Run) -> bool:
    """Whether the program's own session that the run was to go on with was not there: never written, or removed."""
    return bool(run.resume) and not run.succeeded and run.cause == "no-session" and not run.stop_reason


def is_hopeless(run: Run) -> bool:
    """Whether to run it again would only end the same way, or spend what the user did not want to: it cannot log in, or
    the limit of cost given to the program itself is reached.
    """
    return not run.succeeded and run.cause in ("login", "budget") and not run.stop_reason


def refusal_wait(node: Node, run: Run, now: float) -> float:
    """When a refused run is repeated: at the time the provider named, else after a wait that is doubled each time.

    Seconds on waved's clock. Never sooner than after the agent's `backoff`: a time named may be wrong.
    """
    waited: float = now + min(max(node.agent.backoff, 1.0) * 2.0 ** min(node.refused - 1, 10), MAX_REFUSAL_WAIT)
    return waited if run.reset_at is None else max(run.reset_at, now + node.agent.backoff)
