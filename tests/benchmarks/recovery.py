"""After a crash: seconds from the start of a new daemon to full control, with agents running and with a long journal.

"agents": N sleeping agents, `kill -9` of the daemon; control is back when every agent is shown as running and a stop of
one of them has been accepted, which the new daemon can only do through the agent's own worker. "journal": a million
events in sessions that have ended, and in a single session that goes on; until a list shows how it is. The latter
three times: all events folded, for want of an image; from a new image; from the oldest there can be, right before the
next is due. Beside it, what an image costs: the longest that a request waited while one was made, and the processor
time of the process that makes it.
"list": the answer to `session.list` with ten thousand sessions that have ended.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import resource
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.harness import scratch
from tests.benchmarks.probe import BenchmarkError
from tests.benchmarks.report import Report, Row, median, run
from tests.live import Daemon, agent_of, assignments, plan_of, wait_for, wave_of
from waved.domain import events as ev
from waved.domain.decide import decide
from waved.domain.fold import begin, fold
from waved.domain.state import Session
from waved.domain.view import summary
from waved.journal.images import Image
from waved.journal.store import Journal
from waved.plan.models import Plan
from waved.reactor.imager import PROGRAM
from waved.reactor.imaging import AT_LEAST, SHARE

CONTROL_LIMIT = 1.0
"""Seconds, with 64 agents."""
JOURNAL_LIMIT = 5.0
"""Seconds, with a million events."""
PAUSE_LIMIT = 0.05
"""Seconds that a request may wait because an image is made."""
IMAGE_PATIENCE = 60.0
"""Seconds."""
BATCH = 20_000


@contextmanager
def running(folder: Path) -> Iterator[Daemon]:
    """A daemon that is ended whatever happens."""
    daemon = Daemon(folder)
    try:
        yield daemon
    finally:
        daemon.end()


def agents(report: Report, count: int, rounds: int) -> None:
    """Back in control of `count` agents."""
    ready: list[float] = []
    right: list[float] = []
    for _ in range(rounds):
        with scratch() as folder, running(folder) as daemon:
            daemon.start()
            workspace = folder / "ws"
            workspace.mkdir()
            names = [f"a{number}" for number in range(count)]
            session = daemon.submit(
                plan_of(wave_of("w", *(agent_of(name, ["sleep", "600"]) for name in names))), workspace
            )

            def all_run(daemon: Daemon = daemon, session: str = session) -> bool:
                return all(item["state"] == "running" for item in assignments(daemon.view(session)).values())

            wait_for(all_run)
            daemon.kill()
            begun = time.monotonic()
            daemon.start()
            ready.append(time.monotonic() - begun)
            if not all_run():
                raise BenchmarkError("the new daemon shows another state than the one before")
            with daemon.client() as client:
                client.stop(session, names[-1])
            right.append(time.monotonic() - begun)
            with daemon.client() as client:
                client.stop(session)
            daemon.settled(session)
    more = {"ready": median(ready), "worst": max(right)}
    report.add(
        Row(f"{count} agents", "waved", "ours", median(right), "s", more, CONTROL_LIMIT if count <= 64 else None)
    )


def _plan(agent_count: int) -> dict[str, Any]:
    listed = [{"name": f"a{number}", "command": ["true"], "retries": 100} for number in range(agent_count)]
    return {"session": {"name": "long", "max_parallel": 64}, "wave": [{"name": "w", "agent": listed}]}


def _submitted(name: str, plan: dict[str, Any], at: float) -> ev.SessionSubmitted:
    plan = Plan.model_validate(plan).model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return ev.SessionSubmitted(name, plan, "/nowhere", time=at)


class Writer:
    """Appends events in large batches."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.batch: list[ev.Event] = []
        self.seq = journal.last_seq

    def add(self, event: ev.Event) -> None:
        """One more."""
        self.seq += 1
        event.seq = self.seq
        self.batch.append(event)
        if len(self.batch) >= BATCH:
            self.flush()

    def flush(self, shown: dict[str, Any] | None = None) -> None:
        """Write what is there."""
        if self.batch:
            self.journal.append(self.batch, shown)
            self.batch = []


def long_session(journal: Journal, count: int) -> Session:
    """One session that goes on, held, with `count` events: agents that fail again and again."""
    writer = Writer(journal)
    now = time.time() - 1e6
    first = _submitted("long-0000", _plan(max(1, count // 400)), now)
    writer.add(first)
    session = begin(first)
    going: deque[ev.Event] = deque()

    def record(event: ev.Event) -> None:
        event.time = now
        writer.add(event)
        fold(session, event)
        if isinstance(event, ev.RunStarting):
            going.append(ev.RunStarted(session.id, event.run, 7, now, command=["true"]))
        elif isinstance(event, ev.RunStarted):
            going.append(ev.RunEnded(session.id, event.run, "exited", 1, reason="exited with status 1", tail="no"))

    record(ev.ChecklistEnded(session.id, ok=True))
    while True:
        if writer.seq >= count - 300 and not session.held:
            record(ev.SessionHeld(session.id, "the benchmark's end"))
        while following := decide(session, now):
            for event in following:
                record(event)
        if going:
            now += 0.001
            record(going.popleft())
        elif session.held:
            break
        elif session.retries:
            now = max(now, heapq.nsmallest(1, session.retries)[0][0])
        else:
            raise BenchmarkError(f"the session ended after {writer.seq} events")
    writer.flush()
    return session


def ended_sessions(journal: Journal, sessions: int, each: int) -> None:
    """Sessions that have ended, with as many events each."""
    plan = {"session": {"name": "done"}, "wave": [{"name": "w", "agent": [{"name": "a", "command": ["true"]}]}]}
    writer = Writer(journal)
    now = time.time() - 1e6
    for number in range(sessions):
        name = f"done-{number:05}"
        first = _submitted(name, plan, now)
        state = begin(first)
        last = ev.SessionEnded(name, "stopped", time=now)
        for event in (first, *(ev.SessionResumed(name, "nobody", time=now) for _ in range(each - 2)), last):
            writer.add(event)
        fold(state, last)
        writer.flush({name: summary(state)} if number % 50 == 0 else None)
    writer.flush()


def ended_journal(report: Report, count: int) -> None:
    """A journal of sessions that have ended."""
    each = max(3, count // 10_000)
    with scratch() as folder, running(folder) as daemon:
        daemon.state.mkdir()
        with closing(Journal(daemon.state / "journal.sqlite")) as made:
            ended_sessions(made, count // each, each)
        start(report, daemon, "ended sessions", f"done-{count // each - 1:05}", then=lists)


def long_journal(report: Report, count: int) -> None:
    """A journal of one session that goes on."""
    name, setting = "long-0000", "one session that goes on"
    with scratch() as folder, running(folder) as daemon:
        daemon.state.mkdir()
        path = daemon.state / "journal.sqlite"
        with closing(Journal(path)) as made:
            long_session(made, count)
        if count < 2 * AT_LEAST:
            start(report, daemon, f"{setting}: all folded", name)
            report.skip("images", f"none is made of fewer than {AT_LEAST} events")
            return
        start(report, daemon, f"{setting}: all folded", name, then=while_imaged)
        start(report, daemon, f"{setting}: from a new image", name)
        with closing(Journal(path)) as made:
            made.images.forget(name)
            took = oldest_image(made, name, count)
        report.add(Row("an image of it, from nothing", "waved", "ours", took, "CPU s"))
        start(report, daemon, f"{setting}: from the oldest image", name)


def start(report: Report, daemon: Daemon, setting: str, asked: str, then: Any = None) -> None:
    """From the start of a daemon to a list that shows session `asked`, the newest."""
    begun = time.monotonic()
    daemon.start()
    with daemon.client(timeout=60) as client:
        if not any(item["session"] == asked for item in client.list(1)):
            raise BenchmarkError(f"session {asked} is not known any more")
        took = time.monotonic() - begun
        process = psutil.Process(daemon.pid)
        events = client.daemon_status()["last_seq"]
        more = {"events": events, "CPU s": sum(process.cpu_times()[:2]), "MB": process.memory_info().rss / 2**20}
        report.add(Row(setting, "waved", "ours", took, "s", more, JOURNAL_LIMIT))
        if then is not None:
            then(report, daemon, client)
        client.daemon_stop("detach")
    if daemon.process is not None:
        daemon.process.wait(60)


def lists(report: Report, _daemon: Daemon, client: Any) -> None:
    """How long a list takes, at first and again."""
    for limit in (50, 1000):
        begun = time.monotonic()
        client.list(limit)
        more = {"again": _list_time(client, limit)}
        report.add(Row(f"list of {limit}", "waved", "ours", time.monotonic() - begun, "s", more))


def while_imaged(report: Report, daemon: Daemon, client: Any) -> None:
    """The longest that a request waits until the image is made."""
    before = daemon.log.read_text().count('"image.made"')
    waited: list[float] = []
    until = time.monotonic() + IMAGE_PATIENCE
    while daemon.log.read_text().count('"image.made"') == before and time.monotonic() < until:
        begun = time.monotonic()
        client.daemon_status()
        waited.append(time.monotonic() - begun)
        time.sleep(0.002)
    if not waited or time.monotonic() >= until:
        raise BenchmarkError("no image was made")
    more = {"median": median(waited), "requests": len(waited)}
    report.add(Row("a request meanwhile", "waved", "ours", max(waited), "s", more, PAUSE_LIMIT))


def oldest_image(journal: Journal, name: str, count: int) -> float:
    """Begin with the image that is used right before the next one is due; the CPU seconds that it took."""
    seq, due = 0, AT_LEAST
    while due < count:
        seq, due = due, due + AT_LEAST + due // SHARE
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", PROGRAM, str(os.getpid()), str(journal.path), str(seq), name]
    said = subprocess.run(command, check=True, capture_output=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if not journal.images.keep(Image(**json.loads(said))):
        raise BenchmarkError("the journal does not take the image")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _list_time(client: Any, limit: int) -> float:
    begun = time.monotonic()
    client.list(limit)
    return time.monotonic() - begun


def measure(report: Report, options: argparse.Namespace) -> None:
    """All of it."""
    for count in options.agents:
        agents(report, count, options.rounds)
    ended_journal(report, options.events)
    long_journal(report, options.events)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, nargs="*", default=[64])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=1_000_000)
    sys.exit(run("recovery", measure, parser))
