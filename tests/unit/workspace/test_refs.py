"""The newest ref read from files is the one that git finds."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waved.workspace import refs
from waved.workspace.store import REFS, Store

COMMITS = 3


def _git(store: Store, *arguments: str, stdin: bytes = b"") -> str:
    return store.git.run(*arguments, stdin=stdin).decode().strip()


def _made(folder: Path) -> tuple[Store, list[str]]:
    """A store, and commits for refs to name."""
    store = Store(folder / "git", 60.0)
    store.make()
    tree = _git(store, "mktree", stdin=b"")
    who = {f"GIT_{role}_{what}": "t@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    store.git.environ = {**store.git.environ, **who}
    return store, [_git(store, "commit-tree", tree, "-m", str(number)) for number in range(COMMITS)]


Steps = st.lists(
    st.one_of(
        st.tuples(st.just("update"), st.integers(0, 12), st.integers(0, COMMITS - 1)),
        st.tuples(st.just("delete"), st.integers(0, 12), st.just(0)),
        st.tuples(st.just("pack"), st.just(0), st.just(0)),
    ),
    max_size=8,
)


@settings(max_examples=8, deadline=None)
@given(steps=Steps)
def test_it_is_the_one_that_git_finds(steps: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, commits = _made(Path(folder))
        _git(store, "update-ref", "refs/waved/now", commits[0])  # beside them, and none of them
        for step, name, commit in steps:
            if step == "update":
                _git(store, "update-ref", f"{REFS}{name:020d}", commits[commit])
            elif step == "delete":
                _git(store, "update-ref", "-d", f"{REFS}{name:020d}")
            else:
                _git(store, "pack-refs", "--all")
            assert refs.newest(store.git_dir, REFS) == store._newest_by_git()


def test_a_ref_that_was_being_written_is_left_to_git(tmp_path: Path) -> None:
    store, commits = _made(tmp_path)
    _git(store, "update-ref", f"{REFS}{1:020d}", commits[0])
    (store.git_dir / REFS / f"{2:020d}").write_text("")
    with pytest.raises(refs.UnreadableRefsError):
        refs.newest(store.git_dir, REFS)
    assert store.newest_ref() == (f"{REFS}{1:020d}", commits[0])


def test_a_store_made_by_hand_is_one_of_gits(tmp_path: Path) -> None:
    store = Store(tmp_path / "git", 60.0)
    store.make()
    checked = subprocess.run(
        ["git", "--git-dir", str(store.git_dir), "fsck", "--strict"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert _git(store, "rev-parse", "--is-bare-repository") == "true"
    assert refs.newest(store.git_dir, REFS) is None
