"""`wavectl service` where no systemd is needed: what would be installed, and refusals."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from wavectl import service
from wavectl.cli import main
from waved.errors import NotAllowedError


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["service", *words])
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out, said.err


@pytest.mark.parametrize("scope", ["--system", "--user"])
def test_a_dry_run_shows_files_with_the_programs_of_this_installation(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scope: str
) -> None:
    for name in ("waved", "wavectl"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    status, out, _ = run(capsys, "install", scope, "--dry-run", "--json")
    assert status == 0
    shown = json.loads(out)
    path = (
        "/etc/systemd/system/waved.service" if scope == "--system" else f"{tmp_path}/config/systemd/user/waved.service"
    )
    unit = shown["files"][path]
    assert f"\nExecStart={tmp_path}/waved\n" in unit
    assert f"\nExecReload={tmp_path}/wavectl daemon upgrade\n" in unit
    assert f"\nExecStopPost={tmp_path}/waved --end-leftovers --if-stopped\n" in unit
    assert "/usr/bin" not in unit
    assert shown["commands"][-1][-3:] == ["enable", "--now", "waved.service"]
    assert ("--user" in shown["commands"][-1]) == (scope == "--user")
    assert not (tmp_path / "config").exists(), "a dry run writes nothing"


def test_paths_that_systemd_would_take_apart_are_quoted() -> None:
    unit = service.with_programs(
        "ExecStart=/usr/bin/waved --x\nUser=waved\n", {"waved": '"/a b/100%%/waved"', "wavectl": ""}
    )
    assert unit == 'ExecStart="/a b/100%%/waved" --x\nUser=waved\n'


def test_without_systemd_it_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(service, "_BOOTED", tmp_path / "none")
    for words in (["install", "--user"], ["uninstall"], ["status"]):
        status, _, err = run(capsys, *words)
        assert status == 1
        assert "systemd does not run this machine" in err


def test_a_system_service_is_roots(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(service, "_BOOTED", tmp_path)
    monkeypatch.setattr(service.shutil, "which", lambda _name: "/usr/bin/systemctl")
    monkeypatch.setattr(service.os, "geteuid", lambda: 1000)
    with pytest.raises(NotAllowedError, match="root's to install"):
        service.require_manager(service.scope_of(system=True))


def test_a_file_of_the_administrators_stays(tmp_path: Path) -> None:
    path = tmp_path / "etc" / "waved.toml"
    assert service.write(service.ServiceFile(path, "a\n", keep=True))
    path.write_text("mine\n")
    assert not service.write(service.ServiceFile(path, "b\n", keep=True))
    assert path.read_text() == "mine\n"
    assert service.write(service.ServiceFile(path, "b\n"))
    assert not service.write(service.ServiceFile(path, "b\n"))
    assert path.read_text() == "b\n"
