"""Dependency hop: one run ends, the next, which requires it, has been exec'ed; everything between is counted.

A chain of programs that end at once: the time from one exec to the next is the hop, the program's own life of a few
tenths of a millisecond included, for everybody alike. And a graph of 10 layers of 10, each requiring the whole layer
before: from the first exec to the last, and for the peers the whole program as well.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.benchmarks import peers
from tests.benchmarks.harness import daemon, scratch
from tests.benchmarks.probe import BenchmarkError, Stamps
from tests.benchmarks.report import Report, Row, median, run

HOP_LIMIT = 4.0
Graph = dict[str, list[str]]
"""What each job requires, by name, in an order that respects it."""
Measured = tuple[float, list[int]]
"""Seconds from the start command to the end of everything, and the times of the execs."""


def chain(length: int) -> Graph:
    """Jobs that each require the one before."""
    return {f"j{number}": [f"j{number - 1}"] if number else [] for number in range(length)}


def layered(layers: int, width: int) -> Graph:
    """Layers of jobs; each job requires the whole layer before."""
    names = [[f"l{layer}w{place}" for place in range(width)] for layer in range(layers)]
    return {name: names[layer - 1] if layer else [] for layer in range(layers) for name in names[layer]}


def waved(graph: Graph, stamps: Stamps, _folder: Path) -> Measured:
    """A wave of agents with `needs`: journal, workers and gates included."""
    agents = [{"name": name, "command": stamps.once(), "needs": requires} for name, requires in graph.items()]
    with daemon() as running:
        begin = time.monotonic()
        session = running.deploy(agents)
        running.ended(session)
        return time.monotonic() - begin, stamps.wait(len(graph))


def popen_loop(graph: Graph, stamps: Stamps, _folder: Path) -> Measured:
    """The floor: one job after another with nothing in between."""
    begin = time.monotonic()
    for _ in graph:
        peers.quietly(stamps.once())
    return time.monotonic() - begin, stamps.wait(len(graph))


def make(graph: Graph, stamps: Stamps, folder: Path) -> Measured:
    """GNU make with as many jobs as it likes."""
    rules = [f"{name}: {' '.join(requires)}\n\t@{' '.join(stamps.once())}\n" for name, requires in graph.items()]
    names = " ".join(graph)
    (folder / "Makefile").write_text(f"all: {names}\n.PHONY: all {names}\n" + "".join(rules))
    return _timed([peers.need("make"), "-s", "-j10", "all"], len(graph), stamps, folder)


def doit(graph: Graph, stamps: Stamps, folder: Path) -> Measured:
    """doit with task_dep, one process for each job slot."""
    (folder / "dodo.py").write_text(
        f"GRAPH = {graph!r}\nCOMMAND = {stamps.once()!r}\n\ndef task_j():\n"
        "    for name, requires in GRAPH.items():\n"
        "        yield {'name': name, 'actions': [COMMAND], 'task_dep': ['j:' + other for other in requires]}\n"
    )
    return _timed([peers.need("doit"), "-n", "2", "-P", "thread"], len(graph), stamps, folder)


def luigi(graph: Graph, stamps: Stamps, folder: Path) -> Measured:
    """luigi's local scheduler, one worker."""
    (folder / "jobs.py").write_text(
        f"import subprocess, luigi\nGRAPH = {graph!r}\nCOMMAND = {stamps.once()!r}\n\n"
        "class Job(luigi.Task):\n    name = luigi.Parameter()\n    done = False\n"
        "    def requires(self):\n        return [Job(other) for other in GRAPH[self.name]]\n"
        "    def run(self):\n        subprocess.run(COMMAND, check=True)\n        self.done = True\n"
        "    def complete(self):\n        return self.done\n\n"
        "luigi.build([Job(name) for name in GRAPH], local_scheduler=True, log_level='ERROR')\n"
    )
    python = Path(peers.need("luigi")).with_name("python")
    return _timed([str(python), "jobs.py"], len(graph), stamps, folder)


def _timed(command: Sequence[str], count: int, stamps: Stamps, folder: Path) -> Measured:
    begin = time.monotonic()
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchmarkError(f"{Path(command[0]).name} failed: {done.stderr.strip()[-300:]}")
    return time.monotonic() - begin, stamps.wait(count)


SYSTEMS: dict[str, tuple[str, Callable[[Graph, Stamps, Path], Measured]]] = {
    "Popen loop": ("floor", popen_loop),
    "waved": ("ours", waved),
    "make": ("peer", make),
    "doit": ("peer", doit),
    "luigi": ("peer", luigi),
}


def measure(report: Report, options: argparse.Namespace) -> None:
    """Both graphs for each system."""
    graphs = {
        f"chain of {options.length}": chain(options.length),
        f"{options.layers}×{options.width} layers": layered(options.layers, options.width),
    }
    for setting, graph in graphs.items():
        is_chain = setting.startswith("chain")
        for system, (role, _) in SYSTEMS.items():
            if role == "peer" and options.no_peers:
                continue
            try:
                report.add(_row(setting, graph, system, options.repeat, is_chain=is_chain))
            except BenchmarkError as error:
                if role == "ours":
                    raise
                report.skip(f"{system}, {setting}", str(error))


def _row(setting: str, graph: Graph, system: str, repeat: int, *, is_chain: bool) -> Row:
    role, execute = SYSTEMS[system]
    hops: list[float] = []
    spans, walls = [], []
    for _ in range(repeat):
        with scratch() as folder:
            wall, times = execute(graph, Stamps(folder / "stamps"), folder)
        walls.append(wall * 1000)
        spans.append((times[-1] - times[0]) / 1e6)
        hops += [(after - before) / 1e6 for before, after in itertools.pairwise(times)]
    whole = {"whole command ms": median(walls)}
    if is_chain:
        hops.sort()
        more = {"p95 ms": hops[int(len(hops) * 0.95)], **whole}
        return Row(setting, system, role, median(hops), "ms a hop", more, HOP_LIMIT if role == "ours" else None)
    return Row(setting, system, role, median(spans), "ms in all", whole)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--length", type=int, default=100)
    options.add_argument("--layers", type=int, default=10)
    options.add_argument("--width", type=int, default=10)
    options.add_argument("--repeat", type=int, default=5)
    sys.exit(run("dependency hop", measure, options))
