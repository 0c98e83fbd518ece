"""What is ignored: git has the last word, so git is asked in each of these tests."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from waved.workspace.ignoring import Ignoring

_FILES = {
    ".gitignore": "node_modules/\n*.log\n!keep.log\n/dist\ngenerated/**\n!generated/kept.ts\n\\#odd\n[\n",
    "sub/.gitignore": "*.tmp\n!important.tmp\n/local\n!*.log\n",
    "sub/deep/.gitignore": "*\n!wanted\n",
    ".git/info/exclude": "secret\n",
}
_PATHS = [
    "a.py",
    "x.log",
    "keep.log",
    "dist",
    "dist/a",
    "sub/dist",
    "node_modules/p/i.js",
    "sub/node_modules/p.js",
    "generated/kept.ts",
    "generated/x.ts",
    "#odd",
    "sub/a.tmp",
    "sub/important.tmp",
    "sub/local",
    "sub/x.log",
    "sub/deep/wanted",
    "sub/deep/other",
    "secret",
    "sub/secret",
    "tracked.log",
    "node_modules/tracked.js",
]


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, check=False, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "ws"
    root.mkdir()
    git(root, "init", "-q")
    write(root, _FILES)
    write(root, {path: "x" for path in _PATHS if path != "dist"})
    git(root, "add", "-f", "tracked.log", "node_modules/tracked.js")
    return root


def test_it_ignores_what_git_ignores(repository: Path) -> None:
    ignoring = Ignoring(repository)
    ignoring.load()
    for path in _PATHS:
        wanted = bool(git(repository, "check-ignore", path))
        assert ignoring.file(path) == wanted, path


def test_what_git_tracks_is_never_ignored_but_its_neighbours_are(repository: Path) -> None:
    ignoring = Ignoring(repository)
    listed = ignoring.load()
    assert "node_modules/tracked.js" in listed
    assert not ignoring.folder("node_modules")
    assert not ignoring.file("node_modules/tracked.js")
    assert ignoring.file("node_modules/new.js")
    assert ignoring.folder("node_modules/p")


def test_gits_own_folders_and_waveds_own_files_are_never_looked_at(repository: Path) -> None:
    ignoring = Ignoring(repository, own=["docs/session/**"])
    ignoring.load()
    assert ignoring.folder(".git")
    assert ignoring.file("sub/.git")
    assert ignoring.folder("nested/.git")
    assert ignoring.file("docs/session/a.md")
    assert not ignoring.file("docs/a.md")


def test_what_the_plan_includes_is_looked_at_though_git_ignores_it(repository: Path) -> None:
    ignoring = Ignoring(repository, included=["x.log", "node_modules/mine/**"])
    ignoring.load()
    assert not ignoring.file("x.log")
    assert not ignoring.folder("node_modules")
    assert not ignoring.file("node_modules/mine/a.js")
    assert ignoring.file("node_modules/other.js")
    assert ignoring.folder("node_modules/other")


def test_rules_are_those_of_the_repository_around_a_workspace_too(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, {".gitignore": "*.log\n/pkg/out\nbuild/\n", "pkg/app/.gitignore": "!keep.log\n", "pkg/app/a": ""})
    ignoring = Ignoring(tmp_path / "pkg")
    ignoring.load()
    assert ignoring.file("app/x.log")
    assert not ignoring.file("app/keep.log")
    assert ignoring.folder("out")
    assert not ignoring.folder("app/out")
    assert ignoring.folder("app/build")


def test_a_folder_that_the_repository_around_it_ignores_is_a_plain_folder(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, {".gitignore": "scratch/\n", "scratch/ws/a.py": ""})
    ignoring = Ignoring(tmp_path / "scratch" / "ws")
    assert ignoring.load() == frozenset()
    assert not ignoring.file("a.py")


def test_a_plain_folder_has_its_own_rules(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "*.log\n"})
    ignoring = Ignoring(tmp_path)
    assert ignoring.load() == frozenset()
    assert ignoring.file("a.log")
    assert not ignoring.file("a.py")


def test_rules_behind_a_link_or_a_pipe_are_no_rules(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("*\n")
    root = tmp_path / "ws"
    (root / "sub").mkdir(parents=True)
    (root / ".gitignore").symlink_to(tmp_path / "outside")
    os.mkfifo(root / "sub" / ".gitignore")
    ignoring = Ignoring(root)
    ignoring.load()
    assert not ignoring.file("a")
    assert not ignoring.file("sub/a")
