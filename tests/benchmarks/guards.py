"""Guards: from the write of a corrupt line to the sighting, to the tree that stands still and to the file restored, at
two sizes of a repository, beside shell checks.

Also what monitors cost at rest and while sweeping, and that none of 10,000 changes is missed while memory stays flat.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.benchmarks.emergency import emergencies
from tests.benchmarks.harness import scratch
from tests.benchmarks.probe import BenchmarkError
from tests.benchmarks.report import Report, Row, median, run
from waved.monitors.base import Batch, Running, Site
from waved.monitors.engine import Engine
from waved.plan.guards import CorruptionMonitor, FileSizeMonitor
from waved.workspace.feed import Feed
from waved.workspace.ignoring import Ignoring

LATENCY_LIMIT = 60.0
"""Milliseconds to the sighting: what leaves time to freeze the agent within 100 ms."""
IDLE_LIMIT = 1.0
MEMORY_LIMIT = 20.0
"""MB that a flood may leave behind."""
FLOOD = 10_000
SWEEPS = 3
GOOD = "value = 1\n"
WRITER = "import sys\nfor n in range(int(sys.argv[2])): open(f'{sys.argv[1]}/{n}.py', 'w').write('x = 1\\n')"
WHO = ("-c", "user.name=b", "-c", "user.email=b@example.org")
SHELL = {
    'grep -r "const const"': 'grep -rn "const const" . --include=*.py',
    "git status --short": "git status --short",
    "find | xargs wc -l": "find . -name '*.py' -print0 | xargs -0 wc -l | awk '$1 > 300 && $2 != \"total\"'",
}
"""What the workflow this grew from ran every 30 or 60 seconds."""


class Watched:
    """An engine on a workspace, and what it reports."""

    def __init__(self, workspace: Path, private: Path) -> None:
        monitors = (
            CorruptionMonitor(kind="corruption", patterns=["const const"]),
            FileSizeMonitor(kind="file-size", paths=["**/*.py"]),
        )
        self.changed: set[str] = set()
        self._said = threading.Condition()
        self._batches: list[Batch] = []
        private.mkdir()
        self.engine = Engine(monitors, Site(workspace, private, baseline=lambda _: None), self._report)

    def _report(self, batch: Batch) -> None:
        with self._said:
            self.changed.update(change.path for change in batch.changes)
            self._batches.append(batch)
            self._said.notify_all()

    def until(self, wanted: Callable[[Batch], bool], seconds: float = 120.0) -> None:
        """Waits for a batch like that, and forgets those before."""
        with self._said:
            if not self._said.wait_for(lambda: any(wanted(batch) for batch in self._batches), seconds):
                raise BenchmarkError(f"the engine did not report in {seconds:g} s")
            self._batches.clear()

    def judged(self, token: str) -> None:
        """Waits until all changes so far are judged."""
        self.engine.judge(token)
        self.until(lambda batch: any(judged.token == token for judged in batch.judged))


@contextmanager
def watched(workspace: Path, private: Path) -> Iterator[Watched]:
    """An engine while an agent runs."""
    found = Watched(workspace, private)
    found.engine.start()
    found.engine.set_running([Running("agent", "r1", ("**",), "execution", time.monotonic())])
    try:
        found.judged("ready")
        yield found
    finally:
        found.engine.close()


def measure(report: Report, options: argparse.Namespace) -> None:
    """Each size in turn."""
    for files in options.files:
        with scratch() as folder:
            workspace = folder / "workspace"
            _make(workspace, files)
            with watched(workspace, folder / "private") as found:
                _latency(report, options, workspace, found, files)
                _rest(report, options, found, files)
                if files == min(options.files):
                    _flood(report, workspace, found)
            _sweep(report, folder, files)
            emergencies(report, options, workspace, files, GOOD)
            if not options.no_peers:
                _shell(report, options, workspace, files)


def _latency(report: Report, options: argparse.Namespace, workspace: Path, found: Watched, files: int) -> None:
    for name, text in (("a forbidden line", "const const\n"), ("a file that does not parse", "def def\n")):
        times = []
        for turn in range(options.repeat):
            path = workspace / f"package0/module{turn}.py"
            began = time.perf_counter()
            path.write_text(text)
            found.until(lambda batch: any(not seen.cleared for seen in batch.sightings))
            times.append((time.perf_counter() - began) * 1000)
            path.write_text(GOOD)
            found.until(lambda batch: any(seen.cleared for seen in batch.sightings))
        setting = f"write to sighting, {name}, {files} files"
        figures = {"slowest ms": max(times)}
        report.add(Row(setting, "waved", "ours", median(times), "ms", figures, LATENCY_LIMIT))


def _rest(report: Report, options: argparse.Namespace, found: Watched, files: int) -> None:
    own = psutil.Process()
    time.sleep(1.5)
    before, cpu = own.num_ctx_switches().voluntary, _cpu(own)
    time.sleep(options.seconds)
    idle = (_cpu(own) - cpu) / options.seconds * 100
    woken = {"wake-ups a second": (own.num_ctx_switches().voluntary - before) / options.seconds}
    report.add(Row(f"at rest, {files} files", "waved", "ours", idle, "% CPU", woken, IDLE_LIMIT))


def _sweep(report: Report, folder: Path, files: int) -> None:
    own = psutil.Process()
    (folder / "sweep").mkdir()
    feed = Feed(folder / "workspace", folder / "sweep", Ignoring(folder / "workspace"))
    feed.open()
    try:
        began = _cpu(own)
        for _ in range(SWEEPS):
            for _ in feed.sweep():
                pass
        cost = (_cpu(own) - began) / SWEEPS
    finally:
        feed.close()
    figures = {"CPU s": cost}
    report.add(Row(f"a sweep a minute, {files} files", "waved", "ours", cost / 60 * 100, "% CPU", figures, IDLE_LIMIT))


def _flood(report: Report, workspace: Path, found: Watched) -> None:
    own = psutil.Process()
    found.changed.clear()
    before, cpu = own.memory_info().rss, _cpu(own)
    flood = workspace / "flood"
    flood.mkdir()
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", WRITER, str(flood), str(FLOOD)], check=True)
    writing = time.perf_counter() - began
    found.judged("flood")
    missed = FLOOD - len([path for path in found.changed if path.startswith("flood/")])
    figures = {"CPU s of the daemon": _cpu(own) - cpu, "s of writing": writing}
    report.add(Row(f"{FLOOD} files written", "waved", "ours", missed, "missed", figures, 0.0))
    grown = (own.memory_info().rss - before) / 1e6
    report.add(Row(f"memory after {FLOOD} changes", "waved", "ours", grown, "MB", {}, MEMORY_LIMIT))
    shutil.rmtree(flood)


def _shell(report: Report, options: argparse.Namespace, workspace: Path, files: int) -> None:
    for name, command in SHELL.items():
        times, cpu = [], []
        for _ in range(max(2, options.repeat // 4)):
            before, began = os.times(), time.perf_counter()
            subprocess.run(["sh", "-c", command], cwd=workspace, stdout=subprocess.DEVNULL, check=False)
            times.append((time.perf_counter() - began) * 1000)
            after = os.times()
            cpu.append(after.children_user + after.children_system - before.children_user - before.children_system)
        setting = f"one shell check, {files} files"
        report.add(Row(setting, name, "peer", median(times), "ms", {"CPU ms": median(cpu) * 1000}))


def _make(workspace: Path, files: int) -> None:
    for number in range(files):
        path = workspace / f"package{number // 50}" / f"module{number % 50}.py"
        if number % 50 == 0:
            path.parent.mkdir(parents=True)
        path.write_text(GOOD)
    for words in (["init", "-q"], ["add", "-A"], [*WHO, "commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=workspace, check=True, stdout=subprocess.DEVNULL)


def _cpu(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[2000, 100_000], help="how many files")
    parser.add_argument("--repeat", type=int, default=15, help="measurements of which the median counts")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long rest is measured")
    sys.exit(run("guards", measure, parser))
