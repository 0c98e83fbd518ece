"""The README's first command: the demo plan on a clone of this project, with real programs as agents."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
WAVECTL = [str(Path(sys.executable).with_name("wavectl"))]
REQUIRES = {
    "api-writer/api-core": {"surveyor"},
    "api-writer/api-daemon": {"surveyor"},
    "api-writer/api-client": {"surveyor"},
    "api-writer/api-index": {"api-writer/api-core", "api-writer/api-daemon", "api-writer/api-client"},
    "measurer/sizes": {"surveyor"},
    "measurer/complexity": {"surveyor"},
    "measurer/quality-report": {"measurer", "measurer/sizes", "measurer/complexity"},
    "publisher/handbook": {"api-writer/api-index", "measurer/quality-report", "publisher"},
}


class Demo:
    """The demo, run once for all tests of this module."""

    def __init__(self, folder: Path) -> None:
        self.clone = folder / "demo-workspace"
        self.environ = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "WAVED_STATE_DIR": str(folder / "state"),
            "WAVED_RUNTIME_DIR": str(folder / "run"),
        }
        self.git("clone", "-q", str(ROOT), str(self.clone), cwd=ROOT)
        self.run = self.wavectl("run", "docs/examples/demo.toml", "--plain")

    def git(self, *words: str, cwd: Path | None = None) -> str:
        return subprocess.run(["git", *words], cwd=cwd or self.clone, check=True, capture_output=True, text=True).stdout

    def wavectl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*WAVECTL, *words],
            cwd=self.clone,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def events(self, kind: str) -> list[dict[str, Any]]:
        lines = self.wavectl("events", "--json").stdout.splitlines()
        return [event for event in map(json.loads, lines) if event["kind"] == kind]

    def view(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.wavectl("status", "--json").stdout)
        return found


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    if not (ROOT / ".git").exists():
        pytest.skip("the demo clones the repository, and this is none")
    folder = Path(tempfile.mkdtemp(prefix="wd-"))  # short: a socket's path has 107 bytes
    running = Demo(folder)
    try:
        yield running
    finally:
        running.wavectl("daemon", "stop", "--sessions", "stop")
        shutil.rmtree(folder)


def test_it_succeeds_and_says_so(demo: Demo) -> None:
    assert demo.run.returncode == 0, demo.run.stdout + demo.run.stderr
    view = demo.view()
    assert (view["state"], view["outcome"]) == ("ended", "succeeded")
    assert [(wave["name"], wave["outcome"]) for wave in view["waves"]] == [
        ("research", "passed"), ("execution", "passed"), ("quality", "passed"),
    ]  # fmt: skip
    assert "succeeded" in demo.run.stdout


def test_dependents_start_after_what_they_require_and_only_then(demo: Demo) -> None:
    assignment = {event["data"]["run"]: event["data"]["assignment"] for event in demo.events("run.starting")}
    started = {assignment[event["data"]["run"]]: event["data"]["exec_time"] for event in demo.events("run.started")}
    ended = {assignment[event["data"]["run"]]: event["data"]["end_time"] for event in demo.events("run.ended")}
    for dependent, required in REQUIRES.items():
        assert started[dependent] >= max(ended[key] for key in required), dependent


def test_the_first_wave_started_together(demo: Demo) -> None:
    research = demo.view()["waves"][0]
    assert len(research["assignments"]) == 3
    assert research["skew"] is not None
    assert 0 <= research["skew"] < 0.5  # a wide net: this machine may be busy; tests/benchmarks measures the promise


def test_the_gate_counted_real_tests(demo: Demo) -> None:
    checks = {check["name"]: check for check in demo.view()["waves"][2]["gate"]["checks"]}
    for name in ("figures", "links"):
        assert checks[name]["tests"]["passed"] == checks[name]["tests"]["total"] > 10


def test_the_documents_are_there_and_the_index_is_untouched(demo: Demo) -> None:
    handbook = (demo.clone / "docs" / "session" / "handbook.md").read_text()
    assert "api/index.md" in handbook
    assert "quality/report.md" in handbook
    assert demo.git("diff", "--name-only").split() == ["README.md"]
    assert demo.git("diff", "--cached", "--name-only") == ""


def test_what_agents_printed_was_kept(demo: Demo) -> None:
    logs = demo.wavectl("logs", "--raw", "demo", "surveyor").stdout
    assert "inventory: wrote docs/session/survey/inventory.json" in logs
