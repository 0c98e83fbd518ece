"""Output capture: how fast what agents print reaches its files, whether every byte does, and what memory it takes.

The floor is `probe | cat > file`, once or as many at a time as there are agents. A figure is from the first program's
exec to the moment the last file has all its bytes, for everybody alike.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks import peers
from tests.benchmarks.harness import Daemon, daemon, scratch
from tests.benchmarks.probe import BenchmarkError, Stamps
from tests.benchmarks.report import Report, Row, median, run
from waved.pool.segments import segments

MEGABYTE = 1_000_000
SHARE_OF_FLOOR = 0.6
Measured = tuple[float, dict[str, Any]]
"""Seconds, and what else was seen."""
Output = Sequence[Path]
"""The files that hold what one program printed, in their order."""


class Memory:
    """The most resident memory of some processes while something runs, sampled; `with Memory(pids) as seen: …`."""

    def __init__(self, processes: Callable[[], dict[str, list[psutil.Process]]]) -> None:
        self._processes = processes
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.first: dict[str, int] = {}
        self.peak: dict[str, int] = {}

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def figures(self) -> dict[str, str]:
        """By name: the first sample and the peak, in MB."""
        return {f"{name} MB": f"{self.first[name] / 1e6:.1f}→{peak / 1e6:.1f}" for name, peak in self.peak.items()}

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            for name, processes in self._processes().items():
                for process in processes:
                    with suppress(psutil.Error):
                        size = process.memory_info().rss
                        self.first.setdefault(name, size)
                        self.peak[name] = max(self.peak.get(name, 0), size)


def _complete(stamps: Stamps, outputs: Callable[[], Sequence[Output]], count: int, size: int) -> float:
    """Seconds from the first exec until `count` outputs have `size` bytes each; raises when one gets more."""

    def full() -> bool:
        sizes = [sum(file.stat().st_size for file in output if file.exists()) for output in outputs()]
        if any(found > size for found in sizes):
            raise BenchmarkError(f"an output has {max(sizes)} bytes of {size}")
        return sizes.count(size) == count

    peers.until(full, f"{count} outputs of {size} bytes", 180)
    return time.time() - stamps.read()[0] / 1e9


def _digest(output: Output) -> str:
    digest = hashlib.blake2b()
    for file in output:
        with file.open("rb") as opened:
            while piece := opened.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()


def cat(count: int, size: int, stamps: Stamps, folder: Path) -> Measured:
    """The floor."""
    files = [folder / f"{number}.out" for number in range(count)]
    pipes = []
    for file in files:
        source = subprocess.Popen(stamps.lines(size), stdout=subprocess.PIPE)
        with file.open("wb") as target:
            pipes.append((source, subprocess.Popen(["cat"], stdin=source.stdout, stdout=target)))
        assert source.stdout is not None
        source.stdout.close()
    seconds = _complete(stamps, lambda: [[file] for file in files], count, size)
    for pipe in pipes:
        for process in pipe:
            process.wait()
    return seconds, {}


def waved(count: int, size: int, stamps: Stamps, folder: Path) -> Measured:
    """One wave of agents; the bytes are compared with what the program writes."""
    agents = [{"name": f"a{number}", "command": stamps.lines(size)} for number in range(count)]
    with daemon() as running:
        with Memory(lambda: _of(running)) as memory:
            session = running.deploy(agents)
            seconds = _complete(stamps, lambda: _outputs(running), count, size)
        running.ended(session)
        expected = folder / "expected"
        with expected.open("wb") as target:
            subprocess.run(Stamps(folder / "not-counted").lines(size), check=True, stdout=target)
        wanted = _digest([expected])
        differing = [output for output in _outputs(running) if _digest(output) != wanted]
        if differing:
            raise BenchmarkError(f"{len(differing)} of {count} outputs differ from what was written")
        return seconds, {"bytes": "all the same", **memory.figures()}


def _outputs(running: Daemon) -> list[Output]:
    folders = running.state.glob("sessions/*/runs/*")
    return [[part.output for part in segments(folder)] for folder in folders]


def _of(running: Daemon) -> dict[str, list[psutil.Process]]:
    with suppress(psutil.Error):
        own = psutil.Process(running.process.pid)
        workers = [child for child in own.children(recursive=True) if "probe" not in child.name()]
        return {"daemon": [own], "worker": workers}
    return {}


def supervisord(count: int, size: int, stamps: Stamps, folder: Path) -> Measured:
    """supervisord with logs of unlimited size."""
    with peers.supervisord(folder, [stamps.lines(size)] * count) as peer:
        with Memory(lambda: {"daemon": [psutil.Process(peer.process.pid)]}) as memory:
            peer.start()
            files = [folder / f"a{number}.out" for number in range(count)]
            seconds = _complete(stamps, lambda: [[file] for file in files], count, size)
        return seconds, memory.figures()


SYSTEMS: dict[str, tuple[str, Callable[[int, int, Stamps, Path], Measured]]] = {
    "cat > file": ("floor", cat),
    "waved": ("ours", waved),
    "supervisord": ("peer", supervisord),
}


def measure(report: Report, options: argparse.Namespace) -> None:
    """One agent with much output, then many with less."""
    for count, megabytes in ((1, options.one), (options.agents, options.each)):
        setting = f"{count} × {megabytes} MB"
        for system, (role, _) in SYSTEMS.items():
            if role == "peer" and options.no_peers:
                continue
            try:
                row = _row(setting, system, count, megabytes * MEGABYTE, options.repeat)
            except BenchmarkError as error:
                if role == "ours":
                    raise
                report.skip(f"{system}, {setting}", str(error))
                continue
            if role == "ours":
                floor = next(other.value for other in report.rows if (other.setting, other.role) == (setting, "floor"))
                row.limit = round(floor / SHARE_OF_FLOOR, 3)
            report.add(row)


def _row(setting: str, system: str, count: int, size: int, repeat: int) -> Row:
    role, capture = SYSTEMS[system]
    all_seconds = []
    more: dict[str, Any] = {}
    for _ in range(repeat):
        with scratch() as folder:
            seconds, more = capture(count, size, Stamps(folder / "stamps"), folder)
        all_seconds.append(seconds)
    seconds = median(all_seconds)
    return Row(setting, system, role, seconds, "s", {"MB/s": count * size / MEGABYTE / seconds, **more})


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--one", type=int, default=200, metavar="MB", help="output of the single agent")
    options.add_argument("--each", type=int, default=5, metavar="MB", help="output of each of several agents")
    options.add_argument("--agents", type=int, default=32, metavar="N")
    options.add_argument("--repeat", type=int, default=3)
    sys.exit(run("output capture", measure, options))
