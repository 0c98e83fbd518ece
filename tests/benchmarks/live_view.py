"""`wavectl top` on many agents that print: time to the first page, what the view costs, what it costs the daemon.

The agents are real processes that print the recorded lines of a real agent program, so that workers read them and tell
what they are at about once a second each: the worst a view has to show. The first page is what a person waits for after
`exec`: the whole process, on a pty, with the daemon's answer on it; "keys" is when the view answers its first key.
The daemon's processor time is taken without a view, with one and without again, for the same agents: the difference is
what the view costs it.
"""

from __future__ import annotations

import argparse
import sys
import time

import psutil

from tests.benchmarks.harness import Daemon, daemon, scratch
from tests.benchmarks.probe import BenchmarkError
from tests.benchmarks.reading import PACED, Recorded, claude_on_path, files_of_repository
from tests.benchmarks.report import Report, Row, run
from tests.terminal import Terminal

FIRST_PAGE = 0.5
"""Seconds."""
MOST_OF_A_CORE = 0.15
"""The view's processor time as a share of one core, while all agents print."""
MOST_OF_THE_DAEMON = 0.02
"""What the daemon may use more of a core with a view than without."""
SIZES = ((80, 24), (200, 50))


def _used(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _open(running: Daemon, session: str, size: tuple[int, int]) -> tuple[Terminal, float, float]:
    """A view, seconds to its first page, and to its answer to a key."""
    began = time.monotonic()
    top = running.wavectl("top", session)
    shown = Terminal(size=size, program=top, environment=running.environ)
    shown.until("TIME/LIMIT")
    first = time.monotonic() - began
    shown.type(b"?")
    shown.until("any key closes this")
    keys = time.monotonic() - began
    shown.type(b"x")
    shown.drain(1.0)
    return shown, first, keys


def _close(shown: Terminal) -> None:
    shown.type(b"q")
    shown.ended()
    if not shown.is_as_before():
        raise BenchmarkError("the terminal is not as it was before")
    shown.close()


def _first_pages(report: Report, running: Daemon, session: str, setting: str, repeat: int) -> None:
    """The least of each: what else the machine does only adds."""
    found = []
    for _ in range(repeat):
        shown, first, keys = _open(running, session, SIZES[0])
        found.append((first, keys))
        _close(shown)
    first, keys = min(each[0] for each in found), min(each[1] for each in found)
    report.add(Row(setting, "top, first page", "ours", first, "s", {"keys after s": keys}, limit=FIRST_PAGE))


def _without(running: Daemon, seconds: float) -> float:
    before, began = _used(running.process.pid), time.monotonic()
    time.sleep(seconds)
    return (_used(running.process.pid) - before) / (time.monotonic() - began)


def _with(running: Daemon, session: str, size: tuple[int, int], seconds: float) -> tuple[float, float]:
    """The daemon's share of a core, and the view's."""
    shown, _, _ = _open(running, session, size)
    ours, theirs, began = _used(shown.process.pid), _used(running.process.pid), time.monotonic()
    shown.drain(seconds)
    took = time.monotonic() - began
    found = (_used(running.process.pid) - theirs) / took, (_used(shown.process.pid) - ours) / took
    _close(shown)
    return found


def measure(report: Report, options: argparse.Namespace) -> None:
    """First pages on a quiet session, then everything while all agents print."""
    recorded, repository = Recorded(), files_of_repository()
    with scratch() as folder, daemon() as running:
        quiet = running.deploy([{"name": "a", "command": "sleep 60"}])
        _first_pages(report, running, quiet, "1 agent", options.repeat)
        running.client.stop(quiet)
        log = folder / "rounds"
        rounds = ["\n".join(recorded.round(number, *next(repository))) for number in range(200)]
        log.write_text("\n\n".join(rounds))
        seconds = options.seconds * 5 + 60
        script = PACED.format(
            python=sys.executable, log=str(log), seconds=seconds, pause=options.pause, last=recorded.last
        )
        with claude_on_path(folder, script):
            agents = [{"name": f"agent-{n:03d}", "use": "claude", "prompt": "x"} for n in range(options.agents)]
            session = running.deploy(agents)
            while running.client.status(session)["agents"]["running"] < options.agents:
                time.sleep(0.2)
            time.sleep(3)  # until their first reports are told
            setting = f"{options.agents} agents print"
            alone = [_without(running, options.seconds)]
            for size in SIZES:
                daemons, views = _with(running, session, size, options.seconds)
                alone.append(_without(running, options.seconds))
                more = max(0.0, daemons - sum(alone[-2:]) / 2)
                where = f"{setting}, {size[0]}×{size[1]}"
                report.add(Row(where, "top", "ours", views, "core", limit=MOST_OF_A_CORE))
                told = {"without": alone[-1], "with": daemons}
                report.add(Row(where, "daemon, for it", "ours", more, "core", told, limit=MOST_OF_THE_DAEMON))
            _first_pages(report, running, session, setting, options.repeat)
            running.client.stop(session)
            running.client.wait(session, 120)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--agents", type=int, default=200, metavar="N")
    options.add_argument("--seconds", type=float, default=10.0, help="for how long each setting is looked at")
    options.add_argument("--pause", type=float, default=0.5, help="seconds between two lines of each agent")
    options.add_argument("--repeat", type=int, default=5)
    sys.exit(run("live view", measure, options))
