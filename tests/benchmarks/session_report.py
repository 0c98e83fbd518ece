"""The report of a large session: 200 agents, 100,000 events. From the question to the page, and how large the page is.

The journal is made: the pure core driven with made-up facts. "asked" is the reporter as the daemon runs it, a process
of its own that reads the journal, folds it, and renders; "written" is all three forms at a session's end. Then what the
parts take, within this process. `--keep FILE` keeps the page, to be looked at.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.harness import scratch
from tests.benchmarks.report import Report, Row, median, run
from tests.made_session import MadeSession, plan_of_many
from waved.domain import events as ev
from waved.journal.store import Journal
from waved.reactor import beside
from waved.report import html, markdown
from waved.report.asking import PROGRAM, Answer, Request
from waved.report.build import Told, build
from waved.report.given import Changes, FileChange, Given

SECONDS, BYTES = 2.0, 1024.0
"""What was promised: seconds, and KB of the page."""


def changes_of(files: int) -> Changes:
    """What such a session might have changed."""
    found = tuple(FileChange(f"src/area-{i % 20}/file-{i}.ts", "modified", 40 + i % 90, i % 30) for i in range(files))
    lines = "\n".join(f"+  const price{i} = cart.items.reduce((sum, item) => sum + item.price, 0);" for i in range(40))
    diff = "\n".join(
        f"diff --git a/{each.path} b/{each.path}\n--- a/{each.path}\n+++ b/{each.path}\n@@ -1,4 +1,44 @@\n{lines}"
        for each in found
    )
    return Changes("", "s1", "the end of the session", found, diff[:400_000], truncated=True)


def padded(events: list[ev.Event], count: int) -> list[ev.Event]:
    """As many events: what agents are at is told that much more often."""
    acts = sum(1 for event in events if isinstance(event, ev.RunActed))
    more = max(0, count - len(events))
    found: list[ev.Event] = []
    for event in events:
        found.append(event)
        if isinstance(event, ev.RunActed):
            share = more // acts
            found += [replace(event, detail=f"step {number}") for number in range(share)]
            more, acts = more - share, acts - 1
    for number, event in enumerate(found, 1):
        event.seq = number
    return found


class Made(NamedTuple):
    """One report: seconds until it was there, seconds of processor time, and what the reporter said."""

    seconds: float
    processor: float
    answer: Answer


def asked(request: Request) -> Made:
    """Have the reporter make a report."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = beside.start(PROGRAM, given=True)
    said, complained = process.communicate(request.packed(), timeout=120)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, PROGRAM, said, complained)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Made(time.perf_counter() - began, used, Answer.unpacked(said))


def _row(setting: str, name: str, found: list[Made], limit: float | None) -> Row:
    more = {"processor time": round(median([each.processor for each in found]), 2)}
    return Row(setting, name, "ours", median([each.seconds for each in found]), "s", more, limit)


def measure(report: Report, options: argparse.Namespace) -> None:
    """The benchmark."""
    made = MadeSession(plan_of_many(options.agents, 5))
    made.events = padded(made.events, options.events)
    setting = f"{options.agents} agents, {len(made.events):,} events"
    with scratch() as folder:
        journal = Journal(folder / "journal.sqlite")
        for start in range(0, len(made.events), 5_000):
            journal.append(made.events[start : start + 5_000])
        journal.close()
        until, now = len(made.events), made.events[-1].time
        request = Request(
            str(folder / "journal.sqlite"), made.session.id, until, now, str(folder / "session"), "html", {},
            changes_of(400),
        )  # fmt: skip
        found = [asked(request) for _ in range(options.rounds)]
        page: str = found[-1].answer.content
        report.add(_row(setting, "asked for the page", found, SECONDS))
        write = Request(**{**_fields(request), "form": ""})
        report.add(_row(setting, "all forms written at the end", [asked(write) for _ in range(options.rounds)], None))
    report.add(Row(setting, "size of the page", "ours", len(page.encode()) / 1024, "KB", limit=BYTES))
    if options.keep:
        options.keep.write_text(page, encoding="utf-8")
    for name, seconds in _parts(made, now):
        report.add(Row(setting, name, "ours", seconds, "s"))


def _fields(request: Request) -> dict[str, Any]:
    return {name: getattr(request, name) for name in Request.__slots__}


def _parts(made: MadeSession, now: float) -> list[tuple[str, float]]:
    """Processor time of folding, building and rendering."""
    marks = [time.process_time()]
    told = Told(made.events)
    marks.append(time.process_time())
    values = build(told, now, Given(changes=changes_of(400), waved="0")).as_dict()
    marks.append(time.process_time())
    html.render(values)
    marks.append(time.process_time())
    markdown.render(values)
    marks.append(time.process_time())
    names = ("folding", "building the model", "rendering HTML", "rendering Markdown")
    return [(name, after - before) for name, before, after in zip(names, marks, marks[1:], strict=False)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep the page")
    sys.exit(run("session_report", measure, parser))
