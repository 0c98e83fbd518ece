"""What a snapshot holds: every byte of what git shows, and a word on what it does not hold."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.unit.workspace.conftest import git, tree
from waved.workspace import folders
from waved.workspace.records import Label, SnapshotLimits, StoreFullError
from waved.workspace.shadow import Shadow


def held(shadow: Shadow, snapshot: str) -> dict[str, bytes]:
    """Path and content of all files of a snapshot, by plain git."""
    found = {}
    (store,) = shadow._folder.glob("git")
    listed = subprocess.run(
        ["git", f"--git-dir={store}", "ls-tree", "-r", "-z", snapshot], capture_output=True, check=True
    ).stdout
    for line in listed.split(b"\0")[:-1]:
        words, _, path = line.partition(b"\t")
        blob = words.split()[2].decode()
        content = subprocess.run(
            ["git", f"--git-dir={store}", "cat-file", "blob", blob], capture_output=True, check=True
        )
        found[os.fsdecode(path)] = content.stdout
    return found


def test_a_plain_folder_is_held_byte_for_byte(shadow: Shadow, workspace: Path) -> None:
    contents = {
        "crlf.txt": b"one\r\ntwo\r\n",
        "ident.c": b"$Id$ $Id: abc $\n",
        "empty": b"",
        "bytes": bytes(range(256)),
        "-dash": b"x",
        "with space": b"x",
        'quo"te': b"x",
        "back\\slash": b"x",
        "new\nline": b"x",
        "tab\there": b"x",
        os.fsdecode(b"latin-\xe9"): b"x",
        "git~1": b"x",
        "a" * 255: b"x",
        ".gitattributes": b"* text=auto eol=crlf ident\n*.txt filter=lfs working-tree-encoding=UTF-16\n",
    }
    for name, data in contents.items():
        (workspace / name).write_bytes(data)
    snapshot = shadow.take("all of it")
    found = held(shadow, snapshot.id)
    assert {name: found[name] for name in contents} == contents
    assert snapshot.files == len(found) == len(contents) + 3
    assert snapshot.skipped == ()


def test_links_are_kept_as_links_and_never_followed(shadow: Shadow, workspace: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("secret")
    (workspace / "to-folder").symlink_to(secret)
    (workspace / "to-file").symlink_to(secret / "key")
    (workspace / "to-nothing").symlink_to("nowhere")
    found = held(shadow, shadow.take("links").id)
    assert found["to-folder"] == os.fsencode(secret)
    assert found["to-nothing"] == b"nowhere"
    assert not [path for path in found if path.startswith("to-folder/")]
    assert b"secret" not in found.values()


def test_nothing_changed_is_no_new_snapshot(shadow: Shadow, workspace: Path) -> None:
    first = shadow.take("first")
    (workspace / "README.md").touch()
    again = shadow.take("again")
    assert (again.id, again.new, again.label.reason) == (first.id, False, "first")
    assert len(shadow.snapshots()) == 1


def test_figures_and_label_come_back_from_the_store(shadow: Shadow, workspace: Path) -> None:
    shadow.take("first")
    (workspace / "README.md").unlink()
    (workspace / "new").write_text("new")
    (workspace / "src" / "app.ts").write_text("const two = 2;\n")
    label = Label("before wave execution", session="s-1", wave="execution", agent="architect", name="s2")
    taken = shadow.take(label)
    assert (taken.files, taken.changed) == (3, 3)
    found = shadow.snapshots()[-1]
    assert (found.id, found.tree, found.label, found.files, found.changed) == (taken.id, taken.tree, label, 3, 3)
    assert found.time == pytest.approx(taken.time, abs=1e-5)
    assert shadow.find("s2").id == shadow.find(taken.id[:8]).id == taken.id


def test_a_label_of_many_lines_cannot_forge_figures(shadow: Shadow, workspace: Path) -> None:
    shadow.take(Label("why\n\nWaved-Session: forged\nWaved-Files: 7", agent="a\nWaved-Wave: forged"))
    (found,) = shadow.snapshots()
    assert (found.label.session, found.label.wave, found.files) == ("", "", 3)


def test_same_size_within_the_same_instant_is_seen(shadow: Shadow, workspace: Path) -> None:
    path = workspace / "src" / "app.ts"
    shadow.take("first")
    for number in range(10):
        path.write_text(f"const one = {number % 10};\n")
        before = path.stat()
        taken = shadow.take("x")
        assert taken.new
        assert shadow.read(taken, "src/app.ts") == path.read_bytes()
        path.write_text(f"const two = {number % 10};\n")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        taken = shadow.take("y")
        assert shadow.read(taken, "src/app.ts") == path.read_bytes()


def test_a_change_that_hides_behind_an_old_time_is_seen(shadow: Shadow, workspace: Path) -> None:
    path = workspace / "src" / "app.ts"
    os.utime(path, (1_000_000_000, 1_000_000_000))
    time.sleep(0.05)
    shadow.take("first")
    path.write_text("const two = 2;\n")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert shadow.take("second").changed == 1


def test_ignored_files_stay_out_unless_the_plan_names_them(workspace: Path, state: Path) -> None:
    git(workspace, "init", "-q")
    (workspace / ".gitignore").write_text("*.log\nnode_modules/\n.env\n")
    (workspace / "src" / ".gitignore").write_text("generated\n")
    (workspace / ".git" / "info" / "exclude").write_text("mine\n")
    (workspace / "node_modules").mkdir()
    for name in (".env", "a.log", "mine", "forced.log", "node_modules/x.js", "src/generated", "src/kept"):
        (workspace / name).write_text(name)
    git(workspace, "add", "-f", "forced.log")
    shadow = Shadow.open(state, workspace, SnapshotLimits(include=(".env",), min_free=0))
    found = held(shadow, shadow.take("x").id)
    expected = {".gitignore", "src/.gitignore", ".env", "forced.log", "src/kept"}
    assert set(found) == expected | {"README.md", "src/app.ts", "src/run.sh"}


def test_a_plain_folder_has_ignore_rules_too(shadow: Shadow, workspace: Path) -> None:
    (workspace / ".gitignore").write_text("*.log\n")
    (workspace / "a.log").write_text("x")
    assert "a.log" not in held(shadow, shadow.take("x").id)


def test_what_is_ignored_later_stays_in_as_long_as_it_is_there(shadow: Shadow, workspace: Path) -> None:
    shadow.take("first")
    (workspace / ".gitignore").write_text("*\n")
    (workspace / "src" / "app.ts").write_text("changed")
    taken = shadow.take("second")
    assert held(shadow, taken.id)["src/app.ts"] == b"changed"
    assert "README.md" in held(shadow, taken.id)


def test_settings_of_the_user_do_not_count(
    repository: Path, state: Path, limits: SnapshotLimits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = tmp_path / "witness"
    home = tmp_path / "home"
    home.mkdir()
    script = home / "script"
    script.write_text(f"#!/bin/sh\ntouch {witness}\n")
    script.chmod(0o755)
    (home / "ignore").write_text("README.md\n")
    (home / ".gitconfig").write_text(
        f"[core]\n fsmonitor = {script}\n excludesFile = {home}/ignore\n autocrlf = true\n hooksPath = {home}\n"
        f'[filter "x"]\n clean = {script}\n smudge = {script}\n[gc]\n auto = 1\n'
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "no-index"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.fsmonitor=true'")
    subprocess.run(
        ["git", f"--git-dir={repository}/.git", "config", "core.fsmonitor", str(script)],
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    (repository / ".gitattributes").write_text("* filter=x text eol=crlf\n")
    (repository / "README.md").write_bytes(b"one\r\ntwo\n")
    shadow = Shadow.open(state, repository, limits)
    assert held(shadow, shadow.take("x").id)["README.md"] == b"one\r\ntwo\n"
    assert not witness.exists()


def test_what_cannot_be_kept_is_named(shadow: Shadow, workspace: Path) -> None:
    (workspace / "huge").write_bytes(b"x" * 100_001)
    (workspace / "most").write_bytes(b"x" * 100_000)
    (workspace / ".GIT").mkdir()
    (workspace / ".GIT" / "file").write_text("x")
    (workspace / ".gitmodules").symlink_to("README.md")
    taken = shadow.take("x")
    assert [item.path for item in taken.skipped] == [".GIT/file", ".gitmodules", "huge"]
    assert "100000" in taken.skipped[2].why.replace(".", "").replace("0 MB", "00000") or "MB" in taken.skipped[2].why
    assert "most" in held(shadow, taken.id)
    assert shadow.find(taken.id).skipped == taken.skipped
    assert not shadow.take("again").new
    # One that grows beyond the limit is no longer in, one that shrinks comes back.
    (workspace / "README.md").write_bytes(b"x" * 200_000)
    (workspace / "huge").write_bytes(b"x")
    taken = shadow.take("y")
    assert [item.path for item in taken.skipped] == [".GIT/file", ".gitmodules", "README.md"]
    assert "huge" in held(shadow, taken.id)


def test_pipes_and_sockets_are_no_files(shadow: Shadow, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shadow.take("first")
    os.mkfifo(workspace / "pipe")
    monkeypatch.chdir(workspace)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        (workspace / "README.md").unlink()
        os.mkfifo(workspace / "README.md")
        taken = shadow.take("second")
    assert {item.path: item.why for item in taken.skipped} == {"README.md": "is a pipe"}
    assert set(held(shadow, taken.id)) == {"src/app.ts", "src/run.sh"}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody who may not read")
def test_unreadable_files_and_folders_are_named(tmp_path: Path, workspace: Path, limits: SnapshotLimits) -> None:
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == 0 and path != Path("/") and not path.stat().st_mode & 0o001:
            path.chmod(path.stat().st_mode | 0o011)
    (workspace / "closed").mkdir()
    (workspace / "closed" / "file").write_text("x")
    state = tmp_path / "state"
    state.mkdir()
    for path in (workspace, workspace / "src", workspace / "closed", *workspace.rglob("*"), state):
        os.chown(path, 65534, 65534)
    os.setresuid(65534, 65534, 0)
    try:
        shadow = Shadow.open(state, workspace, limits)
        first = shadow.take("first")
        (workspace / "README.md").chmod(0)
        (workspace / "README.md").rename(workspace / "READ.md")
        (workspace / "closed").chmod(0)
        taken = shadow.take("second")
        back = shadow.restore(first, None)
        (workspace / "closed").chmod(0o755)
    finally:
        os.setresuid(0, 0, 0)
    assert {item.path: item.why for item in taken.skipped} == {
        "READ.md": "Permission denied",
        "closed": "Permission denied",
        "closed/file": "Permission denied",
    }
    assert "closed/file" in {item.path for item in back.failed}
    assert (workspace / "closed" / "file").read_text() == "x"
    assert (workspace / "README.md").read_text() == "# read me\n"
    assert (workspace / "READ.md").exists()


def test_files_of_nested_repositories_are_files(repository: Path, state: Path, limits: SnapshotLimits) -> None:
    nested = repository / "vendor" / "lib"
    nested.mkdir(parents=True)
    git(nested, "init", "-q")
    (nested / ".gitignore").write_text("out\n")
    (nested / "code.c").write_text("int x;\n")
    (nested / "out").write_text("ignored")
    git(nested, "add", "-A")
    git(nested, "commit", "-qm", "nested")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "add", "-q", "./vendor/lib", "sub")
    (repository / "empty").mkdir()
    (repository / "empty" / ".git").mkdir()
    (repository / "empty" / "file").write_text("beside a .git that is none")
    (repository / "broken").mkdir()
    (repository / "broken" / ".git").write_text("gitdir: /nowhere\n")
    (repository / "broken" / "file").write_text("beside a .git that leads nowhere")
    shadow = Shadow.open(state, repository, limits)
    first = shadow.take("x")
    found = held(shadow, first.id)
    for path in ("vendor/lib/code.c", "vendor/lib/.gitignore", "sub/code.c", "empty/file", "broken/file"):
        assert path in found
    assert not [path for path in found if ".git" in path.split("/") or path.endswith("out")]
    before = tree(repository, ())
    (nested / "code.c").write_text("int y;\n")
    (repository / "sub" / "code.c").unlink()
    assert shadow.take("told", ["vendor/lib/code.c", "sub/code.c"]).changed == 2
    assert shadow.restore(first, None).ok
    assert tree(repository, ()) == before


def test_told_paths_are_enough(shadow: Shadow, workspace: Path) -> None:
    shadow.take("first")
    (workspace / "README.md").write_text("changed")
    (workspace / "src" / "app.ts").write_text("changed too, but not told")
    taken = shadow.take("told", ["README.md"])
    assert (taken.changed, held(shadow, taken.id)["src/app.ts"]) == (1, b"const one = 1;\n")
    assert shadow.take("all").changed == 1


def test_told_paths_are_looked_at_alone(shadow: Shadow, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace / ".gitignore").write_text("*.log\n")
    shadow.take("first")

    def never(_: object) -> None:
        raise AssertionError("everything was looked at")

    monkeypatch.setattr("waved.workspace.scan.Scanner.everything", never)
    names = [":new", "*", "a.log", "src/[x]", os.fsdecode(b"\xff"), "new\nline"]
    for name in names:
        (workspace / name).write_text("x")
    (workspace / "src" / "run.sh").unlink()
    taken = shadow.take("told", [*names, "src/run.sh", "src/", "never-there"])
    assert taken.changed == 6
    assert set(held(shadow, taken.id)) == {*names, ".gitignore", "README.md", "src/app.ts"} - {"a.log"}


def test_told_folders_and_what_became_something_else(shadow: Shadow, workspace: Path) -> None:
    (workspace / ".gitignore").write_text("*.log\n")
    shadow.take("first")
    (workspace / "README.md").unlink()
    (workspace / "README.md").mkdir()
    (workspace / "README.md" / "inside").write_text("x")
    (workspace / "README.md" / "a.log").write_text("ignored")
    (workspace / "b.log").write_text("ignored")
    taken = shadow.take("x", ["README.md/inside", "b.log"])
    assert sorted(held(shadow, taken.id)) == [".gitignore", "README.md/inside", "src/app.ts", "src/run.sh"]
    (workspace / "README.md" / "more").write_text("x")
    (workspace / "README.md" / "inside").unlink()
    taken = shadow.take("y", ["README.md"])
    assert sorted(held(shadow, taken.id)) == [".gitignore", "README.md/more", "src/app.ts", "src/run.sh"]
    subprocess.run(["rm", "-r", str(workspace / "src")], check=True)
    (workspace / "src").write_text("now a file")
    taken = shadow.take("z", ["src"])
    assert sorted(held(shadow, taken.id)) == [".gitignore", "README.md/more", "src"]
    assert not shadow.take("all").new


def test_a_folder_that_became_a_link_is_gone(shadow: Shadow, workspace: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "app.ts").write_text("outside")
    shadow.take("first")
    (workspace / "src").rename(tmp_path / "aside")
    (workspace / "src").symlink_to(outside)
    for told in (None, ["src/app.ts"], ["src"]):
        found = held(shadow, shadow.take("x", told).id)
        assert found["src"] == os.fsencode(outside)
        assert "src/app.ts" not in found


def test_a_workspace_within_a_repository(tmp_path: Path, state: Path, limits: SnapshotLimits) -> None:
    outer = tmp_path / "outer"
    inner = outer / "packages" / "app"
    inner.mkdir(parents=True)
    git(outer, "init", "-q")
    (outer / ".gitignore").write_text("*.log\n/packages/app/dist\n")
    (outer / "beside").write_text("x")
    for name in ("code", "a.log", "dist"):
        (inner / name).write_text(name)
    shadow = Shadow.open(state, inner, limits)
    assert set(held(shadow, shadow.take("x").id)) == {"code"}
    (outer / ".gitignore").write_text("packages\n")
    (inner / "more").write_text("x")
    assert set(held(shadow, shadow.take("y").id)) == {"code", "a.log", "dist", "more"}


def test_a_worktree_checkout(repository: Path, tmp_path: Path, state: Path, limits: SnapshotLimits) -> None:
    git(repository, "worktree", "add", "-q", str(tmp_path / "wt"), "-b", "other")
    shadow = Shadow.open(state, tmp_path / "wt", limits)
    (tmp_path / "wt" / "new").write_text("x")
    assert set(held(shadow, shadow.take("x").id)) == {"README.md", "new", "src/app.ts", "src/run.sh"}


def test_a_damaged_repository_is_still_a_folder(repository: Path, state: Path, limits: SnapshotLimits) -> None:
    shadow = Shadow.open(state, repository, limits)
    (repository / ".git" / "index").write_bytes(b"garbage")
    assert shadow.take("x").files == 3
    (repository / ".git" / "HEAD").unlink()
    (repository / "new").write_text("x")
    assert shadow.take("y").files == 4


def test_the_store_within_the_workspace_is_not_in_its_own_snapshots(workspace: Path, limits: SnapshotLimits) -> None:
    shadow = Shadow.open(workspace / ".waved", workspace, limits)
    taken = shadow.take("x")
    assert taken.files == 3
    assert not shadow.take("y").new


def test_a_file_that_grows_while_it_is_read(shadow: Shadow, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fstat
    path = workspace / "README.md"

    def growing(fd: int) -> os.stat_result:
        status = real(fd)
        if Path(f"/proc/self/fd/{fd}").readlink() == path:
            with path.open("a") as file:
                file.write("more\n")
        return status

    monkeypatch.setattr(folders.os, "fstat", growing)
    taken = shadow.take("x")
    monkeypatch.undo()
    assert taken.unsettled == ("README.md",)
    assert shadow.find(taken.id).unsettled == ("README.md",)
    assert shadow.take("y").new
    assert shadow.read(shadow.snapshots()[-1], "README.md") == path.read_bytes()


def test_snapshots_beside_a_busy_writer(shadow: Shadow, workspace: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            path = workspace / "src" / f"n{number % 7}"
            path.write_bytes(os.urandom(number * 37 % 60_000))
            if number % 3 == 0:
                path.unlink()
            elif number % 5 == 0:
                path.rename(path.with_name(f"m{number % 11}"))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(10):
            shadow.take("busy")
    finally:
        stop.set()
        writer.join()
    final = shadow.take("quiet")
    assert held(shadow, final.id) == {os.fsdecode(path): entry[2] for path, entry in tree(workspace).items()}


def test_a_store_has_a_limit(workspace: Path, state: Path) -> None:
    shadow = Shadow.open(state, workspace, SnapshotLimits(max_store=2_000_000, min_free=0))
    shadow.take("first")
    (workspace / "big").write_bytes(os.urandom(1_000_000))
    shadow.take("second")
    (workspace / "big").write_bytes(os.urandom(1_500_000))
    with pytest.raises(StoreFullError, match="beyond its limit"):
        shadow.take("third")
    shadow.expire(max_count=1)
    (workspace / "big").write_bytes(os.urandom(500_000))
    assert shadow.take("fourth").new


def test_too_little_room_on_the_disk_is_said_before_anything_is_written(workspace: Path, state: Path) -> None:
    shadow = Shadow.open(state, workspace, SnapshotLimits(min_free=10**18))
    with pytest.raises(StoreFullError, match="bytes are free"):
        shadow.take("x")
