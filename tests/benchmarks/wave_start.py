"""Wave start: from the decision to the last of N agents having been exec'ed, and the skew between first and last.

"decision" is the `wave.started` event for waved, and for a peer the instant before its own start command is given to
its running daemon (or, where there is none, before its program is started). "later wave" is the same of the second wave
of a plan, right after as many agents of the first have ended. "from the shell" is the instant before a person's command
is started: `wavectl deploy` against a running daemon whose pool is cold, `supervisorctl start`, ….

All systems of a setting take turns. The floor is the second of two loops, one right after the other, as a decision is
made in the midst of work: on a machine that has just rested a loop takes up to ten times as long.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import peers
from tests.benchmarks.harness import daemon, scratch
from tests.benchmarks.probe import BenchmarkError, Stamps
from tests.benchmarks.report import Report, Row, median, run
from wavectl.submission import Submission

Measured = tuple[int, list[int]]
"""When it was decided, and when each program was exec'ed: nanoseconds of CLOCK_REALTIME."""
Start = Callable[[int, Stamps, Path], Measured]
Systems = dict[str, tuple[str, Start]]
"""Whether it is ours, a peer or the floor, and what starts N programs with it."""
SKEW_LIMIT = {3: 2.0}
SHELL_LIMIT = {3: 250.0, 64: 400.0, 256: 900.0}
FLOOR_FACTOR = 1.5


def popen_loop(count: int, stamps: Stamps, folder: Path) -> Measured:
    """The floor: nothing but starting processes, one after another."""
    for process in _popen(stamps.once(), count, folder):
        process.wait()
    stamps.clear()
    decided = time.time_ns()
    started = _popen(stamps.sleeping(), count, folder)
    times = stamps.wait(count)
    stamps.end_all()
    for process in started:
        process.wait()
    return decided, times


def _popen(command: list[str], count: int, folder: Path) -> list[subprocess.Popen[bytes]]:
    nothing = subprocess.DEVNULL
    return [subprocess.Popen(command, cwd=folder, stdin=nothing, stdout=nothing, stderr=nothing) for _ in range(count)]


def waved(count: int, stamps: Stamps, _folder: Path) -> Measured:
    """A wave of N agents; the decision is the event."""
    agents = [{"name": f"a{number}", "command": stamps.sleeping()} for number in range(count)]
    with daemon() as running:
        session = running.deploy(agents)
        times = stamps.wait(count)
        (started,) = running.events(session, "wave.started")
    return int(started["time"] * 1e9), times


def waved_later(count: int, stamps: Stamps, _folder: Path) -> Measured:
    """The second wave of a plan, which starts when the agents of the first have ended."""
    waves = [
        {"name": name, "agent": [{"name": f"{name}{number}", "command": command} for number in range(count)]}
        for name, command in (("first", stamps.sleeping(1)), ("second", stamps.sleeping()))
    ]
    with daemon() as running:
        plan = {"session": {"name": "later"}, "wave": waves}
        session = running.client.submit(Submission(plan, "", str(running.workspace), {}))["session"]
        times = stamps.wait(2 * count)[count:]
        _, started = running.events(session, "wave.started")
    return int(started["time"] * 1e9), times


def waved_shell(count: int, stamps: Stamps, _folder: Path) -> Measured:
    """`wavectl deploy` as a person types it, against a daemon that has only just started."""
    words = [word for number in range(count) for word in ("--agent", f"a{number}=exec {shlex.join(stamps.sleeping())}")]
    with daemon() as running:
        command = running.wavectl("deploy", "--detach", "--workspace", str(running.workspace), *words)
        decided = time.time_ns()
        peers.quietly(command, running.environ)
        return decided, stamps.wait(count)


def supervisord(count: int, stamps: Stamps, folder: Path) -> Measured:
    """supervisord's own start command through XML-RPC."""
    with peers.supervisord(folder, [stamps.sleeping()] * count) as peer:
        decided = time.time_ns()
        peer.start()
        return decided, stamps.wait(count)


def supervisord_shell(count: int, stamps: Stamps, folder: Path) -> Measured:
    """`supervisorctl start a:*`."""
    with peers.supervisord(folder, [stamps.sleeping()] * count) as peer:
        return _shell(peer.ctl(), stamps, count)


def circus(count: int, stamps: Stamps, folder: Path) -> Measured:
    """circus's own start command over ZeroMQ."""
    with peers.circusd(folder, [stamps.sleeping()] * count) as peer:
        stamps.clear()
        decided = time.time_ns()
        peer.start()
        times = stamps.wait(count)
        stamps.end_all()
    return decided, times


def circus_shell(count: int, stamps: Stamps, folder: Path) -> Measured:
    """`circusctl start`."""
    with peers.circusd(folder, [stamps.sleeping()] * count) as peer:
        stamps.clear()
        measured = _shell(peer.ctl(), stamps, count)
        stamps.end_all()
    return measured


def pm2(count: int, stamps: Stamps, folder: Path) -> Measured:
    """`pm2 start apps.json` with its daemon running; it has no other way to be told."""
    with peers.pm2(folder, [stamps.sleeping()] * count) as (command, environ):
        return _shell(command, stamps, count, environ)


def parallel(count: int, stamps: Stamps, folder: Path) -> Measured:
    """GNU parallel with as many jobs as lines."""
    (folder / "jobs").write_text((shlex.join(stamps.sleeping()) + "\n") * count)
    return _program([peers.need("parallel"), "--will-cite", "-j0", "-a", "jobs"], stamps, count, folder)


def honcho(count: int, stamps: Stamps, folder: Path) -> Measured:
    """honcho with a Procfile of N lines."""
    lines = [f"a{number}: {shlex.join(stamps.sleeping())}\n" for number in range(count)]
    (folder / "Procfile").write_text("".join(lines))
    return _program([peers.need("honcho"), "start"], stamps, count, folder)


def _shell(command: list[str], stamps: Stamps, count: int, environ: dict[str, str] | None = None) -> Measured:
    decided = time.time_ns()
    peers.quietly(command, environ, check=False)
    return decided, stamps.wait(count)


def _program(command: list[str], stamps: Stamps, count: int, folder: Path) -> Measured:
    decided = time.time_ns()
    with peers.running(command, folder):
        times = stamps.wait(count)
        stamps.end_all()
    return decided, times


DECISION: Systems = {
    "Popen loop": ("floor", popen_loop),
    "waved": ("ours", waved),
    "supervisord": ("peer", supervisord),
    "circus": ("peer", circus),
    "GNU parallel": ("peer", parallel),
    "honcho": ("peer", honcho),
    "pm2": ("peer", pm2),
}
LATER: Systems = {
    "Popen loop": ("floor", popen_loop),
    "waved": ("ours", waved_later),
}
SHELL: Systems = {
    "wavectl deploy": ("ours", waved_shell),
    "supervisorctl": ("peer", supervisord_shell),
    "circusctl": ("peer", circus_shell),
    "pm2 start": ("peer", pm2),
}


def measure(report: Report, options: argparse.Namespace) -> None:
    """Each system at each N, in turns; the median of the repetitions."""
    for count in options.agents:
        for kind, systems in (("decision", DECISION), ("later wave", LATER), ("shell", SHELL)):
            _measure_setting(report, f"N={count} {kind}", count, systems, options)


def _measure_setting(
    report: Report, setting: str, count: int, systems: Systems,
    options: argparse.Namespace,
) -> None:  # fmt: skip
    """All `systems` of one setting."""
    taking_part = {name: start for name, (role, start) in systems.items() if role != "peer" or not options.no_peers}
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in taking_part}
    for _ in range(options.repeat):
        for system, start in list(taking_part.items()):
            try:
                figures[system].append(_once(start, count))
            except BenchmarkError as error:
                if systems[system][0] == "ours":
                    raise
                report.skip(f"{system}, {setting}", str(error))
                del taking_part[system]
    for system in taking_part:
        lasts, skews = zip(*figures[system], strict=True)
        role = systems[system][0]
        row = Row(setting, system, role, median(lasts), "ms", {"skew ms": median(skews)})
        if role == "ours":
            row.limit = _limit(report, setting, count)
            row.more["skew limit"] = SKEW_LIMIT.get(count)
        report.add(row)


def _limit(report: Report, setting: str, count: int) -> float | None:
    if setting.endswith("shell"):
        return SHELL_LIMIT.get(count)
    return next(
        (row.value * FLOOR_FACTOR for row in report.rows if (row.setting, row.role) == (setting, "floor")), None
    )


def _once(start: Start, count: int) -> tuple[float, float]:
    """Milliseconds from the decision to the last exec, and from the first to the last."""
    with scratch() as folder:
        stamps = Stamps(folder / "stamps")
        try:
            decided, execs = start(count, stamps, folder)
        finally:
            stamps.end_all()
    return (execs[-1] - decided) / 1e6, (execs[-1] - execs[0]) / 1e6


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--agents", type=int, nargs="+", default=[3, 64, 256], metavar="N")
    options.add_argument("--repeat", type=int, default=5)
    sys.exit(run("wave start", measure, options))
