"""Control round trip: a question to the daemon and its answer, in the client and as the whole `wavectl status`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from tests.benchmarks import peers
from tests.benchmarks.harness import daemon, scratch
from tests.benchmarks.probe import BenchmarkError, Stamps
from tests.benchmarks.report import Report, Row, median, run

ROUND_TRIP_LIMIT = 1.0
STATUS_FACTOR = 2.0
FLOOR = [sys.executable, "-c", "import click, zmq, msgpack"]


def milliseconds(command: Sequence[str], environ: Mapping[str, str] | None = None) -> float:
    """How long a whole process takes; raises BenchmarkError when it fails."""
    begin = time.perf_counter()
    done = subprocess.run(command, env=environ, check=False, capture_output=True, text=True)
    spent = (time.perf_counter() - begin) * 1000
    if done.returncode != 0:
        raise BenchmarkError(f"{' '.join(command[:3])}: {done.stderr.strip()[-300:]}")
    return spent


def measure(report: Report, options: argparse.Namespace) -> None:
    """The client's round trip, then whole processes in turn so that both see the same machine."""
    with daemon() as running, scratch() as folder:
        session = running.deploy([{"name": "a", "command": Stamps(folder / "stamps").once()}])
        running.ended(session)
        spent = []
        for _ in range(options.requests):
            begin = time.perf_counter()
            running.client.daemon_status()
            spent.append((time.perf_counter() - begin) * 1000)
        spent.sort()
        tail = {"p99 ms": spent[int(len(spent) * 0.99)]}
        report.add(Row("round trip", "Client.daemon_status", "ours", median(spent), "ms", tail, ROUND_TRIP_LIMIT))

        status = running.wavectl("status")
        pairs = [(milliseconds(FLOOR), milliseconds(status, running.environ)) for _ in range(options.repeat)]
    floor, ours = (median(column) for column in zip(*pairs, strict=True))
    report.add(Row("whole process", "import click, zmq, msgpack", "floor", floor, "ms"))
    report.add(Row("whole process", "wavectl status", "ours", ours, "ms", limit=round(floor * STATUS_FACTOR, 1)))
    if not options.no_peers:
        try:
            _supervisorctl(report, options.repeat)
        except BenchmarkError as error:
            report.skip("supervisorctl status", str(error))


def _supervisorctl(report: Report, repeat: int) -> None:
    with scratch() as folder, peers.supervisord(folder, [["true"]]) as peer:
        command = [*peer.ctl()[:-2], "avail"]  # `status` would exit 3: the program is stopped
        whole = median([milliseconds(command) for _ in range(repeat)])
        report.add(Row("whole process", "supervisorctl avail", "peer", whole, "ms"))
        spent = []
        for _ in range(200):
            begin = time.perf_counter()
            peer.rpc.getState()
            spent.append((time.perf_counter() - begin) * 1000)
        report.add(Row("round trip", "supervisord getState", "peer", median(spent), "ms"))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--requests", type=int, default=2000)
    options.add_argument("--repeat", type=int, default=21)
    sys.exit(run("control round trip", measure, options))
