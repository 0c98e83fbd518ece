"""`wavectl doctor`: what is there, in which version, and whether it can log in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from wavectl.cli import cli


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    git = folder / "git"
    git.write_text("#!/bin/sh\necho git version 2.39.5\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    return folder


def findings(tmp_path: Path, status: int = 0) -> dict[str, dict[str, object]]:
    result = CliRunner().invoke(cli, ["--socket", str(tmp_path / "none.sock"), "doctor", "--json"])
    assert result.exit_code == status, result.output
    return {item["what"]: item for item in json.loads(result.output)["findings"]}


def install(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_versions_and_logins_are_told(tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(programs, "claude", "echo '2.1.330 (Claude Code)'")
    assert findings(tmp_path)["claude"]["version"] == "2.1.330"
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-shown-to-anybody")
    found = findings(tmp_path)["claude"]
    assert found["ok"] is True
    assert "not-shown-to-anybody" not in json.dumps(found)


def test_a_program_that_is_not_installed_says_how_to_install_it(tmp_path: Path, programs: Path) -> None:
    found = findings(tmp_path)["codex"]
    assert (found["ok"], found["detail"]) == (None, "not installed")
    assert "npm install" in str(found["hint"])


def test_one_that_does_not_tell_its_version_is_broken(tmp_path: Path, programs: Path) -> None:
    install(programs, "codex", "exit 1")
    assert findings(tmp_path)["codex"]["ok"] is False


def test_without_git_nothing_works(tmp_path: Path, programs: Path) -> None:
    (programs / "git").unlink()
    assert findings(tmp_path, status=1)["git"]["ok"] is False
