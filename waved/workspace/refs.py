"""The newest ref of the store, read from git's own files: asking git costs a process, several of them each snapshot.

A store is ours alone and of repository format 0, whose refs are loose files and lines of `packed-refs`
(gitrepository-layout(5), git-pack-refs(1)). What cannot be read so is left to git.
"""

from __future__ import annotations

import re
from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40}\n?")
_PACKED = re.compile(r"^([0-9a-f]{40}) (\S+)$", re.MULTILINE)


class UnreadableRefsError(Exception):
    """Git has to be asked."""


def newest(git_dir: Path, prefix: str) -> tuple[str, str] | None:
    """The last ref below `prefix` (it ends with a slash) by name, and its commit; None when there is none.

    Raises UnreadableRefsError.
    """
    loose = _loose(git_dir / prefix)
    packed = _packed(git_dir / "packed-refs", prefix)
    name = max([*loose, *packed], default="")
    if not name:
        return None
    if name not in loose:
        return prefix + name, packed[name]
    try:
        commit = (git_dir / prefix / name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableRefsError from error
    if not _COMMIT.fullmatch(commit):
        raise UnreadableRefsError
    return prefix + name, commit.strip()


def _loose(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir() if not entry.name.endswith(".lock")]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UnreadableRefsError from error


def _packed(file: Path, prefix: str) -> dict[str, str]:
    try:
        text = file.read_text()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableRefsError from error
    found = {name: commit for commit, name in _PACKED.findall(text) if name.startswith(prefix)}
    return {name.removeprefix(prefix): commit for name, commit in found.items()}
