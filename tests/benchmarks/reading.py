"""Reading what agents print: what it costs the agent, the worker and the daemon, beside plain capture.

The log is made of the recorded lines of a real program (`tests/fixtures/agents/claude-edit`) with the contents of this
repository's own files as results of its tools, as a session that reads a repository through prints it. The floor is
the same program as a plain command, whose output is captured and not read. A figure is the agent's own time, from its
exec to its end: what it waits for whoever reads is in it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.harness import ROOT, Daemon, daemon, scratch
from tests.benchmarks.probe import BenchmarkError
from tests.benchmarks.report import Report, Row, run

MEGABYTE = 1_000_000
MOST_ADDED = 1.05
"""The agent's time with reading, as a multiple of that without."""
MOST_OF_A_CORE = 0.10
"""Processor time of the daemon, as a share of one core, while all agents print."""
RECORDING = ROOT / "tests/fixtures/agents/claude-edit/stdout"
PACED = """\
#!{python}
import sys, time
rounds = [part.split("\\n") for part in open({log!r}).read().split("\\n\\n")]
until = time.time() + {seconds}
while time.time() < until:
    for lines in rounds:
        for line in lines:
            sys.stdout.write(line + "\\n")
            sys.stdout.flush()
            time.sleep({pause})
        if time.time() >= until:
            break
sys.stdout.write({last!r} + "\\n")
"""


class Recorded:
    """The lines of the recording, by what they are."""

    def __init__(self) -> None:
        lines = RECORDING.read_text(encoding="utf-8").splitlines()
        self.first, self.last = lines[0], lines[-1]
        made = [json.loads(line) for line in lines]
        said = [each for each in made if each["type"] == "assistant"]
        self.said = next(each for each in said if each["message"]["content"][0]["type"] == "text")
        self.called = next(each for each in said if each["message"]["content"][0].get("name") == "Read")
        self.result = next(each for each in made if each["type"] == "user")
        self.thought = next(line for line in lines if '"thinking_tokens"' in line)

    def round(self, number: int, path: str, content: str) -> list[str]:
        """One call to the model and what its tool gave: the file, as the model sees it and as the program keeps it."""
        message, call = f"msg_{number:08d}", f"toolu_{number:08d}"
        said, called, result = (json.loads(json.dumps(each)) for each in (self.said, self.called, self.result))
        said["message"]["id"] = called["message"]["id"] = message
        said["message"]["content"][0]["text"] = f"I will look at {path} to see how it is done there, and what uses it."
        called["message"]["content"][0] |= {"id": call, "input": {"file_path": f"/home/dev/repository/{path}"}}
        numbered = "\n".join(f"{place}\t{line}" for place, line in enumerate(content.splitlines(), 1))
        result["message"]["content"][0] |= {"tool_use_id": call, "content": numbered}
        result["tool_use_result"]["file"] |= {"filePath": f"/home/dev/repository/{path}", "content": content}
        for meta in result.get("tool_result_meta", ()):
            meta["id"] = call
        compact = [json.dumps(each, separators=(",", ":"), ensure_ascii=False) for each in (said, called, result)]
        return [self.thought, *compact]


def files_of_repository() -> Iterator[tuple[str, str]]:
    """This repository's files, again and again."""
    found = sorted(path for folder in ("waved", "wavectl", "tests", "docs") for path in (ROOT / folder).rglob("*.*"))
    texts = [(str(path.relative_to(ROOT)), path) for path in found if path.suffix in (".py", ".md", ".toml")]
    return itertools.cycle([(name, path.read_text(encoding="utf-8")) for name, path in texts])


def write_log(target: Path, size: int, *, short: bool = False) -> dict[str, Any]:
    """A log of about that many bytes, and what it is made of. `short`: no result is longer than 500 characters."""
    recorded, lengths, written = Recorded(), [], 0
    files = files_of_repository()
    with target.open("w", encoding="utf-8") as log:
        log.write(recorded.first + "\n")
        for number in itertools.count():
            path, content = next(files)
            for line in recorded.round(number, path, content[:500] if short else content):
                written += log.write(line + "\n")
                lengths.append(len(line))
            if written >= size:
                break
        log.write(recorded.last + "\n")
    return {
        "lines": len(lengths),
        "median line": f"{statistics.median(lengths):.0f} B",
        "bytes in lines over 8 KB": f"{sum(each for each in lengths if each > 8192) / sum(lengths):.0%}",
    }


@contextmanager
def claude_on_path(folder: Path, script: str) -> Iterator[Path]:
    """A program named claude on PATH, for as long as this lasts."""
    program = folder / "bin" / "claude"
    program.parent.mkdir()
    program.write_text(script)
    program.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{program.parent}:{before}"
    try:
        yield program
    finally:
        os.environ["PATH"] = before


def _cpu(running: Daemon) -> tuple[float, float]:
    """Processor time of the daemon, and of its zygote and workers (without the agents'); seconds."""
    own = psutil.Process(running.process.pid).cpu_times()
    workers = 0.0
    for process in running.family():
        with suppress(psutil.Error):
            if process.name() not in ("cat", "claude", "sh"):
                times = process.cpu_times()
                workers += times.user + times.system
    return own.user + own.system, workers


def one(running: Daemon, agent: dict[str, Any], size: int) -> tuple[float, dict[str, Any]]:
    """One agent prints the log as fast as it is taken from it."""
    before = _cpu(running)[1]
    session = running.deploy([{"name": "a", **agent}])
    view = running.ended(session)
    workers = _cpu(running)[1] - before
    (ran,) = view["waves"][0]["assignments"][0]["runs"]
    if ran["output_bytes"] != size:
        raise BenchmarkError(f"{ran['output_bytes']} of {size} bytes were captured")
    (over,) = running.events(session, "run.ended")
    if problem := over["data"].get("acted", {}).get("problem"):
        raise BenchmarkError(problem)
    seconds = ran["ended"] - ran["started"]
    more = {"MB/s": size / MEGABYTE / seconds, "worker CPU s": workers, "known after s": over["time"] - ran["ended"]}
    return seconds, more


def _alone(report: Report, setting: str, size: int, repeat: int, *, short: bool) -> None:
    """Both in turns on one daemon, each going first as often. What counts is the median of how the two of a pair
    differ: they saw the same machine, whatever else that did.
    """
    with scratch() as folder, daemon() as running:
        log = folder / "log"
        made = write_log(log, size, short=short)
        found: dict[bool, list[tuple[float, dict[str, Any]]]] = {False: [], True: []}
        with claude_on_path(folder, f'#!/bin/sh\nexec cat "{log}"\n') as program:
            ways: list[tuple[bool, dict[str, Any]]] = [
                (False, {"command": [str(program)]}),
                (True, {"use": "claude", "prompt": "x"}),
            ]
            for _ in range(repeat):
                for read, agent in ways:
                    found[read].append(one(running, agent, log.stat().st_size))
                ways.reverse()
    floor, more = _median(found[False])
    report.add(Row(setting, "capture alone", "floor", floor, "s", {**more, **made}))
    ratios = sorted(read[0] / alone[0] for alone, read in zip(found[False], found[True], strict=True))
    seconds, more = _median(found[True])
    times = statistics.median(ratios)
    more["pairs, ×"] = f"{times:.2f} ({ratios[repeat // 4]:.2f} to {ratios[-1 - repeat // 4]:.2f})"
    limit = None if short else round(floor * MOST_ADDED, 3)
    report.add(
        Row(
            setting,
            "waved, reading",
            "ours",
            floor * times,
            "s",
            {"median s": seconds, **more},
            limit,
        )
    )


def _median(found: list[tuple[float, dict[str, Any]]]) -> tuple[float, dict[str, Any]]:
    """The run in the middle."""
    return sorted(found, key=lambda each: each[0])[len(found) // 2]


def _together(report: Report, count: int, seconds: float, pause: float) -> None:
    """Many agents that print a line each `pause` seconds."""
    recorded, files = Recorded(), files_of_repository()
    with scratch() as folder, daemon() as running:
        log = folder / "rounds"
        rounds = ["\n".join(recorded.round(number, *next(files))) for number in range(200)]
        log.write_text("\n\n".join(rounds))
        script = PACED.format(python=sys.executable, log=str(log), seconds=seconds + 6, pause=pause, last=recorded.last)
        with claude_on_path(folder, script):
            session = running.deploy([{"name": f"a{n}", "use": "claude", "prompt": "x"} for n in range(count)])
            while running.client.status(session)["agents"]["running"] < count:
                time.sleep(0.2)
            time.sleep(2)  # until their first reports are told
            before, begun = _cpu(running), time.monotonic()
            time.sleep(seconds)
            after, took = _cpu(running), time.monotonic() - begun
            running.ended(session, 300)
            told = len(running.events(session, "run.acted"))
    row = Row(
        f"{count} agents, a line each {pause:g} s", "waved, reading", "ours", (after[0] - before[0]) / took, "core"
    )
    row.limit = MOST_OF_A_CORE
    row.more = {"workers, cores": (after[1] - before[1]) / took, "reports": told}
    report.add(row)


def measure(report: Report, options: argparse.Namespace) -> None:
    """A realistic log, the worst that can be (short lines only), and many agents at once."""
    size = options.megabytes * MEGABYTE
    _alone(report, f"{options.megabytes} MB of a session", size, options.repeat, short=False)
    _alone(report, f"{options.megabytes // 4} MB of short lines", size // 4, options.repeat, short=True)
    _together(report, options.agents, options.seconds, options.pause)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--megabytes", type=int, default=200, metavar="MB", help="size of the log")
    options.add_argument("--agents", type=int, default=64, metavar="N")
    options.add_argument("--seconds", type=float, default=10.0, help="for how long many agents are looked at")
    options.add_argument("--pause", type=float, default=0.1, help="seconds between two lines of each of them")
    options.add_argument("--repeat", type=int, default=12, help="pairs of runs")
    sys.exit(run("reading", measure, options))
