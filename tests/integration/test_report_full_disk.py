"""A report that cannot be written because the disk is full: the session ends as it should, nothing is half written, and
it is written when there is room. The disks are real ones, small and full.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.live import Daemon, agent_of, plan_of, wait_for, wave_of
from tests.small_disks import fill, small_disk
from tests.terminal import PROGRAM

PAGES = ("html", "json", "md")


@pytest.fixture
def reporting(short_tmp: Path) -> Daemon:
    """A daemon that is not running yet, and writes reports."""
    daemon = Daemon(short_tmp)
    daemon.environment["WAVED_REPORTS"] = "1"
    return daemon


def plan(name: str) -> dict[str, Any]:
    """An agent that waits for a file, and a report in the workspace. Snapshots want more room than there is."""
    command = f"touch up-{name}; while [ ! -e {name}.go ]; do sleep 0.01; done"
    return {
        **plan_of(wave_of("w", agent_of("a", command)), min_free_disk=0, name=name, folder="docs"),
        "snapshots": {"enabled": False},
        "report": {"change_log": "change_log.md"},
    }


def reported(daemon: Daemon, session: str) -> dict[str, Any]:
    """The view once the report has been written, or could not be."""

    def look() -> dict[str, Any] | None:
        view = daemon.view(session)
        return view if view["report"] is not None and view["report"]["state"] != "writing" else None

    found: dict[str, Any] = wait_for(look)
    return found


def ended_on_full(daemon: Daemon, workspace: Path, disk: Path) -> tuple[dict[str, Any], Path]:
    """A session whose disk is full when it ends."""
    session = daemon.submit(plan("second"), workspace)
    wait_for((workspace / "up-second").exists)
    (workspace / "second.go").touch()  # an empty file has room on a full disk, but its folder may not
    (workspace / "second.go").unlink()
    filler = fill(disk)
    (workspace / "second.go").touch()
    return reported(daemon, session), filler


def asked_for(daemon: Daemon, session: str) -> str:
    """What `wavectl report` says besides the report."""
    done = subprocess.run(
        [*PROGRAM, "report", session], env=daemon.environment, capture_output=True, text=True, check=True
    )
    assert f"# {session.rpartition('-')[0]}" in done.stdout
    return done.stderr


def test_a_full_workspace_keeps_its_older_report_and_gets_the_new_one_later(reporting: Daemon, short_tmp: Path) -> None:
    workspace = short_tmp / "w"
    with small_disk(workspace):
        reporting.start()
        try:
            (workspace / "first.go").touch()
            first = reported(reporting, reporting.submit(plan("first"), workspace))
            assert first["report"]["error"] == ""
            older = {form: (workspace / f"docs/waved-report.{form}").read_bytes() for form in PAGES}
            log = (workspace / "change_log.md").read_bytes()

            second, filler = ended_on_full(reporting, workspace, workspace)
            assert second["outcome"] == "succeeded"
            assert second["report"]["state"] == "written", "waved's own folder has room"
            assert "change_log.md cannot be written: No space left" in second["report"]["error"]
            assert {form: (workspace / f"docs/waved-report.{form}").read_bytes() for form in PAGES} == older
            assert (workspace / "change_log.md").read_bytes() == log
            assert not [*(workspace / "docs").glob(".*")]
            assert '"event": "report", "level": "warning"' in reporting.log.read_text()

            filler.unlink()
            session = second["session"]
            said = asked_for(reporting, session)
            assert "No space left" in said
            assert "it is written now" in said
            assert reported(reporting, session)["report"]["error"] == ""
            written = json.loads((workspace / "docs/waved-report.json").read_text())
            assert written["session"] == session
            items = {item["item"]: item["state"] for item in written["checklists"][-1]["items"]}
            assert items["change-log"] == "ticked"
            assert (workspace / "change_log.md").read_text().count(f"session {session} -->") == 1
            assert asked_for(reporting, session) == "", "there is nothing more to be written"
        finally:
            reporting.end()


def test_a_full_state_folder_ends_the_session_as_it_should_and_has_no_half_report(
    reporting: Daemon, short_tmp: Path, workspace: Path
) -> None:
    with small_disk(reporting.state):
        reporting.start()
        try:
            view, filler = ended_on_full(reporting, workspace, reporting.state)
            session = view["session"]
            assert view["outcome"] == "succeeded"
            assert view["report"]["state"] == "failed"
            assert "No space left" in view["report"]["error"]
            own = reporting.state / "sessions" / session
            assert not [*own.glob("*report*")]
            filler.unlink()
            assert "it is written now" in asked_for(reporting, session)
            assert reported(reporting, session)["report"]["state"] == "written"
            assert sorted(path.suffix[1:] for path in own.glob("report.*")) == sorted(PAGES)
        finally:
            reporting.end()
