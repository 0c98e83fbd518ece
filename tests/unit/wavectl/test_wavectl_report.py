"""What the command line says of reports and changes."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from wavectl.cli import cli
from wavectl.commands import diff as diff_command
from wavectl.commands import report as report_command
from wavectl.views.changes import changes_lines
from wavectl.views.report import report_lines
from wavectl.views.text import Paint, visible
from waved.errors import NotFoundError, ResourceError

WRITTEN: dict[str, Any] = {
    "session": "demo-1", "workspace": "/w",
    "report": {"state": "written", "files": ["docs/waved-report.json", "docs/waved-report.html"], "change_log": "c.md",
               "snapshot": "", "error": "", "seconds": 1.0},
}  # fmt: skip
FILES = [
    {"path": "src/a.py", "kind": "added", "added": 30, "removed": 0, "agents": ["a"]},
    {"path": "src/" + "long" * 40 + ".py", "kind": "modified", "added": 900, "removed": 100, "agents": []},
    {"path": "logo.png", "kind": "deleted", "added": None, "removed": None, "agents": []},
]  # fmt: skip
CHANGED: dict[str, Any] = {
    "session": "demo-1", "since": "its first snapshot", "until": "now", "live": True, "files": FILES, "diff": "+a\n",
    "truncated": False,
}  # fmt: skip


class FakeClient:
    """Answers as a daemon would that knows one session."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def report(self, session: str, form: str) -> dict[str, Any]:
        self.asked.append((session, form))
        if session == "none":
            raise NotFoundError("no session 'none'")
        return {"session": "demo-1", "format": form, "content": f"in {form}\n", "live": False, "path": ""}

    def diff(self, session: str, paths: Any = (), agents: Any = (), *, stat: bool = False) -> dict[str, Any]:
        self.asked.append((session, tuple(paths), tuple(agents), stat))
        if session not in ("", "demo"):
            raise NotFoundError(f"no session {session!r}")
        return CHANGED


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    made = FakeClient()
    for module in (report_command, diff_command):
        monkeypatch.setattr(module, "connect", lambda _ctx: made)
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return made


def run(*words: str) -> Any:
    return CliRunner().invoke(cli, words)


def test_where_the_report_is_is_said_in_a_line() -> None:
    assert report_lines({"report": None}, Paint(False)) == []
    assert report_lines({}, Paint(False)) == []
    assert report_lines(WRITTEN, Paint(False)) == ["  report   /w/docs/waved-report.html", "  changes  /w/c.md"]
    writing = {**WRITTEN, "report": {**WRITTEN["report"], "state": "writing", "change_log": ""}}
    assert report_lines(writing, Paint(False)) == ["  report   is being written: wavectl report demo-1 --open"]
    failed = {
        **WRITTEN,
        "report": {**WRITTEN["report"], "state": "failed", "error": "disk full\x1b[2J", "change_log": ""},
    }
    assert report_lines(failed, Paint(False)) == [
        "  report   not written: disk full", "           `wavectl report demo-1` writes it again",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "form"),
    [(["report"], "md"), (["report", "demo", "--format", "html"], "html"), (["report", "--json"], "json")],
)
def test_it_is_printed_in_the_form_that_is_wanted(client: FakeClient, words: list[str], form: str) -> None:
    result = run(*words)
    assert (result.exit_code, result.output) == (0, f"in {form}\n")
    assert client.asked[0][1] == form


def test_a_file_gets_the_form_of_its_ending(client: FakeClient, tmp_path: Any) -> None:
    assert run("report", "-o", str(tmp_path / "r.html")).exit_code == 0
    assert (tmp_path / "r.html").read_text() == "in html\n"
    assert client.asked == [("", "html")]
    result = run("report", "-o", str(tmp_path / "no" / "r.md"))
    assert isinstance(result.exception, ResourceError)


def test_without_a_browser_it_says_where_the_page_is(client: FakeClient) -> None:
    result = run("report", "--open")
    assert result.exit_code in (0, 1)
    assert "no browser could be started; the report is in " in result.output
    assert client.asked == [("", "html")]
    assert run("report", "--open", "--format", "md").exit_code == 2


def test_a_first_word_that_is_no_session_may_be_a_path(client: FakeClient) -> None:
    assert run("diff", "src/a.py", "--agent", "a").exit_code == 0
    assert client.asked == [("src/a.py", (), ("a",), False), ("", ("src/a.py",), ("a",), False)]
    assert isinstance(run("diff", "nosuch").exception, NotFoundError)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_stat_fits_the_terminal(width: int) -> None:
    lines = list(changes_lines(CHANGED, Paint(False), width, stat=True))
    assert all(visible(line) <= width for line in lines[:-1])
    assert lines[0].startswith("A src/a.py")
    assert "binary" in lines[2]
    assert lines[-1] == "3 files, +930 −100, from its first snapshot to now"
    assert list(changes_lines({**CHANGED, "files": []}, Paint(False), 80, stat=True)) == [
        "nothing differs between its first snapshot and now"
    ]
