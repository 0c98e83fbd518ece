"""The pre-deployment checklist: what must be so before any agent is started (requirement C1, its first part).

    workspace       is there, a folder, and files can be made in it
    git             answers, when the workspace is a repository
    exclusive       no other session works there
    disk            enough room in the workspace and for waved's own state
    commands        every program the plan names exists
    file sizes      no file is over the limit of a monitor that wants none there to begin with
    sandbox         can be made, and has in it what it is to run
    resources       how the limits of the plan are kept, and which are not
    session-folder  is made

A person can waive an item by its name.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from waved.gates import commands, sizes
from waved.gates.confinement import SANDBOX_PATIENCE, Kept, how_kept, limits_of, sandbox_problem, sandboxed
from waved.gates.shown import shown
from waved.gates.workspace import GIT_PATIENCE, GitStatus, disk_problem, git_status, is_repository, write_problem
from waved.plan.models import Plan

MOST_SIZES = 10
"""Files over their limit that are named."""
PATIENCE = 10.0
"""Seconds an item may take beside git: a file system that is gone must not keep the session waiting for ever."""


@dataclass(frozen=True, slots=True)
class ChecklistRequest:
    """What the checklist is about."""

    plan: Plan
    workspace: Path
    state: Path
    """waved's state folder."""
    environments: Mapping[str, Mapping[str, str]]
    """What an agent's runs will see, by agent name; "" is what the commands of waves' gates see."""
    active: Sequence[tuple[str, str]]
    """The other sessions that have not ended: id and workspace."""
    patience: float = PATIENCE
    private: Sequence[Path] = ()
    """Folders of waved that agents in a sandbox are not to see."""
    kept: Kept = field(default_factory=Kept)
    """How limits of resources are kept here."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item as it was seen, in the words of the event `checklist.checked`."""

    item: str
    ok: bool
    detail: str = ""
    hint: str = ""


def run_checklist(request: ChecklistRequest) -> Iterator[Item]:
    """Look at one item after another; each is given out as soon as it is known.

    Blocks on the file system and on git, for a bounded time, so it belongs on a helper thread. When the workspace is
    of no use, what needs it is not looked at.
    """
    workspace = _Workspace(request)
    item = _patiently(workspace.check, "workspace", request.patience + GIT_PATIENCE)
    yield item
    if item.ok:
        if workspace.git is not None:
            yield _git_item(workspace.git)
        yield _patiently(lambda: _exclusive(request), "exclusive", request.patience)
    yield _patiently(lambda: _disk(request, item.ok), "disk", request.patience)
    if item.ok:
        yield _patiently(lambda: _commands(request), "commands", request.patience)
        if sizes.monitors(request.plan):
            yield _patiently(lambda: _sizes(request), "file sizes", request.patience)
        if limits_of(request.plan):
            yield Item("resources", ok=True, detail=how_kept(request.plan, request.kept))
        if sandboxed(request.plan):
            yield _patiently(lambda: _sandbox(request), "sandbox", request.patience + SANDBOX_PATIENCE)
        if request.plan.session.folder is not None:
            yield _patiently(lambda: _session_folder(request), "session-folder", request.patience)


def _sizes(request: ChecklistRequest) -> Item:
    found, counted = sizes.oversize(request.workspace, request.plan)
    if not found:
        return Item("file sizes", True, f"{counted} file{'' if counted == 1 else 's'} within the limit")
    longest = sorted(found.items(), key=lambda item: -item[1][0])
    named = [f"{shown(path)}: {lines} lines (limit {limit})" for path, (lines, limit) in longest[:MOST_SIZES]]
    more = [f"and {len(found) - MOST_SIZES} more"] if len(found) > MOST_SIZES else []
    hint = 'split them, or allow them with `existing = "allow"`, or waive "file sizes"'
    return Item("file sizes", False, "; ".join([*named, *more]), hint)


def _patiently(look: Callable[[], Item], name: str, patience: float) -> Item:
    """What `look` finds, or an item that says it did not come back in time.

    A call on a file system whose server is gone cannot be ended; its thread is left behind, and ends with the daemon.
    """
    found: list[Item | Exception] = []

    def run() -> None:
        try:
            found.append(look())
        except Exception as error:  # noqa: BLE001 — handed over to the thread that waits, which raises it
            found.append(error)

    thread = threading.Thread(target=run, name=f"checklist-{name}", daemon=True)
    thread.start()
    thread.join(patience)
    if not found:
        hint = "is it on a network file system that is gone?"
        return Item(name, ok=False, detail=f"the file system gave no answer within {patience:g} s", hint=hint)
    result = found[0]
    if isinstance(result, (OSError, RuntimeError)):
        # RuntimeError: pathlib's word for symbolic links that go in a circle.
        reason = (result.strerror if isinstance(result, OSError) else None) or str(result)
        return Item(name, ok=False, detail=f"cannot be looked at: {shown(reason)}")
    if isinstance(result, Exception):
        raise result
    return result


class _Workspace:
    """The item `workspace`; keeps what git said, for the item `git`."""

    def __init__(self, request: ChecklistRequest) -> None:
        self._folder = request.workspace
        self.git: GitStatus | None = None

    def check(self) -> Item:
        problem, hint = self._problem()
        if problem:
            return Item("workspace", ok=False, detail=f"{shown(str(self._folder))} {problem}", hint=hint)
        if not is_repository(self._folder):
            return Item("workspace", ok=True, detail=f"{shown(str(self._folder))}, plain folder")
        self.git = git_status(self._folder)
        told = f", {self.git.text}" if not self.git.problem else ""
        return Item("workspace", ok=True, detail=f"{shown(str(self._folder))}, git repository{told}")

    def _problem(self) -> tuple[str, str]:
        folder = self._folder
        if not folder.exists():
            broken = folder.is_symlink()
            return ("is a symbolic link to nothing" if broken else "does not exist"), "make it, or name another folder"
        if not folder.is_dir():
            return "is not a folder", "name the folder agents are to work in"
        hint = "run the daemon as a user who may use it, or change its permissions"
        if not os.access(folder, os.R_OK | os.X_OK, effective_ids=True):
            return "may not be read", hint
        problem = write_problem(folder)
        return (f"may not be written: {problem}", hint) if problem else ("", "")


def _git_item(status: GitStatus) -> Item:
    if status.problem:
        return Item("git", ok=False, detail=status.problem, hint=status.hint)
    return Item("git", ok=True, detail=status.text)


def _exclusive(request: ChecklistRequest) -> Item:
    mine = request.workspace.resolve()
    for session, folder in request.active:
        theirs = Path(folder).resolve()
        if mine.is_relative_to(theirs) or theirs.is_relative_to(mine):
            where = "here" if mine == theirs else f"in {shown(str(theirs))}"
            detail = f"session {session} works {where}"
            hint = f"wait for it (wavectl wait {session}), stop it, or use another folder, such as a git worktree"
            return Item("exclusive", ok=False, detail=detail, hint=hint)
    return Item("exclusive", ok=True, detail="no other session works here")


def _disk(request: ChecklistRequest, with_workspace: bool) -> Item:
    wanted = request.plan.session.min_free_disk
    places = {"workspace": request.workspace, "waved's state": request.state}
    if not with_workspace:
        del places["workspace"]
    seen = {name: disk_problem(folder, wanted) for name, folder in places.items()}
    problems = [f"{name} ({shown(str(places[name]))}): {problem}" for name, (problem, _) in seen.items() if problem]
    if problems:
        return Item("disk", ok=False, detail="; ".join(problems), hint="make room, or lower session.min_free_disk")
    return Item("disk", ok=True, detail=", ".join(f"{name}: {told}" for name, (_, told) in seen.items()))


def _commands(request: ChecklistRequest) -> Item:
    found, missing = commands.look_up(request.plan, request.workspace, request.environments)
    if missing:
        hints = dict.fromkeys(item.hint for item in missing if item.hint)
        return Item("commands", ok=False, detail="; ".join(item.text for item in missing), hint="; ".join(hints))
    names = ", ".join(shown(name) for name in found[:8]) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
    return Item("commands", ok=True, detail=names or "nothing to look for")


def _sandbox(request: ChecklistRequest) -> Item:
    problem, hint = sandbox_problem(request.plan, request.workspace, request.environments, request.private)
    if problem:
        return Item("sandbox", ok=False, detail=problem, hint=hint)
    names = [shown(agent.name) for agent in sandboxed(request.plan)]
    listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return Item("sandbox", ok=True, detail=f"by bubblewrap: {listed}")


def _session_folder(request: ChecklistRequest) -> Item:
    name = request.plan.session.folder or "."
    root = request.workspace.resolve()
    folder = request.workspace / name
    hint = "session.folder is a path in the workspace, such as docs/session"
    # Looked at before it is made, and after: nothing may be made outside, whatever an agent does meanwhile.
    outside = Item("session-folder", ok=False, detail=f"{shown(name)} leads out of the workspace", hint=hint)
    if Path(name).is_absolute() or ".." in Path(name).parts or not folder.resolve().is_relative_to(root):
        return outside
    existed = folder.is_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        detail = f"{shown(name)} cannot be made: {error.strerror}"
        return Item("session-folder", ok=False, detail=detail, hint=hint)
    if not folder.resolve().is_relative_to(root):
        return outside
    problem = write_problem(folder)
    if problem:
        return Item("session-folder", ok=False, detail=f"{shown(name)} may not be written: {problem}")
    return Item("session-folder", ok=True, detail=f"{shown(name)}{'' if existed else ' (made)'}")
