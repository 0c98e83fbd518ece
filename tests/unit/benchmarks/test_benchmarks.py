"""The benchmarks cannot rot unseen: they import, their probe tells the truth, their report judges limits rightly."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.benchmarks.probe import BenchmarkError, Stamps, build_probe
from tests.benchmarks.report import Report, Row
from tests.documents import pages

NAMES = sorted({name for page in pages() for name in re.findall(r"-m tests\.benchmarks\.(\w+)", page.text)})
"""Those that the documents tell a reader to run; tests/system/test_measuring.py does, when it is asked for."""


@pytest.fixture
def stamps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stamps:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    monkeypatch.setenv("WAVED_BENCHMARK_CACHE", str(tmp_path / "cache"))
    return Stamps(tmp_path / "stamps")


@pytest.mark.parametrize("name", NAMES)
def test_benchmark_imports(name: str) -> None:
    assert importlib.import_module(f"tests.benchmarks.{name}").__doc__


def test_probe_says_when_it_was_started(stamps: Stamps) -> None:
    before = time.time_ns()
    subprocess.run(stamps.once(), check=True)
    (started,) = stamps.read()
    assert before <= started <= time.time_ns()


def test_probe_writes_exactly_what_was_asked(stamps: Stamps) -> None:
    written = subprocess.run(stamps.lines(1000), check=True, capture_output=True).stdout
    lines = written.splitlines()
    assert len(written) == 1000
    assert [int(line[:12]) for line in lines[:12]] == list(range(12))
    assert all(len(line) == 79 for line in lines[:12])


def test_sleeping_probes_are_ended(stamps: Stamps) -> None:
    process = subprocess.Popen(stamps.sleeping())
    stamps.wait(1)
    stamps.end_all()
    assert process.wait(10) == -9


def test_missing_starts_are_an_error(stamps: Stamps) -> None:
    with pytest.raises(BenchmarkError, match="0 of 2 programs"):
        stamps.wait(2, seconds=0.05)


def test_no_compiler_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVED_BENCHMARK_CACHE", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(BenchmarkError, match="C compiler"):
        build_probe()


def test_report_compares_with_the_floor_of_the_same_setting() -> None:
    report = Report("x")
    report.add(Row("a", "loop", "floor", 10.0, "ms"), Row("b", "loop", "floor", 100.0, "ms"))
    report.add(Row("a", "waved", "ours", 15.0, "ms", limit=14.0), Row("b", "waved", "ours", 120.0, "ms", limit=150.0))
    ratios = [row["ratio"] for row in json.loads(report.as_json())["rows"]]
    assert ratios == [None, None, 1.5, 1.2]
    table = report.as_markdown()
    assert "14 MISSED" in table
    assert "150 ok" in table
