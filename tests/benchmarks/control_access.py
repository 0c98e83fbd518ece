"""An honest client: its round trip while another one floods; and what CURVE over TCP costs beside ipc."""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.control_roundtrip import milliseconds
from tests.benchmarks.harness import ROOT, Daemon, daemon, scratch
from tests.benchmarks.probe import BenchmarkError
from tests.benchmarks.report import Report, Row, median, run
from tests.flooding import KINDS
from wavectl import Client
from waved.ipc.keys import new_pair, write_pair

FLOOD_FACTOR = 2.0
CURVE_FACTOR = 3.0
PAUSE = 0.001
"""Seconds between two honest questions: who asks now and then, not who floods."""
MANY = frozenset({"polls", "connections"})
"""Floods on many connections at once, for which nothing was promised."""


@contextmanager
def flood(kind: str, endpoint: str) -> Iterator[None]:
    """A client that floods the daemon meanwhile."""
    command = [sys.executable, "-m", "tests.flooding", kind, endpoint.removeprefix("ipc://")]
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


def round_trips(client: Client, requests: int) -> list[float]:
    """Milliseconds of each question, shortest first."""
    spent = []
    for _ in range(requests):
        begin = time.perf_counter()
        client.daemon_status()
        spent.append((time.perf_counter() - begin) * 1000)
        time.sleep(PAUSE)
    return sorted(spent)


def _floods(report: Report, options: argparse.Namespace) -> None:
    with daemon() as running:
        for kind in KINDS:
            quiet = round_trips(running.client, options.requests)
            with flood(kind, running.client.endpoint):
                loud = round_trips(running.client, options.requests)
            setting = f"while another floods: {kind}"
            tail = {"p99 ms": quiet[int(len(quiet) * 0.99)]}
            report.add(Row(setting, "quiet", "floor", median(quiet), "ms", tail))
            limit = None if kind in MANY else round(FLOOD_FACTOR * median(quiet), 3)
            tail = {"p99 ms": loud[int(len(loud) * 0.99)]}
            report.add(Row(setting, "Client.daemon_status", "ours", median(loud), "ms", tail, limit))


def _curve(report: Report, options: argparse.Namespace) -> None:
    with scratch() as folder:
        with socket.socket() as probing:
            probing.bind(("127.0.0.1", 0))
            address = f"tcp://127.0.0.1:{probing.getsockname()[1]}"
        config = folder / "waved.toml"
        config.write_text(f'listen = "{address}"\n')
        os.environ["WAVED_CONFIG"] = str(config)
        os.environ["WAVED_CLIENT_KEY"] = str(folder / "client.key")
        try:
            with daemon() as running:
                _compare(report, options, running, address)
        finally:
            for name in ("WAVED_CONFIG", "WAVED_CLIENT_KEY", "WAVED_SERVER_KEY"):
                os.environ.pop(name, None)


def _compare(report: Report, options: argparse.Namespace, running: Daemon, address: str) -> None:
    pair = new_pair()
    write_pair(Path(os.environ["WAVED_CLIENT_KEY"]), pair)
    running.client.request("keys.authorize", {"key": pair.public, "role": "view", "name": "benchmark"})
    os.environ["WAVED_SERVER_KEY"] = running.client.request("keys.server")["key"]
    running.ended(running.deploy([{"name": "a", "command": "true"}]))
    with Client(address) as remote:
        local = round_trips(running.client, options.requests)
        far = round_trips(remote, options.requests)
    report.add(Row("round trip", "ipc", "floor", median(local), "ms", {"p99 ms": local[int(len(local) * 0.99)]}))
    limit = round(CURVE_FACTOR * median(local), 3)
    tail = {"p99 ms": far[int(len(far) * 0.99)]}
    report.add(Row("round trip", "CURVE over loopback", "ours", median(far), "ms", tail, limit))

    environ = {**running.environ, **{name: os.environ[name] for name in ("WAVED_CLIENT_KEY", "WAVED_SERVER_KEY")}}
    near_by, elsewhere = running.wavectl("status"), running.wavectl("--host", address, "status")
    pairs = [(milliseconds(near_by, environ), milliseconds(elsewhere, environ)) for _ in range(options.repeat)]
    near, ours = (median(column) for column in zip(*pairs, strict=True))
    report.add(Row("whole process", "wavectl status", "floor", near, "ms"))
    limit = round(CURVE_FACTOR * near, 1)
    report.add(Row("whole process", "wavectl --host … status", "ours", ours, "ms", limit=limit))


def measure(report: Report, options: argparse.Namespace) -> None:
    """Each flood beside the quiet of the same moment; then ipc and TCP in turn."""
    _floods(report, options)
    _curve(report, options)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--requests", type=int, default=500)
    options.add_argument("--repeat", type=int, default=11)
    sys.exit(run("access", measure, options))
