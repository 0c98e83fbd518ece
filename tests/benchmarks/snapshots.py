"""Snapshots: what the first one, one with a single change, and a restore take; beside git and `cp -a`.

Peers on the same files in the same run: `git add -A` into a fresh repository (the floor of a first snapshot), `git
stash create` (the nearest that git has to a snapshot), `cp -a` (the plainest backup). Wall clock and processor time.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.harness import scratch
from tests.benchmarks.probe import BenchmarkError
from tests.benchmarks.report import Report, Row, median, run
from waved.workspace.records import SnapshotLimits
from waved.workspace.shadow import Shadow

FIRST_LIMIT = 1.5
"""Times `git add -A` into a fresh repository."""
CHANGED_LIMIT = 60.0
RESTORE_LIMIT = 50.0
LIMITS_UP_TO = 5000
"""Files up to which the two limits above were promised."""
WHO = ["-c", "user.name=b", "-c", "user.email=b@example.org", "-c", "gc.auto=0"]


def measure(report: Report, options: argparse.Namespace) -> None:
    """Each number of files in turn."""
    for files in options.files:
        with scratch() as folder:
            workspace = folder / "ws"
            _fill(workspace, files)
            _first(report, options, folder, workspace, files)
            _changes(report, options, folder, workspace, files)


def _fill(workspace: Path, files: int) -> None:
    """A repository of source-like files, 50 a folder, committed."""
    chance = random.Random(files)
    words = [f"word{number}" for number in range(500)]
    for number in range(files):
        folder = workspace / f"package{number // 1000}" / f"module{number // 50}"
        if number % 50 == 0:
            folder.mkdir(parents=True)
        lines = (" ".join(chance.choices(words, k=8)) for _ in range(chance.randrange(5, 60)))
        (folder / f"file{number}.py").write_text("\n".join(lines) + "\n")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        _quietly(["git", *WHO, *arguments], workspace)


def _first(report: Report, options: argparse.Namespace, folder: Path, workspace: Path, files: int) -> None:
    setting = f"first, {files} files"
    fresh = ["git", *WHO, f"--git-dir={folder}/fresh", f"--work-tree={workspace}"]
    floor, ours = [], []
    for _ in range(options.repeat if files <= LIMITS_UP_TO else 1):
        _quietly(["git", "init", "-q", "--bare", str(folder / "fresh")], workspace)
        floor.append(_timed(lambda: _quietly([*fresh, "add", "-A"], workspace)))
        shutil.rmtree(folder / "fresh")
        shadow = _open(folder / "once", workspace)
        ours.append(_timed(lambda taking=shadow: taking.take("first")))
        shutil.rmtree(folder / "once")
    add = _row(setting, "git add -A, fresh repository", "floor", floor)
    report.add(add)
    report.add(_row(setting, "waved", "ours", ours, limit=FIRST_LIMIT * add.value))
    if not options.no_peers:
        copies = folder / "copy"
        report.add(
            _row(setting, "cp -a", "peer", [_timed(lambda: _quietly(["cp", "-a", str(workspace), str(copies)]))])
        )
        shutil.rmtree(copies)


def _changes(report: Report, options: argparse.Namespace, folder: Path, workspace: Path, files: int) -> None:
    shadow = _open(folder / "state", workspace)
    good = shadow.take("good")
    paths = sorted(str(path.relative_to(workspace)) for path in workspace.glob("package0/module*/*.py"))
    scanned, told, nothing, restored, whole, stashed = [], [], [], [], [], []
    for turn in range(options.repeat):
        shadow.take("what the turn before restored")
        path = paths[turn % len(paths)]
        (workspace / path).write_text(f"scanned {turn}\n")
        scanned.append(_timed(lambda: _expect(shadow.take("scan").changed, 1)))
        (workspace / path).write_text(f"told {turn}\n")
        told.append(_timed(lambda changed=path: _expect(shadow.take("told", [changed]).changed, 1)))
        nothing.append(_timed(lambda: _expect(int(shadow.take("nothing").new), 0)))
        (workspace / path).write_text("const const\n")
        if not options.no_peers:
            stashed.append(_timed(lambda: _quietly(["git", *WHO, "stash", "create"], workspace)))
        restored.append(_timed(lambda changed=path: _expect(len(shadow.restore(good, [changed]).restored), 1)))
        (workspace / path).write_text("const const\n")
        whole.append(_timed(lambda: _expect(len(shadow.restore(good, None).restored), 1)))
    promised = files <= LIMITS_UP_TO
    setting = f"one file changed, {files} files"
    report.add(_row(setting, "waved, told which", "ours", told))
    report.add(_row(setting, "waved", "ours", scanned, limit=CHANGED_LIMIT if promised else None))
    if stashed:
        report.add(_row(setting, "git stash create", "peer", stashed))
    report.add(_row(f"nothing changed, {files} files", "waved", "ours", nothing))
    setting = f"restore, {files} files"
    report.add(_row(setting, "waved, one path", "ours", restored, limit=RESTORE_LIMIT if promised else None))
    report.add(_row(setting, "waved, everything", "ours", whole))
    before = shadow.size().bytes
    packing = _timed(lambda: shadow.expire())
    after = shadow.size().bytes
    sizes = {"MB before": before / 1e6, "MB after": after / 1e6}
    report.add(_row(f"packing, {files} files", "waved", "ours", [packing], sizes))


def _open(state: Path, workspace: Path) -> Shadow:
    return Shadow.open(state, workspace, SnapshotLimits(git_timeout=600))


def _row(
    setting: str,
    system: str,
    role: str,
    times: list[tuple[float, float]],
    more: dict[str, float] | None = None,
    limit: float | None = None,
) -> Row:
    figures = {"CPU ms": median([cpu for _, cpu in times]) * 1000, **(more or {})}
    return Row(setting, system, role, median([wall for wall, _ in times]) * 1000, "ms", figures, limit)


def _timed(act: Callable[[], object]) -> tuple[float, float]:
    """Wall clock and processor time, children included, in seconds."""
    before, began = os.times(), time.perf_counter()
    act()
    wall, after = time.perf_counter() - began, os.times()
    return wall, sum(after[:4]) - sum(before[:4])


def _expect(value: int, wanted: int) -> None:
    if value != wanted:
        raise BenchmarkError(f"a snapshot or restore had {value} where {wanted} was right")


def _quietly(command: list[str], cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True)
    if done.returncode != 0:
        raise BenchmarkError(f"{' '.join(command[:3])} failed: {done.stderr.decode(errors='replace')[-300:]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[2000, 100_000], help="how many files")
    parser.add_argument("--repeat", type=int, default=7, help="measurements of which the median counts")
    sys.exit(run("snapshots", measure, parser))
