"""What a tool call is about: which files it reads and writes, what it runs. By the tool's name and its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from waved.agents.activity import MOST_PATHS, ToolCalled, clip

READS = frozenset(
    {"Read", "NotebookRead", "read", "read_file", "read_many_files", "view", "list", "LS", "list_directory"}
)
WRITES = frozenset(
    ("Edit", "MultiEdit", "Write", "NotebookEdit", "edit", "multiedit", "write", "write_file", "replace")
)
_PATHS = ("file_path", "filePath", "notebook_path", "absolute_path", "path", "dir_path")
_MANY_PATHS = ("paths", "file_paths")
_COMMANDS = ("command", "cmd")
_DETAILS = ("pattern", "query", "url", "prompt", "description", "skill", "libraryName", "context7CompatibleLibraryID")


def called(name: object, call: object, arguments: Mapping[str, Any], *, inner: bool = False) -> ToolCalled:
    """The call of a tool, as claude, qwen, gemini, opencode and goose name theirs.

    A tool that is not known by name has its path, if any, in `detail` only: nobody knows what it does with it.
    """
    tool = clip(name)
    bare = tool.rpartition("__")[2]  # goose: "developer__shell"
    paths = tuple(_paths(arguments))
    command = next((clip(arguments[key]) for key in _COMMANDS if isinstance(arguments.get(key), str)), "")
    reads, writes = bare in READS, bare in WRITES
    if bare == "text_editor":  # one tool for both; `command` says which
        reads, writes = command == "view", command != "view"
        command = ""
    detail = next((clip(arguments[key]) for key in _DETAILS if isinstance(arguments.get(key), str)), "")
    if paths and not detail and not reads and not writes:
        detail = paths[0]
    return ToolCalled(tool, clip(call), paths if reads else (), paths if writes else (), command, detail, inner)


def _paths(arguments: Mapping[str, Any]) -> list[str]:
    found = [clip(arguments[key]) for key in _PATHS if isinstance(arguments.get(key), str)]
    for key in _MANY_PATHS:
        if isinstance(arguments.get(key), list):
            found += [clip(path) for path in arguments[key][:MOST_PATHS] if isinstance(path, str)]
    return found
