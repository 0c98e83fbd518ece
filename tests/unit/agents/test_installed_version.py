"""The version of an installed program, by the files it came with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from waved.agents.installed import installed_version


def linked(folder: Path, target: Path) -> str:
    """A link to it, as package managers put it on PATH."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("#!/bin/sh\n")
    link = folder / "bin" / "program"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(target)
    return str(link)


@pytest.mark.parametrize("package", ["gander", "@geese/gander"])
def test_of_npm_it_is_that_of_the_package(tmp_path: Path, package: str) -> None:
    root = tmp_path / "lib/node_modules" / package
    link = linked(tmp_path, root / "dist/bin/gander.js")
    (root / "package.json").write_text('{"name": "gander", "version": "1.2.3-beta.4"}')
    (root / "dist/package.json").write_text('{"type": "module", "version": "0"}')
    assert installed_version(link) == "1.2.3-beta.4"


@pytest.mark.parametrize("written", ["", "{", "[]", '{"version": 3}', '{"name": "gander"}', "\udcff"])
def test_a_package_that_does_not_tell_is_not_guessed_at(tmp_path: Path, written: str) -> None:
    root = tmp_path / "node_modules/gander"
    link = linked(tmp_path, root / "gander.js")
    (root / "package.json").write_bytes(written.encode(errors="surrogateescape"))
    assert installed_version(link) == ""


def test_a_pipe_in_its_place_holds_nobody_up(tmp_path: Path) -> None:
    link = linked(tmp_path, tmp_path / "node_modules/gander/gander.js")
    os.mkfifo(tmp_path / "node_modules/gander/package.json")
    assert installed_version(link) == ""


def test_of_python_it_is_that_of_the_distribution(tmp_path: Path) -> None:
    link = linked(tmp_path, tmp_path / "venvs/gander/bin/gander")
    packages = tmp_path / "venvs/gander/lib/python3.13/site-packages"
    for name in ("gander_chat-0.86.2", "gander_chat_more-3.0", "click-8.1"):
        (packages / f"{name}.dist-info").mkdir(parents=True)
    assert installed_version(link, "gander-chat") == "0.86.2"
    assert installed_version(link, "goose-chat") == ""


def test_of_anything_else_it_is_not_known(tmp_path: Path) -> None:
    assert installed_version(linked(tmp_path, tmp_path / "opt/gander")) == ""
    assert installed_version(str(tmp_path / "missing")) == ""
