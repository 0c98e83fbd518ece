"""An emergency from end to end: a real daemon, an agent with children that writes a corrupt line, and a bystander.

When the tree stands still is not taken from waved's word but from the tree: each of its processes notes the time again
and again, and what is noted last is when it was stopped. When the file is back is the time of its inode.
"""

from __future__ import annotations

import argparse
import os
import struct
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import daemon
from tests.benchmarks.probe import BenchmarkError
from tests.benchmarks.report import Report, Row, median

FROZEN_LIMIT = 100.0
"""Milliseconds from the write to the last of the tree's processes standing still."""
RESTORED_LIMIT = 500.0
"""Milliseconds from the write to the file being good again."""
SPAN = 2.0
"""Seconds an attempt works before it writes: the snapshot taken as its run before ended is over by then."""
BEAT = 0.0005
"""Seconds between two notes of a process."""
BAD = "const const\n"
_TIME = struct.Struct("d")


def emergencies(report: Report, options: argparse.Namespace, workspace: Path, files: int, good: str) -> None:
    """As many attempts as repetitions, each of which corrupts another file, and one that ends well."""
    targets = [f"package0/module{number}.py" for number in range(options.repeat)]
    with daemon() as running:
        notes = running.state.parent / "notes"
        notes.mkdir()
        accepted = running.client.request("session.submit", _submission(workspace, notes, targets))
        view = running.ended(accepted["session"], 60.0 + 10.0 * options.repeat)
    frozen, restored = [], []
    for attempt, target in enumerate(targets, start=1):
        wrote = _note(notes / f"{attempt}.wrote")
        last = max(_note(beat) for beat in notes.glob(f"{attempt}.beat.*"))
        if (workspace / target).read_text() != good:
            raise BenchmarkError(f"{target} was not restored")
        frozen.append((last - wrote) * 1000)
        restored.append(((workspace / target).stat().st_ctime - wrote) * 1000)
    keeping = [kept["seconds"] * 1000 for kept in view["snapshots"] if kept["reaction"]]
    setting = f"from an agent's write of a corrupt line, {files} files"
    report.add(
        Row(f"{setting}: its tree of three stands still", "waved", "ours", median(frozen), "ms",
            {"slowest ms": max(frozen)}, FROZEN_LIMIT),
        Row(f"{setting}: the file is good again", "waved", "ours", median(restored), "ms",
            {"slowest ms": max(restored), "of that the snapshot ms": median(keeping)}, RESTORED_LIMIT),
        Row(f"meanwhile, the longest pause of an agent not concerned, {files} files", "waved", "ours",
            _note(notes / "bystander") * 1000, "ms", {"reactions": len(view["reactions"])}),
    )  # fmt: skip


def _submission(workspace: Path, notes: Path, targets: list[str]) -> dict[str, Any]:
    program = [sys.executable, "-m", "tests.benchmarks.emergency", str(workspace), str(notes)]
    monitor = {
        "kind": "corruption", "paths": ["**/*.py"], "patterns": ["const const"], "parse": False,
        "reactions": [{"do": ["rollback-file", "restart-agent"], "times": len(targets) + 1}],
    }  # fmt: skip
    agents = [
        {"name": "breaks", "command": [*program, *targets], "owns": ["package0/**"]},
        {"name": "bystander", "command": program, "owns": ["package1/**"]},
    ]
    plan = {
        "session": {"name": "emergency", "stop_grace": 1.0, "leftover_grace": 0.2},
        "monitor": [monitor], "wave": [{"name": "w", "agent": agents}],
    }  # fmt: skip
    base = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    base["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    return {"plan": plan, "workspace": str(workspace), "environment": {"base": base}}


# --- the agents ---------------------------------------------------------------------------------------------------


def agent(workspace: Path, notes: Path, targets: list[str]) -> None:
    """What both agents run: one that has files to break, and the bystander, who has none."""
    attempt = int(os.environ["WAVED_ATTEMPT"])
    if not targets:
        _stand_by(notes)
    elif attempt > len(targets):
        (notes / "over").touch()
    else:
        _corrupt(workspace / targets[attempt - 1], notes, str(attempt))


def _corrupt(target: Path, notes: Path, attempt: str) -> None:
    for _ in range(2):
        if os.fork() == 0:
            _beat(notes / f"{attempt}.beat.{os.getpid()}")
    time.sleep(SPAN)
    _write(notes / f"{attempt}.wrote", time.time())
    target.write_text(BAD)
    _beat(notes / f"{attempt}.beat.{os.getpid()}")


def _beat(path: Path) -> None:
    """For ever, until it is ended."""
    with path.open("wb", buffering=0) as file:
        while True:
            os.pwrite(file.fileno(), _TIME.pack(time.time()), 0)
            time.sleep(BEAT)


def _stand_by(notes: Path) -> None:
    longest, before = 0.0, time.monotonic()
    while not (notes / "over").exists():
        time.sleep(BEAT)
        now = time.monotonic()
        longest, before = max(longest, now - before), now
    _write(notes / "bystander", longest)


def _write(path: Path, value: float) -> None:
    path.write_bytes(_TIME.pack(value))


def _note(path: Path) -> float:
    found: float = _TIME.unpack(path.read_bytes())[0]
    return found


if __name__ == "__main__":
    agent(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
