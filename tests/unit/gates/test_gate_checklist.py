"""C1, first part: what is looked at before any agent is started, on real folders and repositories."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from waved.gates import checklist, workspace
from waved.gates.checklist import ChecklistRequest, Item, run_checklist
from waved.plan.models import Plan

Privileges = Callable[[], AbstractContextManager[None]]

SYSTEM = {"PATH": os.environ["PATH"]}


def plan(*agents: dict[str, object], gate: Sequence[object] = (), **session: object) -> Plan:
    written = [{"name": f"a{number}", **agent} for number, agent in enumerate(agents)] or [
        {"name": "a0", "command": ["true"]}
    ]
    waves = [{"name": "w", "gate": {"commands": list(gate)}, "agent": written}]
    return Plan.model_validate({"session": {"name": "s", **session}, "wave": waves})


def look(
    folder: Path,
    of: Plan | None = None,
    *,
    environments: Mapping[str, Mapping[str, str]] | None = None,
    active: Sequence[tuple[str, str]] = (),
    patience: float = 60.0,
) -> dict[str, Item]:
    environments = environments if environments is not None else {"": SYSTEM}
    request = ChecklistRequest(of or plan(min_free_disk=0), folder, folder, environments, active, patience)
    return {item.item: item for item in run_checklist(request)}


def git(folder: Path, *args: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *args], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init")
    (folder / "kept").write_text("1")
    (folder / "renamed").write_text("a longer text that git recognises\n" * 5)
    git(folder, "add", ".")
    git(folder, "commit", "-m", "one")
    return folder


def test_everything_is_well(repository: Path) -> None:
    items = look(repository, plan(min_free_disk=0, folder="docs/session"))
    assert list(items) == ["workspace", "git", "exclusive", "disk", "commands", "session-folder"]
    assert all(item.ok and item.detail and not item.hint for item in items.values())
    assert items["workspace"].detail == f"{repository}, git repository, branch main, nothing uncommitted"
    assert (repository / "docs/session").is_dir()


def test_items_are_given_out_as_soon_as_they_are_known(repository: Path) -> None:
    request = ChecklistRequest(plan(folder="docs"), repository, repository, {"": SYSTEM}, ())
    items = run_checklist(request)
    assert next(items).item == "workspace"
    assert not (repository / "docs").exists()
    assert list(items)[-1].item == "session-folder"
    assert (repository / "docs").exists()


# --- workspace and git ----------------------------------------------------------------------------------------------


def test_a_plain_folder_needs_no_git(tmp_path: Path) -> None:
    items = look(tmp_path)
    assert items["workspace"] == Item("workspace", ok=True, detail=f"{tmp_path}, plain folder")
    assert "git" not in items


def test_uncommitted_files_are_counted_and_the_index_is_left_alone(repository: Path) -> None:
    (repository / "kept").write_text("2")
    (repository / "new\nname").write_text("")
    git(repository, "mv", "renamed", "moved")
    index = (repository / ".git/index").stat()
    assert look(repository)["git"].detail == "branch main, 3 uncommitted files"
    after = (repository / ".git/index").stat()
    assert (after.st_mtime_ns, after.st_ino) == (index.st_mtime_ns, index.st_ino)


def test_a_folder_in_a_repository_and_a_detached_head(repository: Path) -> None:
    git(repository, "checkout", "--detach")
    (repository / "sub").mkdir()
    items = look(repository / "sub")
    assert items["git"].detail == "branch (detached), nothing uncommitted"


def test_nothing_is_left_in_the_workspace(tmp_path: Path) -> None:
    look(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_repositorys_configuration_starts_no_program(repository: Path, tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(hook))
    (tmp_path / "ran").unlink(missing_ok=True)
    assert look(repository)["git"].ok
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_text(""), "is not a folder"),
        (lambda path: path.symlink_to("nothing"), "is a symbolic link to nothing"),
        (lambda path: path.symlink_to(path.name), "is a symbolic link to nothing"),
    ],
)
def test_a_workspace_that_is_none(tmp_path: Path, make: object, said: str) -> None:
    make(tmp_path / "ws")  # type: ignore[operator]
    request = ChecklistRequest(plan(min_free_disk=0, folder="d"), tmp_path / "ws", tmp_path, {"": SYSTEM}, ())
    items = {item.item: item for item in run_checklist(request)}
    assert list(items) == ["workspace", "disk"]
    assert not items["workspace"].ok
    assert said in items["workspace"].detail
    assert items["disk"].ok


@pytest.mark.parametrize(
    ("mode", "said"), [(0o555, "may not be written: Permission denied"), (0o300, "may not be read")]
)
def test_permissions(open_folder: Path, no_privileges: Privileges, mode: int, said: str) -> None:
    (open_folder / "ws").mkdir()
    (open_folder / "ws").chmod(mode)
    with no_privileges():
        item = look(open_folder / "ws")["workspace"]
    assert not item.ok
    assert item.detail == f"{open_folder}/ws {said}"
    assert item.hint


def test_no_git_program(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    items = look(repository, environments={"": {"PATH": "/bin:/usr/bin"}})
    assert items["workspace"].ok
    assert items["workspace"].detail == f"{repository}, git repository"
    assert not items["git"].ok
    assert "no git program" in items["git"].detail
    assert "install git" in items["git"].hint


def test_a_broken_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: /nowhere\n")
    item = look(tmp_path)["git"]
    assert not item.ok
    assert item.detail.startswith("git status failed: not a git repository")


def test_a_git_that_gives_no_answer(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bin/git"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 1000\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    status = workspace.git_status(repository, patience=1)
    assert status.problem == "git status gave no answer within 1 s"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_file_system_that_gives_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = threading.Event()
    monkeypatch.setattr(checklist, "disk_problem", lambda *_: gone.wait(60))
    item = look(tmp_path, patience=0.2)["disk"]
    gone.set()
    assert item.detail == "the file system gave no answer within 0.2 s"
    assert "network file system" in item.hint


def test_a_defect_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checklist, "disk_problem", lambda *_: {}["defect"])
    with pytest.raises(KeyError, match="defect"):
        look(tmp_path)


# --- exclusive and disk ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("theirs", "where"), [(".", "here"), ("sub", "in"), ("..", "in"), ("link", "here")])
def test_another_session_on_the_same_files(tmp_path: Path, theirs: str, where: str) -> None:
    folder = tmp_path / "ws"
    folder.mkdir()
    (folder / "link").symlink_to(".")
    item = look(folder, active=[("other-1", str(tmp_path)[:1] + "nowhere"), ("other-2", str(folder / theirs))])[
        "exclusive"
    ]
    assert not item.ok
    assert item.detail.startswith(f"session other-2 works {where}")
    assert "wavectl wait other-2" in item.hint


def test_sessions_beside_each_other(tmp_path: Path) -> None:
    for name in ("ws", "ws2"):
        (tmp_path / name).mkdir()
    assert look(tmp_path / "ws", active=[("other", str(tmp_path / "ws2"))])["exclusive"].ok


def test_too_little_room(tmp_path: Path) -> None:
    item = look(tmp_path, plan(min_free_disk="4000TB"))["disk"]
    assert not item.ok
    assert item.detail.count("4000 TB wanted") == 2
    assert f"workspace ({tmp_path}): only " in item.detail
    assert "session.min_free_disk" in item.hint


def test_a_state_folder_that_is_yet_to_be_made(tmp_path: Path) -> None:
    request = ChecklistRequest(plan(min_free_disk=1), tmp_path, tmp_path / "a/b", {"": SYSTEM}, ())
    assert {item.item: item.ok for item in run_checklist(request)}["disk"]


# --- the session's folder -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["..", "../x", "/tmp/waved-x", "docs/../../x", "out/x", "out", "deep/out/x"])
def test_a_session_folder_outside_is_refused_and_not_made(tmp_path: Path, name: str) -> None:
    folder, outside = tmp_path / "ws", tmp_path / "outside"
    (folder / "deep").mkdir(parents=True)
    outside.mkdir()
    (folder / "out").symlink_to(outside)
    (folder / "deep/out").symlink_to("../../outside")
    item = look(folder, plan(min_free_disk=0, folder=name))["session-folder"]
    assert not item.ok
    assert item.detail == f"{name} leads out of the workspace"
    assert list(outside.iterdir()) == []
    assert not (tmp_path / "x").exists()
    assert not Path("/tmp/waved-x").exists()


def test_session_folders(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "file").write_text("")

    def made(name: str) -> Item:
        return look(tmp_path, plan(min_free_disk=0, folder=name))["session-folder"]

    assert made("docs/session") == Item("session-folder", ok=True, detail="docs/session (made)")
    assert made("docs/session") == Item("session-folder", ok=True, detail="docs/session")
    assert made("link/session").ok
    assert (tmp_path / "real/session").is_dir()
    assert made("file/x").detail == "file/x cannot be made: Not a directory"
    assert made("file").detail == "file cannot be made: File exists"


# --- commands -------------------------------------------------------------------------------------------------------


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("mytool", "claude"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    (folder / "plain").write_text("")
    return folder


def commands(folder: Path, bin_folder: Path, *agents: dict[str, object], gate: Sequence[object] = ()) -> Item:
    of = plan(*agents, gate=gate, min_free_disk=0)
    return look(folder, of, environments={"": {"PATH": str(bin_folder)}})["commands"]


@pytest.mark.parametrize(
    "agent",
    [
        {"command": ["mytool", "x"]},
        {"command": "mytool --all | sort"},
        {"use": "claude", "prompt": "x"},
        {"command": ["{{ vars.tool }}"]},
        {"command": "cd web && no-such-tool"},
        {"command": "NAME=value no-such-tool"},
        {"command": "no-such-tool || true"},
        {"command": "if true; then no-such-tool; fi"},
        {"command": "# a comment\nno-such-tool"},
        {"command": '"$TOOL" x'},
        {"command": ["bin/mytool"]},
        {"command": ["./mytool"], "cwd": "bin"},
        {"command": "./bin/mytool"},
        {"command": ["build/made"], "produces": ["build/*"]},
    ],
)
def test_commands_that_can_be_run_or_cannot_be_known(
    tmp_path: Path, bin_folder: Path, agent: dict[str, object]
) -> None:
    item = commands(tmp_path, bin_folder, agent)
    assert item.ok, item


@pytest.mark.parametrize(
    ("agent", "detail", "hint"),
    [
        ({"command": ["mytol"]}, 'mytol: not found on PATH (agent "a0")', 'did you mean "mytool"?'),
        ({"command": "mytol x"}, 'mytol: not found on PATH (agent "a0")', 'did you mean "mytool"?'),
        (
            {"use": "codex", "prompt": "x"},
            'codex: not found on PATH (agent "a0")',
            "install it with: npm install -g @openai/codex",
        ),
        ({"use": "cluade", "prompt": "x"}, 'no agent program "cluade" (agent "a0")', 'did you mean "claude"?'),
        ({"command": ["plain"]}, 'plain: not found on PATH (agent "a0")', None),
        ({"command": ["bin/plain"]}, 'bin/plain: may not be executed (agent "a0")', "chmod +x bin/plain"),
        ({"command": ["./bin"]}, './bin: is a folder (looked in {here}) (agent "a0")', None),
        (
            {"command": ["./mytol"], "cwd": "bin"},
            './mytol: no such file (looked in {here}/bin) (agent "a0")',
            'did you mean "mytool"?',
        ),
        (
            {"command": ["mytool"], "gate": {"commands": [["xyzzy"]]}},
            'xyzzy: not found on PATH (check "xyzzy" of agent "a0")',
            "install xyzzy, or pass a PATH that holds it",
        ),
    ],
)
def test_commands_that_are_missing_are_named_with_their_agent(
    tmp_path: Path, bin_folder: Path, agent: dict[str, object], detail: str, hint: str | None
) -> None:
    item = commands(tmp_path, bin_folder, agent)
    assert not item.ok
    assert item.detail == detail.format(here=tmp_path)
    if hint is not None:
        assert item.hint == hint


def test_all_missing_commands_are_told_each_once(tmp_path: Path, bin_folder: Path) -> None:
    agents: list[dict[str, object]] = [{"command": ["xyzzy", str(n)]} for n in range(6)]
    item = commands(tmp_path, bin_folder, *agents, {"use": "gemini", "prompt": "x"}, gate=["frotz --all"])
    assert item.detail == (
        'xyzzy: not found on PATH (agent "a0", agent "a1", agent "a2", agent "a3" and 2 more); '
        'gemini: not found on PATH (agent "a6"); frotz: not found on PATH (check "frotz --all" of wave "w")'
    )


def test_each_agent_is_looked_up_on_its_own_path(tmp_path: Path, bin_folder: Path) -> None:
    of = plan({"command": ["mytool"]}, {"command": ["mytool"]}, gate=[["mytool"]], min_free_disk=0)
    environments = {"": {"PATH": "/nowhere"}, "a0": {"PATH": str(bin_folder)}}
    item = look(tmp_path, of, environments=environments)["commands"]
    assert item.detail == 'mytool: not found on PATH (agent "a1", check "mytool" of wave "w")'


def test_what_was_found_is_listed(tmp_path: Path, bin_folder: Path) -> None:
    item = commands(tmp_path, bin_folder, {"command": ["mytool"]}, {"use": "claude", "prompt": "x"}, gate=["mytool x"])
    assert item == Item("commands", ok=True, detail="mytool, claude, /bin/sh")
