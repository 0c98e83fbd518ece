"""waved never signals a process group: a group's number may be another's by now, 0 or 1 are everybody (invariant 3)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

WAVED = Path(__file__).parents[3] / "waved"
ALLOWED = {
    ("failpoints.py", "kill"): "its own process, by getpid",
}
"""Where a process is signalled by its bare pid, and why that cannot hit another."""


def _calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            module = getattr(function.value, "id", "") if isinstance(function, ast.Attribute) else ""
            yield f"{module}.{name}".lstrip("."), node


@pytest.mark.parametrize("path", sorted(WAVED.rglob("*.py")), ids=lambda path: str(path.relative_to(WAVED)))
def test_no_group_and_no_bare_pid_is_signalled(path: Path) -> None:
    for name, call in _calls(path):
        assert name not in ("os.killpg", "killpg", "os.getpgid", "os.getpgrp", "signal.pthread_kill")
        if name == "os.kill":
            assert (path.name, "kill") in ALLOWED, f"line {call.lineno}: signal by pidfd (waved.pool.tree.send)"
            assert ast.unparse(call.args[0]) == "os.getpid()"


def test_send_refuses_itself_init_and_whoever_is_not_meant() -> None:
    import os
    import signal

    from waved.pool.tree import Process, look, send

    own = look(os.getpid())
    assert own is not None
    assert not send(own, signal.SIGKILL)
    for pid in (1, 0, -1, -os.getpgrp()):
        assert not send(Process(pid, 0, 0, "x", 0), signal.SIGKILL)
    child = os.fork()
    if child == 0:
        signal.pause()
    found = look(child)
    assert found is not None
    other = Process(child, found.start + 1, found.parent, found.name, found.session)
    assert not send(other, signal.SIGKILL), "the pid of another process"
    assert send(found, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
