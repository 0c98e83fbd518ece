"""Idle: what a daemon costs while N agents sleep: processor time, its memory, and that of a worker."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

import psutil

from tests.benchmarks import peers
from tests.benchmarks.harness import daemon, pss, scratch
from tests.benchmarks.probe import BenchmarkError, Stamps
from tests.benchmarks.report import Report, Row, median, run

CPU_LIMIT = 0.2
DAEMON_LIMIT = 60.0
WORKER_LIMIT = 4.0
SETTLE = 3.0
"""Seconds between the last start and the measurement: what follows a start is not idleness."""


def cpu_percent(processes: Sequence[psutil.Process], seconds: float) -> float:
    """Processor time all of them take, in per cent of one core."""
    before = sum(sum(process.cpu_times()[:2]) for process in processes)
    time.sleep(seconds)
    return (sum(sum(process.cpu_times()[:2]) for process in processes) - before) / seconds * 100


def measure(report: Report, options: argparse.Namespace) -> None:
    """waved, then supervisord."""
    setting = f"{options.agents} sleeping agents"
    _waved(report, setting, options)
    if not options.no_peers:
        try:
            _supervisord(report, setting, options)
        except BenchmarkError as error:
            report.skip("supervisord", str(error))


def _waved(report: Report, setting: str, options: argparse.Namespace) -> None:
    with scratch() as folder, daemon() as running:
        stamps = Stamps(folder / "stamps")
        session = running.deploy([{"name": f"a{n}", "command": stamps.sleeping()} for n in range(options.agents)])
        stamps.wait(options.agents)
        time.sleep(SETTLE)
        own = psutil.Process(running.process.pid)
        workers = [psutil.Process(event["data"]["worker"]) for event in running.events(session, "run.started")]
        seconds = options.seconds
        report.add(Row(f"CPU, {setting}", "waved", "ours", cpu_percent([own], seconds), "%", limit=CPU_LIMIT))
        family = [own, *(child for child in running.family() if child.name() != "probe")]
        report.add(Row(f"CPU, {setting}", "waved with zygote and workers", "ours", cpu_percent(family, seconds), "%"))
        resident = own.memory_info().rss / 1e6
        shared = {"PSS MB": pss(own.pid) / 1e6}
        report.add(Row(f"memory, {setting}", "waved", "ours", resident, "MB", shared, DAEMON_LIMIT))
        sizes = sorted(pss(worker.pid) / 1e6 for worker in workers)
        largest = {"largest MB": sizes[-1]}
        report.add(Row("PSS a worker", "waved", "ours", median(sizes), "MB", largest, WORKER_LIMIT))


def _supervisord(report: Report, setting: str, options: argparse.Namespace) -> None:
    with scratch() as folder:
        stamps = Stamps(folder / "stamps")
        with peers.supervisord(folder, [stamps.sleeping()] * options.agents) as peer:
            peer.start()
            stamps.wait(options.agents)
            time.sleep(SETTLE)
            own = psutil.Process(peer.process.pid)
            report.add(Row(f"CPU, {setting}", "supervisord", "peer", cpu_percent([own], options.seconds), "%"))
            shared = {"PSS MB": pss(own.pid) / 1e6}
            report.add(Row(f"memory, {setting}", "supervisord", "peer", own.memory_info().rss / 1e6, "MB", shared))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--agents", type=int, default=64)
    options.add_argument("--seconds", type=float, default=20.0)
    sys.exit(run("idle", measure, options))
