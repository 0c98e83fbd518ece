"""Which paths belong to a snapshot: what git would show of the folder, and what `include` names.

In a git repository that is `git ls-files --cached --others --exclude-standard` of the user's own git: what it tracks,
and what it does not ignore. Repositories within are asked in turn, so that their files are kept as files. A plain
folder's `.gitignore` files count too. No `.git` is ever looked into.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from waved.plan import globs
from waved.workspace import git
from waved.workspace.records import Skipped, SnapshotError, SnapshotLimits

MOST_NESTED = 500
"""Repositories within the workspace that are asked one by one."""
_LIST = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
_NOT_LITERAL = {"GIT_LITERAL_PATHSPECS": "0"}
"""git check-ignore takes paths literally anyway, and refuses to be told so; "./" guards a leading ":"."""
_UNREADABLE = re.compile(rb"could not open directory '(.*?)/?': (.*)")


class Listing:
    """Asks git for the paths of one workspace. Nothing is written anywhere."""

    def __init__(self, workspace: Path, store: Path, limits: SnapshotLimits) -> None:
        self._workspace = workspace
        self._limits = limits
        self._store = os.fsencode(store.relative_to(workspace)) + b"/" if store.is_relative_to(workspace) else b""
        self._alone = {"GIT_DIR": str(store / "git"), "GIT_INDEX_FILE": str(store / "no-index")}
        self.unreadable: list[Skipped] = []
        """Folders that could not be listed."""

    def begin(self) -> _Running:
        """Start listing the whole workspace; it goes on while other things are looked at."""
        return self._ask(self._workspace, _LIST)

    def paths(self, running: _Running) -> Iterator[bytes]:
        """The paths; those that end in "/" or turn out to be folders are repositories: see `nested`."""
        yield from self._usable(b"", self._finish(running, self._workspace))
        if self._limits.include:
            for path in globs.find(self._workspace, self._limits.include, self._limits.max_include):
                yield from self._usable(b"", [os.fsencode(path)])

    def nested(self, folder: bytes) -> Iterator[bytes]:
        """The paths of a repository within the workspace, or of a folder in place of a submodule."""
        place = self._workspace / os.fsdecode(folder)
        yield from self._usable(folder.rstrip(b"/") + b"/", self._finish(self._ask(place, _LIST), place))

    def below(self, folders: Iterable[bytes]) -> list[bytes] | None:
        """The paths below some folders; None when only a listing of everything can tell."""
        arguments = [*_LIST, "--", *(os.fsdecode(folder) for folder in folders)]
        running = self._ask(self._workspace, arguments)
        found = running.result(self._limits.git_timeout)
        return None if found is None else list(self._usable(b"", found.split(b"\0")))

    def ignored(self, paths: list[bytes]) -> set[bytes] | None:
        """Those of `paths` that git ignores (and `include` does not name); None when git cannot tell."""
        if not paths:
            return set()
        environ = git.environment({**self._where(self._workspace), **_NOT_LITERAL})
        arguments = ("check-ignore", "-z", "--stdin")
        stdin = b"".join(b"./" + path + b"\0" for path in paths)
        status, out, _ = git.call(arguments, environ, self._limits.git_timeout, self._workspace, stdin)
        if status not in (0, 1):
            return None
        found = {path[2:] for path in out.split(b"\0")[:-1]}
        return {path for path in found if not self._included(path)}

    def outside(self, path: bytes) -> bool:
        """Whether no snapshot ever holds `path`: git's own folders, and the store when it lies within."""
        return b".git" in path.split(b"/") or bool(self._store and (path + b"/").startswith(self._store))

    def _included(self, path: bytes) -> bool:
        return any(globs.matches(pattern, os.fsdecode(path)) for pattern in self._limits.include)

    def _usable(self, prefix: bytes, paths: Iterable[bytes]) -> Iterator[bytes]:
        for path in paths:
            whole = prefix + path
            if path and not self.outside(whole):
                yield whole

    def _ask(self, place: Path, arguments: Iterable[str]) -> _Running:
        return _Running(list(arguments), git.environment(self._where(place)), place)

    def _finish(self, running: _Running, place: Path) -> list[bytes]:
        found = running.result(self._limits.git_timeout)
        if found is None and "GIT_DIR" not in running.environ:
            # Their repository is damaged, or being made: its files are still files.
            running = _Running(list(_LIST), git.environment(self._where_alone(place)), place)
            found = running.result(self._limits.git_timeout)
        if found is None:
            raise SnapshotError(f"git cannot list the files of {place}: {running.said[-300:].decode(errors='replace')}")
        prefix = os.fsencode(place.relative_to(self._workspace)) + b"/" if place != self._workspace else b""
        self.unreadable += [
            Skipped(os.fsdecode(prefix + name), why.decode(errors="replace"))
            for name, why in _UNREADABLE.findall(running.said)
        ]
        return found.split(b"\0")

    def _where(self, place: Path) -> dict[str, str]:
        """The variables with which git takes the user's repository there, or else the folder alone."""
        if (place / ".git").exists():
            return {"GIT_CEILING_DIRECTORIES": str(place.parent)}
        if place != self._workspace:
            return self._where_alone(place)
        above = next((folder for folder in place.parents if (folder / ".git").exists()), None)
        if above is None:
            return self._where_alone(place)
        environ = {"GIT_CEILING_DIRECTORIES": str(above.parent)}
        # A repository around the workspace that ignores it says nothing about what is in it.
        arguments = ("check-ignore", "-q", ".")
        asking = git.environment({**environ, **_NOT_LITERAL})
        status, _, _ = git.call(arguments, asking, self._limits.git_timeout, place)
        return environ if status == 1 else self._where_alone(place)

    def _where_alone(self, place: Path) -> dict[str, str]:
        return {**self._alone, "GIT_WORK_TREE": str(place)}


class _Running:
    """A git process that prints paths into a file, so that it never waits for a reader."""

    def __init__(self, arguments: list[str], environ: dict[str, str], place: Path) -> None:
        self.environ = environ
        self.said = b""
        self._arguments = arguments
        self._out = tempfile.TemporaryFile()  # noqa: SIM115 — closed by result()
        self._err = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = git.start(
                arguments,
                environ,
                place,
                stdin=subprocess.DEVNULL,
                stdout=self._out.fileno(),
                stderr=self._err.fileno(),
            )
        except BaseException as error:
            self._out.close()
            self._err.close()
            if isinstance(error, OSError):
                raise SnapshotError(f"git cannot be started in {place}: {error.strerror}") from None
            raise

    def result(self, timeout: float) -> bytes | None:
        """What it printed; None when it failed."""
        with self._out, self._err:
            try:
                status = self._process.wait(timeout)
            except BaseException as error:
                self.end()
                if isinstance(error, subprocess.TimeoutExpired):
                    raise SnapshotError(f"git {self._arguments[0]} took longer than {timeout:g} s") from None
                raise
            self._err.seek(0)
            self.said = self._err.read(1024 * 1024)
            if status:
                return None
            self._out.seek(0)
            return self._out.read()

    def end(self) -> None:
        """End the process, if nobody wants its answer any more."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._out.close()
        self._err.close()
