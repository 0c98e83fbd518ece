"""From "edit this file" to the tool that the program at the other end offers for it."""

from __future__ import annotations

import json
import shlex
from typing import Any

from tests.scripted_api.scenario import Call

Offered = dict[str, dict[str, Any]]
"""By name: `{"kind": "function" | "custom" | …, "properties": […]}`."""
Wanted = tuple[str, dict[str, Any] | str]
"""A tool and its arguments; a string for tools that take free text."""

_SHELLS = ("Bash", "bash", "run_shell_command", "exec_command", "shell_command", "shell", "exec", "developer__shell")
_READERS = (("Read", "file_path"), ("read_file", "file_path"), ("read", "filePath"))
_WRITERS = (("Write", "file_path"), ("write_file", "file_path"), ("write", "filePath"))
_EDITORS = (("Edit", "file_path"), ("replace", "file_path"), ("edit", "file_path"))
_OLD_AND_NEW = (("old_string", "new_string"), ("oldString", "newString"), ("before", "after"))


def offered(api: str, body: dict[str, Any]) -> Offered:
    """The tools of a request."""
    found: Offered = {}
    if api == "gemini":
        for group in body.get("tools") or []:
            for tool in group.get("functionDeclarations") or []:
                schema = tool.get("parametersJsonSchema") or tool.get("parameters") or {}
                found[tool["name"]] = {"kind": "function", "properties": list(schema.get("properties") or {})}
        return found
    for tool in body.get("tools") or []:
        tool = tool.get("function") or tool
        schema = tool.get("input_schema") or tool.get("parameters") or {}
        name = tool.get("name") or tool.get("type")
        found[name] = {"kind": tool.get("type", "function"), "properties": list(schema.get("properties") or {})}
    return found


def wanted(call: Call, tools: Offered, folder: str) -> Wanted:
    """The tool and arguments that do it."""
    path = f"{folder}/{call.path}"
    if call.do == "raw":
        return call.tool, call.arguments
    if call.do == "shell":
        return _shell(call.command, tools, folder)
    if call.do == "read":
        for name, key in _READERS:
            if name in tools:
                return name, {_key(tools, name, key): path}
        return _shell(f"cat -- {shlex.quote(path)}", tools, folder)
    if call.do == "write":
        for name, key in _WRITERS:
            if name in tools:
                return name, {_key(tools, name, key): path, "content": call.new}
    for name, key in _EDITORS if call.do == "edit" else ():
        if name in tools:
            properties = tools[name]["properties"]
            old, new = next((words for words in _OLD_AND_NEW if words[0] in properties), _OLD_AND_NEW[0])
            arguments = {_key(tools, name, key): path, old: call.old, new: call.new}
            if "instruction" in properties:
                arguments["instruction"] = "scripted"
            return name, arguments
    if "exec_command" in tools or "apply_patch" in tools or "exec" in tools:
        patch = _patch(call)
        if tools.get("apply_patch", {}).get("kind") == "custom":
            return "apply_patch", patch
        return _shell(f"apply_patch <<'PATCH'\n{patch}\nPATCH", tools, folder)
    if call.do == "write":
        return _shell(f"printf %s {shlex.quote(call.new)} > {shlex.quote(path)}", tools, folder)
    old, new = shlex.quote(call.old.strip("\n")), shlex.quote(call.new.strip("\n"))
    script = "import sys; p, a, b = sys.argv[1:]; s = open(p).read(); open(p, 'w').write(s.replace(a, b, 1))"
    return _shell(f"python3 -c {shlex.quote(script)} {shlex.quote(path)} {old} {new}", tools, folder)


def _key(tools: Offered, name: str, key: str) -> str:
    properties = tools[name]["properties"]
    return key if key in properties or not properties else next(k for k in properties if "path" in k.lower())


def _shell(command: str, tools: Offered, folder: str) -> Wanted:
    name = next(name for name in _SHELLS if name in tools)
    properties = tools[name]["properties"]
    if name == "exec":  # codex's "code mode" takes JavaScript
        words = {"cmd": command, "workdir": folder}
        return name, f"const r = await tools.exec_command({json.dumps(words)});\ntext(JSON.stringify(r));"
    if name == "exec_command":
        return name, {"cmd": command}
    if name == "shell" and "workdir" in properties:
        return name, {"command": ["bash", "-lc", command]}
    arguments: dict[str, Any] = {"command": command}
    if "description" in properties:
        arguments["description"] = "scripted"
    if "is_background" in properties:
        arguments["is_background"] = False
    return name, arguments


def _patch(call: Call) -> str:
    """In the form of codex's `apply_patch`."""
    new = "\n".join(f"+{line}" for line in call.new.rstrip("\n").split("\n"))
    if call.do == "write":
        return f"*** Begin Patch\n*** Add File: {call.path}\n{new}\n*** End Patch"
    old = "\n".join(f"-{line}" for line in call.old.rstrip("\n").split("\n"))
    return f"*** Begin Patch\n*** Update File: {call.path}\n@@\n{old}\n{new}\n*** End Patch"


def in_words(call: Call) -> str:
    """For programs that offer no tools (aider): the edit as text, in its "diff" format."""
    if call.do not in ("write", "edit"):
        return ""
    old = call.old if call.do == "edit" else ""
    return f"{call.path}\n```\n<<<<<<< SEARCH\n{old}=======\n{call.new}>>>>>>> REPLACE\n```\n"
