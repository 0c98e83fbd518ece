"""The README's first command: the demo plan on a clone of this project, with real programs as agents."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.integration.guarded import git, kinds, user_state
from tests.live import processes_of, wait_for

ROOT = Path(__file__).resolve().parents[2]
WAVECTL = [str(Path(sys.executable).with_name("wavectl"))]
PAGES = "docs/examples/demo/client/pages.js"
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
        git(ROOT, "clone", "-q", str(ROOT), str(self.clone))
        self._work_under_way()
        self.users = user_state(self.clone)
        self.run = self.wavectl("run", "docs/examples/demo.toml", "--plain")

    def _work_under_way(self) -> None:
        """What a person may have in a clone: something stashed, something staged, a branch of his own."""
        (self.clone / "README.md").write_text("# stashed\n")
        git(self.clone, "-c", "user.name=t", "-c", "user.email=t@example.org", "stash")
        (self.clone / "notes.txt").write_text("staged\n")
        git(self.clone, "add", "notes.txt")
        git(self.clone, "branch", "mine")

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

    @cached_property
    def journal(self) -> list[dict[str, Any]]:
        """All events of the session."""
        return list(map(json.loads, self.wavectl("events", "--json").stdout.splitlines()))

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
    assignment = {run["run"]: run["assignment"] for run in kinds(demo.journal, "run.starting")}
    started = {assignment[run["run"]]: run["exec_time"] for run in kinds(demo.journal, "run.started")}
    ended = {assignment[run["run"]]: run["end_time"] for run in kinds(demo.journal, "run.ended")}
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


def test_the_documents_are_there(demo: Demo) -> None:
    handbook = (demo.clone / "docs" / "session" / "handbook.md").read_text()
    assert "api/index.md" in handbook
    assert "quality/report.md" in handbook
    assert git(demo.clone, "diff", "--name-only").split() == ["README.md", PAGES]


def test_who_writes_const_const_is_frozen_put_back_and_started_again(demo: Demo) -> None:
    (found,) = kinds(demo.journal, "finding.made")
    assert (found["monitor"], found["path"], found["assignment"]) == ("corruption", PAGES, "client-builder")
    (frozen,) = kinds(demo.journal, "run.frozen")
    (restored,) = kinds(demo.journal, "restore.ended")
    assert frozen["ok"]
    assert restored["restored"] == [PAGES]
    runs = [run for run in kinds(demo.journal, "run.starting") if run["purpose"] == "agent"]
    again = [(run["assignment"], run["attempt"]) for run in runs if run["attempt"] > 1]
    assert again == [("client-builder", 2)], "the others were undisturbed"
    assert (demo.clone / PAGES).read_text().splitlines()[1] == "const pages = ["


def test_the_terminal_says_so(demo: Demo) -> None:
    said = demo.run.stdout
    in_order = (
        "finding f1",
        "frozen 1 process",
        f"restored {PAGES} from",
        "attempt 2",
        "client-builder frozen, kept as",
    )
    places = [said.find(each) for each in in_order]
    assert -1 not in places, in_order[places.index(-1)]
    assert places == sorted(places)


def test_the_corrupt_version_is_kept(demo: Demo) -> None:
    listed = json.loads(demo.wavectl("snapshots", "list", "--json").stdout)
    (kept,) = [one for one in listed if one["label"].startswith("before r")]
    diff = demo.wavectl("snapshots", "diff", kept["names"][0]).stdout
    assert "\n-const const pages = [" in diff


def test_what_is_the_users_is_as_it_was(demo: Demo) -> None:
    assert user_state(demo.clone) == demo.users
    assert git(demo.clone, "diff", "--cached", "--name-only").split() == ["notes.txt"]
    assert len(git(demo.clone, "stash", "list").splitlines()) == 1


def test_what_agents_printed_was_kept(demo: Demo) -> None:
    logs = demo.wavectl("logs", "--raw", "demo", "surveyor").stdout
    assert "inventory: wrote docs/session/survey/inventory.json" in logs


@pytest.mark.torture
def test_the_command_of_the_readme_does_all_of_it(tmp_path: Path) -> None:
    """It may install, clones the project, runs the plan, ends its daemon, and says where to look."""
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    command = ["bash", ".ci/demo", "--plain"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = tmp_path.glob("waved-demo.*")
    assert f"Start reading:   {made}/demo-workspace/docs/session/handbook.md" in done.stdout
    assert (made / "demo-workspace/docs/session/handbook.md").is_file()
    wait_for(lambda: not processes_of(tmp_path), what=lambda: str(processes_of(tmp_path)))
