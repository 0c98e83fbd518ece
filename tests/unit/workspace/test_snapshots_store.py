"""The store: what it tells, who may use it at once, what a crash leaves, and how it stays small."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from tests.live import wait_for
from tests.unit.workspace.conftest import tree
from waved.errors import ConflictError, NotFoundError
from waved.workspace import lock, writer
from waved.workspace.records import Label, SnapshotError, SnapshotLimits
from waved.workspace.shadow import Shadow


def test_what_changed_between_snapshots_and_since(shadow: Shadow, workspace: Path) -> None:
    first = shadow.take("first")
    assert shadow.changed(first) == []
    (workspace / "README.md").write_text("# read me\nmore\n")
    (workspace / "src" / "run.sh").chmod(0o644)
    second = shadow.take("second")
    (workspace / "src" / "app.ts").unlink()
    (workspace / "src" / "app.ts").symlink_to("run.sh")
    (workspace / "new").write_bytes(b"\0\1")
    count = len(shadow.snapshots())
    assert {change.path: change.kind for change in shadow.changed(first, second)} == {
        "README.md": "modified",
        "src/run.sh": "mode",
    }
    assert {change.path: change.kind for change in shadow.changed(second)} == {
        "src/app.ts": "typechange",
        "new": "added",
    }
    assert {change.path: change.kind for change in shadow.changed(second, first)} == {
        "README.md": "modified",
        "src/run.sh": "mode",
    }
    diff = shadow.diff(first)
    assert "+more\n" in diff.text
    assert "Binary files /dev/null and b/new differ" in diff.text
    assert "+more" not in shadow.diff(first, None, ["new"]).text
    assert {item.path: (item.added, item.removed) for item in shadow.stat(first, second)} == {
        "README.md": (1, 0),
        "src/run.sh": (0, 0),
    }
    assert len(shadow.snapshots()) == count


def test_a_diff_has_an_end(shadow: Shadow, workspace: Path) -> None:
    first = shadow.take("first")
    (workspace / "big").write_text("line\n" * 15_000)
    diff = shadow.diff(first, limit=1000)
    assert (len(diff.text), diff.truncated) == (1000, True)


def test_versions_of_a_file(shadow: Shadow, workspace: Path) -> None:
    path = "src/app.ts"
    contents = ["one", "one", "two", None, "one"]
    for number, content in enumerate(contents):
        (workspace / "other").write_text(str(number))
        if content is None:
            (workspace / path).unlink()
        else:
            (workspace / path).write_text(content)
        shadow.take(Label(str(number)))
    versions = shadow.versions(path)
    assert [version.snapshot.label.reason for version in versions] == ["4", "3", "2", "0"]
    assert [shadow.blob(version.blob) if version.blob else None for version in versions] == [
        b"one",
        None,
        b"two",
        b"one",
    ]
    assert versions[0].blob == versions[3].blob
    assert shadow.versions("never") == []
    assert shadow.versions("src") == []
    assert shadow.read(versions[2].snapshot, path, limit=2) == b"tw"
    with pytest.raises(NotFoundError):
        shadow.read(versions[1].snapshot, path)


def test_versions_of_an_odd_name(shadow: Shadow, workspace: Path) -> None:
    (workspace / "a\nb").write_text("one")
    shadow.take("first")
    (workspace / "a\nb").write_text("two")
    shadow.take("second")
    assert [shadow.blob(version.blob) for version in shadow.versions("a\nb")] == [b"two", b"one"]


def test_a_name_that_finds_nothing(shadow: Shadow, workspace: Path) -> None:
    with pytest.raises(NotFoundError):
        shadow.find("s9")
    first = shadow.take(Label("x", name="s1"))
    (workspace / "new").write_text("x")
    second = shadow.take(Label("x", name="s1"))
    assert shadow.find("s1").id == second.id
    assert shadow.find(first.id[:10]).id == first.id
    with pytest.raises(NotFoundError):
        shadow.find(first.id[:2])


def test_plain_git_can_read_it(shadow: Shadow, workspace: Path, tmp_path: Path) -> None:
    taken = shadow.take("x")
    out = tmp_path / "out"
    out.mkdir()
    store = f"--git-dir={shadow._folder}/git"
    archive = subprocess.run(["git", store, "archive", taken.id], check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(out)], input=archive, check=True)
    assert {path: entry[2] for path, entry in tree(out).items()} == {
        path: entry[2] for path, entry in tree(workspace).items()
    }


def test_sessions_take_turns(workspace: Path, state: Path, limits: SnapshotLimits) -> None:
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            shadow = Shadow.open(state, workspace, limits)
            mine = workspace / f"mine{number}"
            for turn in range(6):
                mine.write_text(f"{turn}")
                taken = shadow.take(Label(f"{number}.{turn}", session=f"s{number}"), [mine.name])
                assert shadow.read(taken, mine.name) == f"{turn}".encode()
                mine.write_text("bad")
                assert shadow.restore(taken, [mine.name]).ok
        except BaseException as error:  # noqa: BLE001 — of a thread, for the test
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert {path.name: path.read_text() for path in workspace.glob("mine*")} == {f"mine{n}": "5" for n in range(4)}


def test_waiting_for_the_lock_has_an_end(shadow: Shadow, workspace: Path, state: Path) -> None:
    impatient = Shadow.open(state, workspace, SnapshotLimits(lock_timeout=0.05))
    with lock.held(shadow._folder / "lock", 1), pytest.raises(ConflictError, match="in use"):
        impatient.take("x")
    assert impatient.take("x").new


@pytest.mark.parametrize("moment", ["blob", "commit"])
def test_git_killed_in_the_middle_is_tried_again(
    shadow: Shadow, workspace: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    shadow.take("first")
    killed: list[int] = []
    real = getattr(writer.Writer, moment)

    def deadly(self: writer.Writer, *arguments: object) -> object:
        pipe = self._pipe()
        if not killed:
            process = self._started()
            killed.append(process.pid)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            assert pipe is process.stdin
        return real(self, *arguments)

    monkeypatch.setattr(writer.Writer, moment, deadly)
    (workspace / "new").write_bytes(os.urandom(90_000))
    taken = shadow.take("second")
    assert len(killed) == 1
    assert shadow.read(taken, "new") == (workspace / "new").read_bytes()


def test_git_that_is_always_killed_is_an_error(
    shadow: Shadow, workspace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = shadow.take("first")
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(
        '#!/bin/sh\ncase "$*" in *fast-import*) kill -9 $$ ;; esac\nexec /usr/bin/env PATH="$REAL" git "$@"\n'
    )
    fake.chmod(0o755)
    (workspace / "new").write_text("x")
    with monkeypatch.context() as patch:
        patch.setenv("REAL", os.environ["PATH"])
        patch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
        unlucky = Shadow(shadow._folder, workspace)
        with pytest.raises(SnapshotError, match="killed by signal 9"):
            unlucky.take("second")
        with pytest.raises(SnapshotError, match="killed by signal 9"):
            unlucky.restore(first, None)
    assert (workspace / "new").exists()
    assert shadow.take("third").changed == 1


def test_git_that_hangs_is_ended(
    shadow: Shadow, workspace: Path, state: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shadow.take("first")
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\n[ "$1" = ls-files ] && exec sleep 1000\nexec /usr/bin/env PATH="$REAL" git "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("REAL", os.environ["PATH"])
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    hasty = Shadow.open(state, workspace, SnapshotLimits(git_timeout=0.5))
    with pytest.raises(SnapshotError, match="took longer"):
        hasty.take("second")


def test_no_git_is_said(shadow: Shadow, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SnapshotError, match="no git in PATH"):
        shadow.take("x")


def test_what_killed_processes_left_is_removed(shadow: Shadow, workspace: Path) -> None:
    shadow.take("first")
    store = shadow._folder / "git"
    left = ["packed-refs.lock", "HEAD.lock", "refs/waved/snapshots/x.lock", "objects/pack/tmp_pack_x"]
    left += ["fast_import_crash_1", "objects/aa/tmp_obj_x", "objects/tmp_objdir-x/aa/bb"]
    for name in left:
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_text("x")
    (workspace / "new").write_text("x")
    shadow.take("second")
    shadow.expire(max_count=1)
    assert [name for name in left if (store / name).exists()] == []


@pytest.mark.parametrize("damage", ["gone", "garbage", "old", "other"])
def test_the_manifest_is_only_a_cache(shadow: Shadow, workspace: Path, damage: str) -> None:
    (workspace / "private").write_text("x")
    (workspace / "private").chmod(0o600)
    shadow.take("first")
    path = shadow._folder / "manifest.sqlite"
    kept = path.read_bytes()
    (workspace / "new").write_text("new")
    second = shadow.take("second")
    if damage == "gone":
        path.unlink()
    elif damage == "garbage":
        path.write_bytes(os.urandom(20_000))
    elif damage == "old":
        path.write_bytes(kept)
    else:
        import sqlite3

        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
    assert shadow.take("same").id == second.id
    (workspace / "new").unlink()
    third = shadow.take("third")
    assert (third.changed, third.files) == (1, 4)


def test_daemon_killed_while_it_takes_snapshots(shadow: Shadow, workspace: Path) -> None:
    script = (
        "import sys, os\nfrom pathlib import Path\nfrom waved.workspace.shadow import Shadow\n"
        "shadow = Shadow(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "print('go', flush=True)\n"
        "for number in range(100000):\n"
        "    Path(sys.argv[2], 'file').write_bytes(os.urandom(50000))\n"
        "    shadow.take(str(number))\n"
    )
    for number in range(8):
        command = [sys.executable, "-c", script, str(shadow._folder), str(workspace)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            # The moment of the kill is what varies.
            time.sleep(0.03 + 0.017 * number)
            process.kill()
        taken = shadow.take("after")
        assert shadow.read(taken, "file") == (workspace / "file").read_bytes()
        for snapshot in shadow.snapshots():
            shadow.read(snapshot, "README.md")


def _has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE  # init has not looked yet
    except psutil.NoSuchProcess:
        return True


SLOW_GIT = """#!/bin/sh
case " $* " in *" {command} "*) echo $$ >{pids}; sleep 1;; esac
exec {git} "$@"
"""


@pytest.mark.parametrize("command", ["fast-import", "prune"])
def test_a_git_that_outlives_its_killed_daemon_keeps_the_store_to_itself(
    command: str, shadow: Shadow, workspace: Path, tmp_path: Path
) -> None:
    """What it still writes would be swept away as left over, and what is written beside it be pruned."""
    shadow.take("first")
    (workspace / "file").write_text("changed")
    pids = tmp_path / "pids"
    (tmp_path / "git").write_text(SLOW_GIT.format(command=command, pids=pids, git=shutil.which("git")))
    (tmp_path / "git").chmod(0o755)
    script = (
        "import sys\nfrom pathlib import Path\nfrom waved.workspace.shadow import Shadow\n"
        "shadow = Shadow(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "shadow.take('second')\nshadow.expire(max_count=1)\n"
    )
    daemon = subprocess.Popen(
        [sys.executable, "-c", script, str(shadow._folder), str(workspace)],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    orphan = int(wait_for(lambda: pids.exists() and pids.read_text()))
    daemon.kill()
    daemon.wait()
    taken = shadow.take("third")
    assert _has_ended(orphan)
    assert shadow.read(taken, "file") == b"changed"


def test_old_snapshots_expire(shadow: Shadow, workspace: Path) -> None:
    taken = []
    for number in range(8):
        (workspace / "file").write_bytes(os.urandom(50_000))
        taken.append(shadow.take(Label("x", session="old" if number in (2, 6) else "s")))
    protected = taken[0].id
    before = shadow.size()
    gone = shadow.expire(sessions=["old"], keep=[protected])
    assert gone.removed == (taken[2].id, taken[6].id)
    assert gone.before == before
    assert gone.after.snapshots == 6
    dropped = shadow.versions("file")[-2].blob
    assert len(shadow.blob(dropped)) == 50_000
    gone = shadow.expire(max_count=3, keep=[protected])
    assert gone.removed == (taken[1].id, taken[3].id, taken[4].id)
    assert [snapshot.id for snapshot in shadow.snapshots()] == [protected, taken[5].id, taken[7].id]
    for snapshot in shadow.snapshots():
        assert len(shadow.read(snapshot, "file")) == 50_000
    with pytest.raises(NotFoundError):
        shadow.blob(dropped)
    assert not shadow.take("same").new
    (workspace / "file").unlink()
    assert shadow.restore(taken[5], ["file"]).ok
    shadow.expire(max_age=0)
    assert len(shadow.snapshots()) == 1


def test_the_store_keeps_to_its_cap(shadow: Shadow, workspace: Path) -> None:
    for _ in range(12):
        (workspace / "file").write_bytes(os.urandom(99_000))
        last = shadow.take("x")
    gone = shadow.expire(max_bytes=700_000)
    assert not gone.over
    assert gone.after.bytes <= 700_000 < gone.before.bytes
    assert 1 < gone.after.snapshots < 12
    gone = shadow.expire(max_bytes=1)
    assert gone.over
    assert [snapshot.id for snapshot in shadow.snapshots()] == [last.id]


def test_a_damaged_store_still_takes_snapshots(shadow: Shadow, workspace: Path) -> None:
    shadow.take("in a pack")
    (workspace / "new").write_text("w")
    first = shadow.take("in files")
    path = shadow._folder / "git" / "objects" / first.tree[:2] / first.tree[2:]
    path.unlink()
    (workspace / "new").write_text("x")
    taken = shadow.take("afterwards")
    assert taken.files == 4
    path.unlink(missing_ok=True)
    assert shadow.read(taken, "README.md") == b"# read me\n"
    shadow._store.git.run(
        "update-ref", "-d", "refs/waved/snapshots/" + shadow._store.snapshots()[1][0].rpartition("/")[2]
    )


def test_importing_it_is_light() -> None:
    script = (
        "import sys; import waved.workspace.shadow; "
        "print([name for name in ('pydantic', 'zmq', 'asyncio', 'rich', 'click', 'wcmatch') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert said.strip() == "[]"
