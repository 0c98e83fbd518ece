"""The change feed on a real file system: nothing is missed, nothing outside is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from waved.workspace import inotify
from waved.workspace.feed import Feed, LostError
from waved.workspace.ignoring import Ignoring

Opened = Callable[..., Feed]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "ws"
    (folder / "src" / "deep").mkdir(parents=True)
    (folder / "src" / "a.py").write_text("a = 1\n")
    (folder / "src" / "deep" / "b.py").write_text("b = 1\n")
    return folder


@pytest.fixture
def opened(root: Path, tmp_path: Path) -> Iterator[Opened]:
    feeds = []

    def opening(most_watches: int | None = None, **ignoring: tuple[str, ...]) -> Feed:
        private = tmp_path / "private"
        private.mkdir(exist_ok=True)
        feed = Feed(root, private, Ignoring(root, **ignoring), most_watches)
        feed.open()
        feeds.append(feed)
        return feed

    yield opening
    for feed in feeds:
        feed.close()
    assert not list((tmp_path / "private").glob("*"))


def changes(feed: Feed) -> set[tuple[str, str]]:
    """Everything that changed, after a flush that needs no sweep."""
    assert feed.flush()
    return {(change.path, change.kind) for change in feed.take()}


def swept(feed: Feed) -> set[tuple[str, str]]:
    feed.flush()
    for _ in feed.sweep():
        pass
    return {(change.path, change.kind) for change in feed.take()}


def test_every_way_a_file_can_change(root: Path, opened: Opened) -> None:
    feed = opened()
    assert feed.files == 2
    (root / "new").write_text("x")
    (root / "src" / "a.py").write_text("a = 2\n")
    (root / "src" / "deep" / "b.py").unlink()
    (root / "link").symlink_to("/etc/passwd")
    assert changes(feed) == {
        ("new", "added"),
        ("src/a.py", "modified"),
        ("src/deep/b.py", "removed"),
        ("link", "added"),
    }
    (root / "new.tmp").write_text("y")
    (root / "new.tmp").replace(root / "new")
    (root / "src" / "a.py").chmod(0o755)
    with (root / "src" / "a.py").open("r+") as file:
        file.write("a = 3\n")
        file.flush()
        assert changes(feed) == {("new", "modified"), ("src/a.py", "modified")}
    assert changes(feed) == set()
    (root / "gone").write_text("")
    (root / "gone").unlink()
    assert changes(feed) == set()
    assert swept(feed) == set()
    assert feed.missed == 0


def test_what_is_written_again_with_the_same_size_and_time_is_a_change(root: Path, opened: Opened) -> None:
    feed = opened()
    path = root / "src" / "a.py"
    status = path.stat()
    with path.open("r+") as file:
        file.write("b = 2\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert changes(feed) == {("src/a.py", "modified")}


def test_files_in_folders_that_have_just_been_made(root: Path, opened: Opened) -> None:
    feed = opened()
    wanted = set()
    for number in range(200):
        folder = root / f"n{number}" / "b" / "c"
        folder.mkdir(parents=True)
        (folder / "f").write_text("x")
        wanted.add((f"n{number}/b/c/f", "added"))
    assert changes(feed) == wanted
    (root / "n0" / "b" / "c" / "f").write_text("y")
    assert changes(feed) == {("n0/b/c/f", "modified")}


def test_folders_moved_within_out_and_in(root: Path, opened: Opened, tmp_path: Path) -> None:
    feed = opened()
    (root / "src").rename(root / "lib")
    assert changes(feed) == {
        ("src/a.py", "removed"),
        ("src/deep/b.py", "removed"),
        ("lib/a.py", "added"),
        ("lib/deep/b.py", "added"),
    }
    (root / "lib" / "deep" / "b.py").write_text("b = 2\n")
    assert changes(feed) == {("lib/deep/b.py", "modified")}
    (root / "lib").rename(tmp_path / "out")
    assert changes(feed) == {("lib/a.py", "removed"), ("lib/deep/b.py", "removed")}
    (tmp_path / "out" / "a.py").write_text("nobody's business")
    assert changes(feed) == set()
    (tmp_path / "out").rename(root / "src")
    assert changes(feed) == {("src/a.py", "added"), ("src/deep/b.py", "added")}
    shutil.rmtree(root / "src")
    assert changes(feed) == {("src/a.py", "removed"), ("src/deep/b.py", "removed")}
    assert swept(feed) == set()


def test_a_folder_replaced_by_a_link_leads_nowhere(root: Path, opened: Opened, tmp_path: Path) -> None:
    feed = opened()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("x")
    shutil.rmtree(root / "src" / "deep")
    (root / "src" / "deep").symlink_to(outside)
    assert changes(feed) == {("src/deep/b.py", "removed"), ("src/deep", "added")}
    (outside / "secret").write_text("y")
    assert changes(feed) == set()
    assert swept(feed) == set()


def test_what_git_ignores_is_not_seen_and_rules_may_change(root: Path, opened: Opened) -> None:
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    (root / ".gitignore").write_text("build/\n*.log\n")
    (root / "build").mkdir()
    (root / "build" / "x").write_text("x")
    feed = opened(own=("session/**",))
    (root / "build" / "y").write_text("y")
    (root / "a.log").write_text("y")
    (root / ".git" / "index.lock").write_text("")
    (root / "session").mkdir()
    (root / "session" / "report").write_text("")
    assert changes(feed) == set()
    (root / ".gitignore").write_text("*.tmp\nsrc/deep\n")
    assert changes(feed) == {(".gitignore", "modified")}
    assert feed.must_sweep
    assert swept(feed) == {("a.log", "added"), ("build/x", "added"), ("build/y", "added")}
    (root / "build" / "z").write_text("z")
    (root / "src" / "deep" / "b.py").write_text("now ignored")
    assert changes(feed) == {("build/z", "added")}


def test_lost_events_are_known_to_be_lost_and_swept_for(
    root: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = opened()
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    files = [root / f"f{number}" for number in range(300)]
    rounds = limit // len(files) + 2
    opened_files = [os.open(file, os.O_WRONLY | os.O_CREAT, 0o644) for file in files]
    for _ in range(rounds):
        for fd in opened_files:
            # Different files in turn: the kernel puts events together only when they follow each other.
            os.pwrite(fd, b"x", 0)
    for fd in opened_files:
        os.close(fd)
    assert not feed.flush()
    assert feed.must_sweep
    (root / "src" / "a.py").unlink()
    found = swept(feed)
    assert {(file.name, "added") for file in files} | {("src/a.py", "removed")} == found
    assert not feed.must_sweep
    (root / "src" / "a.py").write_text("back")
    assert changes(feed) == {("src/a.py", "added")}


def test_more_folders_than_may_be_watched(root: Path, opened: Opened) -> None:
    feed = opened(most_watches=1)
    assert "more than 1 folders" in feed.polling
    (root / "src" / "deep" / "b.py").write_text("b = 2\n")
    assert not feed.flush()
    assert swept(feed) == {("src/deep/b.py", "modified")}
    assert feed.missed == 1


@pytest.mark.parametrize(("number", "words"), [(28, "no inotify watch is left"), (24, "no inotify instance is left")])
def test_nothing_left_of_inotify(
    root: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    real = inotify.Inotify.watch

    def watch(self: inotify.Inotify, fd: int, mask: int) -> int:
        if mask != inotify.MODIFY:
            raise OSError(number, "none left")
        return real(self, fd, mask)

    def none_left(self: inotify.Inotify) -> None:
        raise OSError(number, "none left")

    if number == 24:
        monkeypatch.setattr(inotify.Inotify, "__init__", none_left)
    else:
        monkeypatch.setattr(inotify.Inotify, "watch", watch)
    feed = opened()
    assert words in feed.polling
    (root / "src" / "a.py").write_text("a = 2\n")
    (root / "more").mkdir()
    (root / "more" / "c").write_text("c")
    assert not feed.flush()
    assert swept(feed) == {("src/a.py", "modified"), ("more/c", "added")}


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("removed", "was removed or moved away"),
        ("moved", "was removed or moved away"),
        ("link", "was replaced by a symbolic link"),
        ("other", "was replaced by another folder"),
        ("file", "is no folder"),
    ],
)
def test_a_workspace_that_is_no_longer_there(root: Path, opened: Opened, tmp_path: Path, what: str, words: str) -> None:
    feed = opened()
    if what == "removed":
        shutil.rmtree(root)
    else:
        root.rename(tmp_path / "elsewhere")
    if what == "link":
        root.symlink_to(tmp_path / "elsewhere")
    elif what == "other":
        root.mkdir()
    elif what == "file":
        root.write_text("")
    with pytest.raises(LostError, match=words):
        feed.read()
    with pytest.raises(LostError, match=words):
        list(feed.sweep())


def test_a_workspace_that_is_a_link_from_the_beginning(tmp_path: Path, root: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(root)
    feed = Feed(link, tmp_path, Ignoring(link))
    with pytest.raises(LostError, match="symbolic link"):
        feed.open()
    feed.close()


def test_names_that_are_no_text(root: Path, opened: Opened) -> None:
    feed = opened()
    names = [b"caf\xe9", "日本".encode(), b"new\nline", b" ", b"-rf"]
    for name in names:
        (root / os.fsdecode(name)).write_text("x")
    assert {os.fsencode(path) for path, _ in changes(feed)} == set(names)


def test_a_flood_is_counted_and_leaves_nothing_behind(root: Path, opened: Opened) -> None:
    feed = opened()
    seen: set[str] = set()
    for number in range(10_000):
        (root / "src" / f"f{number % 5000}").write_text(str(number))
        if number % 1000 == 0:
            feed.read()
            seen |= {change.path for change in feed.take()}
    assert feed.flush()
    seen |= {change.path for change in feed.take()}
    assert seen == {f"src/f{number}" for number in range(5000)}
    assert feed.files == 5002
    assert not feed.has_changes


_NAMES = st.sampled_from(["a", "b", "d", "e"])
_STEPS = st.lists(
    st.tuples(st.sampled_from(["write", "remove", "mkdir", "rename", "look"]), _NAMES, _NAMES, _NAMES), max_size=25
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_STEPS)
def test_whatever_happens_what_is_told_leads_to_what_is_there(tmp_path: Path, steps: list[tuple[str, ...]]) -> None:
    root, private = tmp_path / "w", tmp_path / "p"
    for folder in (root, private):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    feed = Feed(root, private, Ignoring(root))
    feed.open()
    told: set[str] = set()
    try:
        for act, one, two, three in steps:
            path, other = root / one / two, root / three
            try:
                if act == "write":
                    path.parent.mkdir(exist_ok=True)
                    path.write_text(three)
                elif act == "remove":
                    shutil.rmtree(other) if other.is_dir() else other.unlink()
                elif act == "mkdir":
                    (path / three).mkdir(parents=True)
                elif act == "rename":
                    path.rename(other)
            except OSError:
                continue
            if act == "look":
                _follow(feed, told)
        _follow(feed, told)
        there = {str(file.relative_to(root)) for file in root.rglob("*") if file.is_file()}
        assert told == there
        assert swept(feed) == set()
        assert feed.missed == 0
    finally:
        feed.close()


def _follow(feed: Feed, told: set[str]) -> None:
    assert feed.flush()
    for change in feed.take():
        assert (change.path in told) == (change.kind != "added")
        (told.discard if change.kind == "removed" else told.add)(change.path)
