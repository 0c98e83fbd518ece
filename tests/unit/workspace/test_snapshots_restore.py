"""Bringing files back: exactly what was, only within the workspace, and nothing is ever the only copy."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.workspace.conftest import exactly, git, tree
from waved.workspace import renames
from waved.workspace.records import SnapshotError, SnapshotLimits, WorkspaceChangedError
from waved.workspace.restore import TEMPORARY, Restorer
from waved.workspace.shadow import INTERRUPTED, Shadow


def test_everything_comes_back_and_the_restore_can_be_undone(shadow: Shadow, workspace: Path) -> None:
    (workspace / "link").symlink_to("README.md")
    (workspace / "private").write_text("key")
    (workspace / "private").chmod(0o600)
    (workspace / "odd").write_text("x")
    (workspace / "odd").chmod(0o751)
    good = shadow.take("good")
    before = tree(workspace)
    (workspace / "README.md").write_text("const const\n")
    (workspace / "src" / "run.sh").chmod(0o644)
    (workspace / "private").chmod(0o644)
    (workspace / "odd").unlink()
    (workspace / "link").unlink()
    (workspace / "link").write_text("a file now")
    (workspace / "src" / "app.ts").unlink()
    (workspace / "src" / "app.ts").symlink_to("/etc/passwd")
    (workspace / "new" / "deep").mkdir(parents=True)
    (workspace / "new" / "deep" / "file").write_text("new")
    bad = tree(workspace)
    done = shadow.restore(good, None)
    assert done.ok
    assert tree(workspace) == before
    assert not (workspace / "new").exists()
    assert done.removed == ["new/deep/file"]
    assert done.restored == ["README.md", "link", "odd", "private", "src/app.ts", "src/run.sh"]
    undone = shadow.restore(done.present, None)
    assert undone.ok
    assert tree(workspace) == bad


def test_only_the_paths_that_were_asked_for(shadow: Shadow, workspace: Path) -> None:
    good = shadow.take("good")
    for name in ("README.md", "src/app.ts", "src/new", "source"):
        (workspace / name).write_text("changed")
    done = shadow.restore(good, ["src/"])
    assert (done.restored, done.removed, done.failed) == (["src/app.ts"], ["src/new"], [])
    assert (workspace / "README.md").read_text() == (workspace / "source").read_text() == "changed"
    assert shadow.restore(good, ["nothing/there"]).restored == []


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "src/../../x", "", ".", "a\0b"])
def test_paths_outside_are_refused(shadow: Shadow, workspace: Path, path: str) -> None:
    good = shadow.take("good")
    with pytest.raises(SnapshotError, match="no path within"):
        shadow.restore(good, [path])


def test_folders_become_files_and_files_folders(shadow: Shadow, workspace: Path) -> None:
    (workspace / "thing").mkdir()
    (workspace / "thing" / "inside").write_text("x")
    (workspace / "other").write_text("x")
    good = shadow.take("good")
    before = tree(workspace)
    shutil.rmtree(workspace / "thing")
    (workspace / "thing").write_text("file")
    (workspace / "other").unlink()
    (workspace / "other" / "deep").mkdir(parents=True)
    (workspace / "other" / "deep" / "inside").write_text("x")
    bad = tree(workspace)
    done = shadow.restore(good, None)
    assert done.ok
    assert tree(workspace) == before
    assert shadow.restore(done.present, None).ok
    assert tree(workspace) == bad


def test_what_is_ignored_is_left_alone(shadow: Shadow, workspace: Path) -> None:
    (workspace / ".gitignore").write_text("*.log\nnode_modules\n")
    good = shadow.take("good")
    (workspace / "new").mkdir()
    (workspace / "new" / "file").write_text("x")
    (workspace / "new" / "a.log").write_text("ignored")
    done = shadow.restore(good, None)
    assert done.removed == ["new/file"]
    assert (workspace / "new" / "a.log").read_text() == "ignored"


def test_files_that_were_ignored_then_are_not_taken_for_new_ones(shadow: Shadow, workspace: Path) -> None:
    (workspace / ".gitignore").write_text("node_modules\n")
    (workspace / "node_modules").mkdir()
    (workspace / "node_modules" / "x.js").write_text("x")
    good = shadow.take("good")
    (workspace / ".gitignore").unlink()
    (workspace / "new").write_text("x")
    done = shadow.restore(good, None)
    assert done.removed == ["new"]
    assert (workspace / "node_modules" / "x.js").exists()


def test_an_ignored_file_in_the_way_is_not_overwritten(shadow: Shadow, workspace: Path) -> None:
    (workspace / "config").write_text("kept")
    good = shadow.take("good")
    (workspace / "config").unlink()
    (workspace / "src" / "app.ts").unlink()
    (workspace / ".gitignore").write_text("config\nbuild\n")
    shadow.take("without")
    (workspace / "config").write_text("the only copy")
    (workspace / "src" / "app.ts").mkdir()
    (workspace / "src" / "app.ts" / "build").write_text("the only copy")
    done = shadow.restore(good, ["config", "src"])
    assert {item.path for item in done.failed} == {"config", "src/app.ts"}
    assert "no snapshot keeps" in done.failed[0].why
    assert (workspace / "config").read_text() == (workspace / "src" / "app.ts" / "build").read_text() == "the only copy"


def test_a_file_the_snapshot_could_not_hold_is_left_and_named(shadow: Shadow, workspace: Path) -> None:
    (workspace / "huge").write_bytes(b"x" * 200_000)
    good = shadow.take("good")
    (workspace / "huge").write_bytes(b"small now")
    done = shadow.restore(good, None)
    assert [(item.path, "does not hold it" in item.why) for item in done.failed] == [("huge", True)]
    assert (workspace / "huge").read_bytes() == b"small now"


def test_a_file_that_is_too_large_now_is_not_overwritten(shadow: Shadow, workspace: Path) -> None:
    good = shadow.take("good")
    (workspace / "README.md").write_bytes(b"x" * 200_000)
    done = shadow.restore(good, None)
    assert [item.path for item in done.failed] == ["README.md"]
    assert (workspace / "README.md").stat().st_size == 200_000


def interfering(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None], times: int) -> list[int]:
    """Something happens at the last moment: after the new file lies ready, before it is put in place."""
    done: list[int] = []
    real = Restorer._make

    def make(self: Restorer, *arguments: object) -> None:
        real(self, *arguments)  # type: ignore[arg-type]
        if len(done) < times:
            done.append(1)
            act()

    monkeypatch.setattr(Restorer, "_make", make)
    return done


@pytest.mark.parametrize("swaps", [True, False])
def test_what_is_written_in_the_last_moment_is_in_a_snapshot(
    shadow: Shadow, workspace: Path, monkeypatch: pytest.MonkeyPatch, swaps: bool
) -> None:
    good = shadow.take("good")
    path = workspace / "README.md"
    path.write_text("bad")
    if not swaps:
        monkeypatch.setattr(renames, "_renameat2", lambda: None)
    interfering(monkeypatch, lambda: path.write_text("written in the last moment") and None, 1)
    done = shadow.restore(good, ["README.md"])
    assert done.ok
    assert path.read_text() == "# read me\n"
    assert shadow.read(done.present, "README.md") == b"written in the last moment"


def test_a_file_that_appears_in_the_last_moment_is_not_overwritten(
    shadow: Shadow, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = shadow.take("good")
    path = workspace / "README.md"
    path.unlink()
    interfering(monkeypatch, lambda: path.write_text("appeared") and None, 1)
    done = shadow.restore(good, None)
    assert done.ok
    assert path.read_text() == "# read me\n"
    assert shadow.read(done.present, "README.md") == b"appeared"


def test_a_writer_that_never_rests_ends_the_restore(
    shadow: Shadow, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = shadow.take("good")
    path = workspace / "README.md"
    path.write_text("bad")
    count = iter(range(1000))
    seen = interfering(monkeypatch, lambda: path.write_text(f"again {next(count)}") and None, 1000)
    done = shadow.restore(good, None)
    assert [(item.path, "again and again" in item.why) for item in done.failed] == [("README.md", True)]
    assert path.read_text() == f"again {len(seen) - 1}"


def test_a_removed_file_that_was_written_in_the_last_moment(
    shadow: Shadow, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = shadow.take("good")
    path = workspace / "new"
    path.write_text("new")
    real = os.rename
    acted: list[int] = []

    def rename(source: bytes, target: bytes, **options: int) -> None:
        if target.startswith(TEMPORARY) and not acted:
            acted.append(1)
            path.write_text("written in the last moment")
        real(source, target, **options)

    monkeypatch.setattr("waved.workspace.restore.os.rename", rename)
    done = shadow.restore(good, None)
    assert done.removed == ["new"]
    assert shadow.read(done.present, "new") == b"written in the last moment"


def test_a_folder_swapped_for_a_link_in_the_middle(
    shadow: Shadow, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "app.ts").write_text("bad")
    (outside / "new").write_text("new")
    good = shadow.take("good")
    before = tree(workspace)
    (workspace / "src" / "app.ts").write_text("bad")
    (workspace / "src" / "new").write_text("new")
    kept = exactly(outside)
    real = Restorer._plan
    acted: list[int] = []

    def plan(self: Restorer, *arguments: object) -> object:
        found = real(self, *arguments)  # type: ignore[arg-type]
        if not acted:
            acted.append(1)
            (workspace / "src").rename(tmp_path / "aside")
            (workspace / "src").symlink_to(outside)
        return found

    monkeypatch.setattr(Restorer, "_plan", plan)
    done = shadow.restore(good, None)
    assert exactly(outside) == kept
    assert done.ok
    assert tree(workspace) == before
    assert shadow.read(done.present, "src") == os.fsencode(outside)


def test_an_ignored_link_in_the_way_is_never_passed(shadow: Shadow, workspace: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    good = shadow.take("good")
    shutil.rmtree(workspace / "src")
    (workspace / ".gitignore").write_text("src\n")
    (workspace / "src").symlink_to(outside)
    done = shadow.restore(good, ["src/app.ts"])
    assert [item.path for item in done.failed] == ["src/app.ts"]
    assert "symbolic link" in done.failed[0].why
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("how", ["removed", "link", "replaced", "file"])
def test_a_workspace_that_is_another_folder_now_is_refused(
    shadow: Shadow, workspace: Path, tmp_path: Path, how: str
) -> None:
    good = shadow.take("good")
    workspace.rename(tmp_path / "aside")
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious").write_text("x")
    if how == "link":
        workspace.symlink_to(other)
    elif how == "replaced":
        other.rename(workspace)
    elif how == "file":
        workspace.write_text("x")
    for act in (lambda: shadow.take("x"), lambda: shadow.restore(good, None), lambda: shadow.changed(good)):
        with pytest.raises(WorkspaceChangedError):
            act()
    if how == "replaced":
        assert (workspace / "precious").exists()
    if how == "link":
        assert (other / "precious").exists()


def test_a_workspace_made_anew_is_adopted_on_request(shadow: Shadow, workspace: Path, state: Path) -> None:
    good = shadow.take("good")
    before = tree(workspace)
    keep_inode = workspace.parent / "kept"
    workspace.rename(keep_inode)
    workspace.mkdir()
    with pytest.raises(WorkspaceChangedError, match="was replaced"):
        Shadow.open(state, workspace)
    adopted = Shadow.adopt(state, workspace)
    assert adopted.restore(adopted.find(good.id), None).ok
    assert tree(workspace) == before


def test_a_store_of_another_workspace_is_refused(shadow: Shadow, workspace: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(WorkspaceChangedError, match="are of"):
        Shadow(shadow._folder, other)


def test_the_users_repository_is_untouched(repository: Path, state: Path, limits: SnapshotLimits) -> None:
    (repository / "README.md").write_text("staged\n")
    git(repository, "add", "README.md")
    (repository / "README.md").write_text("stashed\n")
    git(repository, "stash", "-q")
    (repository / "src" / "app.ts").write_text("half staged\n")
    git(repository, "add", "src/app.ts")
    (repository / "src" / "app.ts").write_text("not staged\n")
    (repository / "src" / "run.sh").touch()
    kept = exactly(repository / ".git")
    shadow = Shadow.open(state, repository, limits)
    good = shadow.take("good")
    (repository / "src" / "app.ts").write_text("bad\n")
    (repository / "new").write_text("x")
    shadow.take("told", ["src/app.ts", "new"])
    shadow.changed(good)
    shadow.diff(good)
    shadow.versions("src/app.ts")
    assert shadow.restore(good, None).ok
    shadow.expire(max_count=1)
    assert exactly(repository / ".git") == kept
    assert (repository / "src" / "app.ts").read_text() == "not staged\n"
    assert git(repository, "stash", "list").count("stash@") == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path) -> Path:
    path = disk / "filler"
    with path.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError as error:
                assert error.errno == errno.ENOSPC
    return path


def test_a_full_disk_of_the_workspace_loses_nothing(small_disk: Path, state: Path) -> None:
    workspace = small_disk / "ws"
    workspace.mkdir()
    (workspace / "a").write_bytes(b"good" * 50_000)
    (workspace / "b").write_bytes(b"good")
    shadow = Shadow.open(state, workspace, SnapshotLimits(min_free=0))
    good = shadow.take("good")
    (workspace / "a").write_bytes(b"bad")
    (workspace / "b").write_bytes(b"bad")
    (workspace / "new").write_bytes(b"new")
    filler = fill(small_disk)
    done = shadow.restore(good, ["a", "b"])
    assert "the disk is full" in done.failed[0].why
    for name in ("a", "b"):
        expected = b"bad" if name in {item.path for item in done.failed} else b"good"
        assert (workspace / name).read_bytes() == expected
    assert sorted(path.name for path in workspace.iterdir()) == ["a", "b", "new"]
    filler.unlink()
    assert shadow.restore(good, None).ok
    assert (workspace / "a").read_bytes() == b"good" * 50_000


def test_a_full_disk_of_the_store_touches_nothing(small_disk: Path, workspace: Path) -> None:
    from waved.workspace.records import StoreFullError

    shadow = Shadow.open(small_disk, workspace, SnapshotLimits(min_free=0))
    good = shadow.take("good")
    (workspace / "README.md").write_bytes(os.urandom(50_000))
    bad = tree(workspace)
    filler = fill(small_disk)
    with pytest.raises(StoreFullError):
        shadow.restore(good, None)
    assert tree(workspace) == bad
    # Also when the shortage is only met while writing.
    filler.unlink()
    (small_disk / "filler").write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 60_000))
    filler = small_disk / "filler"
    try:
        shadow.take("perhaps")
    except StoreFullError:
        assert tree(workspace) == bad
    filler.unlink()
    assert shadow.restore(good, None).ok
    assert shadow.take("after").files == 3


def test_a_killed_restore_is_put_right(shadow: Shadow, workspace: Path) -> None:
    good = shadow.take("good")
    before = tree(workspace)
    (workspace / "README.md").write_text("bad")
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from waved.workspace.restore import Restorer\n"
        "from waved.workspace.shadow import Shadow\n"
        "Restorer._swap = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        "shadow = Shadow(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "shadow.restore(shadow.find(sys.argv[3]), None)\n"
    )
    import sys

    command = [sys.executable, "-c", script, str(shadow._folder), str(workspace), good.id]
    assert subprocess.run(command, check=False).returncode == -9
    (left,) = workspace.glob(".waved-restoring-*")
    (workspace / ".gitignore").write_text(".*\n")
    shadow.take("next")
    assert not left.exists()
    assert INTERRUPTED in [snapshot.label.reason for snapshot in shadow.snapshots()]
    shadow.restore(good, None)
    (workspace / ".gitignore").unlink(missing_ok=True)
    assert tree(workspace) == before
