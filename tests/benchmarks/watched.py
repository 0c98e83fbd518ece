"""What it costs to be watched: an honest client's round trip while /metrics is flooded; what counting costs."""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from tests.benchmarks.control_access import round_trips
from tests.benchmarks.harness import ROOT, daemon, scratch
from tests.benchmarks.probe import BenchmarkError
from tests.benchmarks.report import Report, Row, median, run
from tests.unit.domain.driving import Driver, agent, one_wave
from waved.reactor.observing import gauges
from waved.telemetry.counts import Counts
from waved.telemetry.exposition import render

KINDS = ("scrapes", "silence", "headers")
"""Scrapes without an end; connections that say half a request and stay; headers of a megabyte."""
SCRAPED_FACTOR = 1.5
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: waved\r\n\r\n"


def flood_metrics(kind: str, path: str) -> None:
    """Does not return."""
    print("ready", flush=True)
    held: list[socket.socket] = []
    while True:
        with contextlib.suppress(OSError):
            client = socket.socket(socket.AF_UNIX)
            client.connect(path)
            if kind == "silence":
                client.sendall(REQUEST[:10])
                held = [*held[-200:], client]
                continue
            with client:
                client.sendall(REQUEST if kind == "scrapes" else REQUEST[:-2] + b"X: " + b"a" * 1_000_000)
                while client.recv(65536):
                    pass


@contextmanager
def flood(kind: str, path: Path) -> Iterator[None]:
    """Somebody floods the endpoint meanwhile."""
    command = [sys.executable, "-m", "tests.benchmarks.watched", "--flood", kind, str(path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise BenchmarkError(f"the flood of {kind} did not begin")
        time.sleep(0.3)
        yield
    finally:
        process.kill()
        process.communicate()


def _floods(report: Report, options: argparse.Namespace) -> None:
    with scratch() as folder:
        place = folder / "metrics.sock"
        (folder / "waved.toml").write_text(f'metrics.listen = "{place}"\n')
        os.environ["WAVED_CONFIG"] = str(folder / "waved.toml")
        try:
            with daemon() as running:
                for kind in KINDS:
                    quiet = round_trips(running.client, options.requests)
                    with flood(kind, place):
                        loud = round_trips(running.client, options.requests)
                    setting = f"while /metrics is flooded: {kind}"
                    report.add(Row(setting, "quiet", "floor", median(quiet), "ms"))
                    limit = round(SCRAPED_FACTOR * median(quiet), 3)
                    tail = {"p99 ms": loud[int(len(loud) * 0.99)]}
                    report.add(Row(setting, "Client.daemon_status", "ours", median(loud), "ms", tail, limit))
        finally:
            os.environ.pop("WAVED_CONFIG", None)


def _spent(action: Callable[[], object], repeat: int) -> float:
    """Median milliseconds of processor time."""
    found = []
    for _ in range(repeat):
        before = time.process_time()
        action()
        found.append((time.process_time() - before) * 1000)
    return median(found)


def _counting(report: Report, options: argparse.Namespace) -> None:
    driver = Driver(one_wave(*(agent(f"a{number}") for number in range(options.agents))))
    counts = Counts()

    def count() -> None:
        for event in driver.log:
            counts.heed(event, driver.session)

    reactor = cast(
        Any,
        SimpleNamespace(
            sessions=SimpleNamespace(live={"s": driver.session}), started=0.0, problems=list,
            pool=SimpleNamespace(busy=1, warm=1), journal=SimpleNamespace(last_seq=1),
        ),
    )  # fmt: skip
    each = _spent(count, options.repeat) * 1000 / len(driver.log)
    report.add(Row("an event", "Counts.heed", "ours", each, "µs", limit=10.0))
    setting = f"a scrape, {options.agents} agents in a session"
    reading = _spent(lambda: counts.reading(gauges(reactor)), options.repeat)
    report.add(Row(setting, "in the reactor", "ours", reading, "ms", limit=10.0))
    made = counts.reading(gauges(reactor))
    report.add(Row(setting, "in the endpoint's thread", "ours", _spent(lambda: render(made), options.repeat), "ms"))


def measure(report: Report, options: argparse.Namespace) -> None:
    """Each flood beside the quiet of the same moment; then counting alone."""
    _floods(report, options)
    _counting(report, options)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--flood"]:
        flood_metrics(sys.argv[2], sys.argv[3])
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--requests", type=int, default=500)
    options.add_argument("--repeat", type=int, default=11)
    options.add_argument("--agents", type=int, default=10_000)
    sys.exit(run("watched", measure, options))
