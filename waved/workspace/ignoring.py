"""What the feed does not look at: what git ignores, git's own folders, and what waved itself writes.

The rules of .gitignore files are pathspec's. What git tracks is never ignored, whatever the rules say; git itself is
asked for that, once, because only its index knows.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from waved.plan import globs

PATIENCE = 60.0
"""Seconds git may take to list files."""
MOST_REMEMBERED = 50_000
"""Decisions kept; beyond that they are made anew."""
IGNORE_FILE = ".gitignore"
_LARGEST = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Rules:
    """The lines of one file of rules, and how a path of the workspace is written there."""

    spec: GitIgnoreSpec
    strip: int = 0
    """Characters taken off the path: the file stands that deep in the workspace."""
    prefix: str = ""
    """Put before it: the workspace stands that deep below the file."""


class Ignoring:
    """Says which paths of a workspace are passed over. `own`: patterns of what waved writes; `included`: patterns that
    are looked at although git ignores them."""

    def __init__(self, root: Path, *, own: Sequence[str] = (), included: Sequence[str] = ()) -> None:
        self._root = root
        self._own = tuple(own)
        self._included = tuple(included)
        self._heads = [globs.head(pattern) for pattern in self._included]
        self._tracked: frozenset[str] = frozenset()
        self._tracked_folders: frozenset[str] = frozenset()
        self._weakest: tuple[_Rules, ...] = ()
        self._rules: dict[str, tuple[_Rules, ...]] = {}
        self._folders: dict[str, bool] = {"": False}
        self._files: dict[str, bool] = {}

    def load(self) -> frozenset[str]:
        """Read the rules anew; returns the files of which git says that they are not ignored (none without git).

        Blocks while git lists the files.
        """
        self._rules.clear()
        self._folders = {"": False}
        self._files.clear()
        self._weakest = ()
        self._tracked = self._tracked_folders = frozenset()
        top = self._git("rev-parse", "--show-toplevel").removesuffix(b"\n")
        # A plain folder in a place that a repository around it ignores has nothing to do with that repository.
        if not top or self._git("check-ignore", "."):
            return frozenset()
        self._weakest = tuple(self._rules_from_outside(Path(os.fsdecode(top))))
        self._tracked = self._list("-c", "-i")
        self._tracked_folders = frozenset(above for path in self._tracked for above in _folders_above(path))
        return self._list("-c", "-o")

    def file(self, path: str) -> bool:
        """Whether the file is passed over; the folders it lies in are taken into account."""
        known = self._files.get(path)
        if known is not None:
            return known
        above, _, name = path.rpartition("/")
        if name == ".git" or self._is_own(path):
            answer = True
        elif self._is_included(path) or path in self._tracked:
            answer = False
        else:
            answer = self.folder(above) or self._by_rules(above, path)
        if len(self._files) >= MOST_REMEMBERED:
            self._files.clear()
        self._files[path] = answer
        return answer

    def folder(self, path: str) -> bool:
        """Whether the folder and all in it is passed over."""
        known = self._folders.get(path)
        if known is not None:
            return known
        above, _, name = path.rpartition("/")
        if name == ".git" or self._is_own(path):
            answer = True
        elif path in self._tracked_folders or self._leads_to_included(path):
            answer = False
        else:
            answer = self.folder(above) or self._by_rules(above, path + "/")
        if len(self._folders) >= MOST_REMEMBERED:
            self._folders = {"": False}
        self._folders[path] = answer
        return answer

    def _by_rules(self, above: str, path: str) -> bool:
        # A folder that is looked at only for something in it that is tracked or included ignores all else.
        if above and self._by_rules_of_folder(above):
            return True
        return self._matched(above, path)

    def _by_rules_of_folder(self, path: str) -> bool:
        if path not in self._tracked_folders and not self._leads_to_included(path):
            return False
        above = path.rpartition("/")[0]
        return self._matched(above, path + "/") or bool(above and self._by_rules_of_folder(above))

    def _matched(self, above: str, path: str) -> bool:
        # The rules nearest to the file come last, and the last that says anything counts (gitignore(5)).
        for rules in reversed(self._rules_of(above)):
            include = rules.spec.check_file(rules.prefix + path[rules.strip :]).include
            if include is not None:
                return include
        return False

    def _rules_of(self, folder: str) -> tuple[_Rules, ...]:
        known = self._rules.get(folder)
        if known is not None:
            return known
        inherited = self._rules_of(folder.rpartition("/")[0]) if folder else self._weakest
        spec = _read_rules(self._root / folder / IGNORE_FILE)
        rules = inherited if spec is None else (*inherited, _Rules(spec, strip=len(folder) + 1 if folder else 0))
        if len(self._rules) >= MOST_REMEMBERED:
            self._rules.clear()
        self._rules[folder] = rules
        return rules

    def _is_own(self, path: str) -> bool:
        return any(globs.matches(pattern, path) for pattern in self._own)

    def _is_included(self, path: str) -> bool:
        return any(globs.matches(pattern, path) for pattern in self._included)

    def _leads_to_included(self, path: str) -> bool:
        parts = tuple(path.split("/"))
        return any(head[: len(parts)] == parts[: len(head)] for head in self._heads)

    def _rules_from_outside(self, top: Path) -> Iterator[_Rules]:
        """The rules that stand outside the workspace: the user's, the repository's, those of folders around it."""
        prefix = os.fsdecode(self._git("rev-parse", "--show-prefix").removesuffix(b"\n"))
        named = self._git("config", "--type=path", "--get", "core.excludesFile").removesuffix(b"\n")
        usual = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "git" / "ignore"
        exclude = self._git("rev-parse", "--git-path", "info/exclude").removesuffix(b"\n")
        users = Path(os.fsdecode(named)) if named else usual
        for path in (users, self._root / os.fsdecode(exclude)):
            spec = _read_rules(path, follow=True)
            if spec is not None:
                yield _Rules(spec, prefix=prefix)
        parts = Path(prefix).parts
        for depth in range(len(parts)):
            spec = _read_rules(top.joinpath(*parts[:depth], IGNORE_FILE))
            if spec is not None:
                yield _Rules(spec, prefix="".join(part + "/" for part in parts[depth:]))

    def _list(self, *kinds: str) -> frozenset[str]:
        listed = self._git("ls-files", "-z", *kinds, "--exclude-standard")
        return frozenset(os.fsdecode(name) for name in listed.split(b"\0") if name)

    def _git(self, *words: str) -> bytes:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        try:
            done = subprocess.run(
                ["git", "--no-optional-locks", "-C", str(self._root), *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=PATIENCE,
                check=False,
                env=environment,
            )
        except (OSError, subprocess.TimeoutExpired):
            return b""
        return done.stdout if done.returncode == 0 else b""


def _read_rules(path: Path, *, follow: bool = False) -> GitIgnoreSpec | None:
    # git does not follow a link in the workspace either: the rules of a workspace are its own (gitignore(5)).
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        fd = os.open(path, flags)
    except OSError:
        return None
    try:
        lines = os.fsdecode(os.read(fd, _LARGEST)).splitlines()
    except OSError:
        return None
    finally:
        os.close(fd)
    # "a/**" and "a/*" ignore the same, but only of the second pathspec knows that it does not name "a" itself.
    kept = [re.sub(r"/\*\*/?\s*$", "/*", line) for line in lines if line.strip() and not line.startswith("#")]
    try:
        return GitIgnoreSpec.from_lines(kept)
    except ValueError:
        # git passes over a line it cannot read; so is a file with one read line by line.
        return GitIgnoreSpec.from_lines([line for line in kept if _readable(line)])


def _readable(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def _folders_above(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]
