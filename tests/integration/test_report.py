"""Reports by a real daemon: after a finding and a rollback, through its death, where they cannot be written (C3)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.live import Daemon, wait_for

BREAKS = """
case $WAVED_ATTEMPT in
    1) echo 'const const x = 1' > a.ts; sleep 30 ;;
    *) echo 'const x = 1' > a.ts; echo "done with $API_TOKEN <b>" ;;
esac
"""
PLAN: dict[str, Any] = {
    "session": {"name": "shop", "folder": "docs/session"},
    "report": {"change_log": "change_log.md"},
    "monitor": [{"kind": "corruption", "patterns": ["const const"], "paths": ["**/*.ts"]}],
    "wave": [{
        "name": "work",
        "agent": [
            {"name": "alice", "prompt": "Write a.ts.", "owns": ["a.ts"], "command": BREAKS},
            {"name": "bob", "prompt": "Write b.", "owns": ["b.md"], "command": "echo '# b' > b.md", "needs": ["alice"]},
        ],
        "gate": {"outputs": ["*.ts"]},
    }],
}  # fmt: skip
SECRET = "tk-9f8e7d6c5b4a39281706"


@pytest.fixture
def reporting(short_tmp: Path) -> Daemon:
    """A daemon that is not running yet, and writes reports."""
    daemon = Daemon(short_tmp)
    daemon.environment["WAVED_REPORTS"] = "1"
    return daemon


def submit(daemon: Daemon, plan: dict[str, Any], workspace: Path) -> str:
    environment = {
        "base": {"PATH": os.environ["PATH"], "HOME": str(daemon.folder)},
        "session": {"API_TOKEN": SECRET},
    }
    return daemon.submit(plan, workspace, environment=environment)


def reported(daemon: Daemon, session: str) -> dict[str, Any]:
    """The view once the report has been written, or could not be."""

    def look() -> dict[str, Any] | None:
        with daemon.client() as client:
            view = client.status(session)
        return view if view["report"] is not None and view["report"]["state"] != "writing" else None

    found: dict[str, Any] = wait_for(look, 60)
    return found


def test_a_finding_and_its_rollback_are_told_with_secrets_masked(reporting: Daemon, workspace: Path) -> None:
    (workspace / "change_log.md").write_text("# Ours\n\n## [1.0.0]\n\n- begun\n")
    reporting.start()
    try:
        session = submit(reporting, PLAN, workspace)
        view = reported(reporting, session)
        assert view["outcome"] == "succeeded"
        assert view["report"]["error"] == ""
        assert view["report"]["change_log"] == "change_log.md"
        names = {f"docs/session/waved-report.{form}" for form in ("html", "md", "json")}
        assert set(view["report"]["files"]) == names
        done = {item["item"]: item for item in view["checklists"][-1]["items"]}
        assert done["report"]["state"] == done["change-log"]["state"] == "ticked"

        assert not (reporting.state / "sessions" / session / "environment").exists()

        report = json.loads((workspace / "docs/session/waved-report.json").read_text())
        (finding,) = report["findings"]
        (reaction,) = [each for each in report["reactions"] if each["finding"] == finding["finding"]]
        assert finding["agent"] == "alice"
        assert "const const" in finding["evidence"]["text"]
        assert (reaction["total"], reaction["ok"]) == (1, True)
        alice, bob = report["agents"]
        assert [run["undone"] for run in alice["runs"]] == [True, False]
        assert alice["asked"]["text"].startswith("Write a.ts.\n\n# This is attempt 2")
        assert "[masked API_TOKEN]" in alice["said"]["text"]
        assert bob["requires"] == ["alice"]
        assert {each["path"]: each["agents"] for each in report["changes"]["files"]} == {
            "a.ts": ["alice"], "b.md": ["bob"],
        }  # fmt: skip
        page = (workspace / "docs/session/waved-report.html").read_text()
        everything = page + (workspace / "docs/session/waved-report.md").read_text() + json.dumps(report)
        assert SECRET not in everything
        assert "[masked API_TOKEN] &lt;b&gt;" in page
        log = (workspace / "change_log.md").read_text()
        assert log.startswith("# Ours\n\n<!-- waved:")
        assert log.endswith("## [1.0.0]\n\n- begun\n")
        assert "- `a.ts` (+1 −0, alice)" in log

        with reporting.client() as client:
            assert client.report(session, "html") == {
                "session": session, "format": "html", "content": page, "live": False,
                "path": str(reporting.state / "sessions" / session / "report.html"), "unwritten": "",
            }  # fmt: skip
            (workspace / "a.ts").write_text("const x = 2\n")  # what is done afterwards is not the session's
            changed = client.diff(session)
            assert {each["path"] for each in changed["files"]} == {"a.ts", "b.md"}
            assert "+const x = 1" in changed["diff"]
            assert [each["path"] for each in client.diff(session, agents=["bob"], stat=True)["files"]] == ["b.md"]
            assert [each["path"] for each in client.diff(session, ["*.ts"])["files"]] == ["a.ts"]
            away = client.rollback("session", session=session, dry=True)
            assert not {"docs/session/waved-report.md"} & set(away["files"])
    finally:
        reporting.end()


def test_a_report_is_written_by_the_next_daemon_and_a_live_one_is_told(reporting: Daemon, workspace: Path) -> None:
    plan = {"session": {"name": "s", "folder": "docs"}, "wave": [{"name": "w", "agent": [
        {"name": "slow", "command": "while [ ! -e go ]; do sleep 0.02; done; echo ready"}]}]}  # fmt: skip
    reporting.environment["WAVED_FAILPOINTS"] = "report.before-writing=kill"
    reporting.start()
    try:
        session = submit(reporting, plan, workspace)
        with reporting.client() as client:
            wait_for(lambda: client.status(session)["waves"][0]["assignments"][0]["state"] == "running")
            live = client.report(session, "json")
            assert live["live"]
            told = json.loads(live["content"])
            assert (told["outcome"], told["agents"][0]["state"]) == ("", "running")
            (workspace / "go").touch()
        assert reporting.process is not None
        reporting.process.wait(60)  # it died as the report was to be written
        assert not list((workspace / "docs").glob("waved-report.*"))
        reporting.environment.pop("WAVED_FAILPOINTS")
        reporting.start()
        view = reported(reporting, session)
        assert view["report"]["state"] == "written"
        assert (workspace / "docs" / "waved-report.md").read_text().startswith("<!-- waved report of s-")
        with reporting.client() as client:
            kinds = [event["kind"] for event in client.events(session)]
        assert kinds.count("report.writing") == kinds.count("report.written") == 1
    finally:
        reporting.end()


def test_what_is_not_waved_s_is_left_and_links_are_not_followed(reporting: Daemon, workspace: Path) -> None:
    outside = reporting.folder / "outside"
    outside.mkdir()
    (outside / "change_log.md").write_text("not yours\n")
    command = f"echo mine > docs/waved-report.md; ln -s {outside} logs; ln -s {outside}/r docs/waved-report.json"
    plan = {
        "session": {"name": "s", "folder": "docs"},
        "report": {"change_log": "logs/change_log.md"},
        "wave": [{"name": "w", "agent": [{"name": "a", "command": command}]}],
    }
    reporting.start()
    try:
        view = reported(reporting, submit(reporting, plan, workspace))
        assert view["outcome"] == "succeeded"
        report = view["report"]
        assert report["state"] == "written"  # in waved's own folder
        assert report["files"] == ["docs/waved-report.html"]
        assert report["change_log"] == ""
        for path in (
            "docs/waved-report.md is not waved's",
            "docs/waved-report.json is a symbolic link",
            "logs cannot be",
        ):
            assert path in report["error"]
        assert (workspace / "docs/waved-report.md").read_text() == "mine\n"
        assert sorted(each.name for each in outside.iterdir()) == ["change_log.md"]
        assert (outside / "change_log.md").read_text() == "not yours\n"
    finally:
        reporting.end()
