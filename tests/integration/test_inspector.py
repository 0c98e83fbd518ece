"""The inspector's process: what it reads, what it refuses, and that nothing it meets is anybody else's trouble."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.live import wait_for
from waved.errors import ResourceError
from waved.monitors import inspector as module
from waved.monitors.content import Checks
from waved.monitors.inspector import Inspector
from waved.workspace.inside import open_root

ALL = Checks(("const const",), markers=True, parse=True)


@pytest.fixture
def inspector(tmp_path: Path) -> Iterator[Inspector]:
    (tmp_path / "ws").mkdir()
    root = open_root(tmp_path / "ws")
    made = Inspector(root, largest=1024 * 1024)
    yield made
    made.close()
    os.close(root)


@pytest.fixture
def ws(tmp_path: Path, inspector: Inspector) -> Path:
    return tmp_path / "ws"


def test_it_reads_and_finds(ws: Path, inspector: Inspector) -> None:
    (ws / "sub").mkdir()
    (ws / "sub" / "a.ts").write_text("let a = 1;\nconst const b = 2;\n")
    answer = inspector.examine("sub/a.ts", ALL)
    assert [(each.check, each.line) for each in answer.troubles] == [("pattern const const", 2), ("parse", 2)]
    assert inspector.examine("sub/a.ts", ALL, b"let a = 1;\n").troubles == ()
    assert inspector.search("b+", b"abbba") is True


def test_many_questions_at_once_are_all_answered(ws: Path, inspector: Inspector) -> None:
    for number in range(200):
        (ws / f"{number}.txt").write_text("x\n" * number)
    asked = {inspector.ask(f"{number}.txt", Checks()): number for number in range(200)}
    found: dict[int, int] = {}

    def all_there() -> bool:
        found.update((asked[number], answer.lines) for number, answer in inspector.answers())
        return len(found) == 200

    wait_for(all_there)
    assert found == {number: number for number in range(200)}
    assert not inspector.busy


def test_it_opens_nothing_outside(ws: Path, inspector: Inspector, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("const const\n")
    (ws / "link").symlink_to(tmp_path / "secret")
    (ws / "folder").symlink_to(tmp_path)
    (ws / "inner").symlink_to("real")
    (ws / "real").write_text("const const\n")
    os.mkfifo(ws / "pipe")
    (ws / "dir").mkdir()
    states = {
        path: inspector.examine(path, ALL).state
        for path in ("link", "folder/secret", "inner", "pipe", "dir", "none", "../secret", "/etc/passwd", "", "a\0b")
    }
    assert states == {
        "link": "link",
        "folder/secret": "link",
        "inner": "link",
        "pipe": "special",
        "dir": "special",
        "none": "gone",
        "../secret": "unreadable",
        "/etc/passwd": "unreadable",
        "": "unreadable",
        "a\0b": "unreadable",
    }


def test_large_files_are_not_read(ws: Path, inspector: Inspector) -> None:
    (ws / "a.bin").write_bytes(b"const const\n" * 100_000)
    assert inspector.examine("a.bin", ALL).state == "large"
    (ws / "sparse").touch()
    os.truncate(ws / "sparse", 2**40)
    assert inspector.examine("sparse", ALL).state == "large"


def test_a_pattern_without_end_costs_a_second_and_nothing_else(ws: Path, inspector: Inspector) -> None:
    (ws / "a.txt").write_text("a" * 60 + "b\n")
    assert inspector.examine("a.txt", Checks(("(a+)+$", "ab"))).slow == ("(a+)+$",)
    pid = inspector.pid
    assert inspector.examine("a.txt", Checks(("ab",))).troubles != ()
    assert inspector.pid == pid


def test_a_process_that_dies_costs_only_the_file_it_read(ws: Path, inspector: Inspector) -> None:
    for name in ("a", "b", "c"):
        (ws / name).write_text("const const\n")
    assert inspector.examine("a", ALL).state == "read"
    os.kill(inspector.pid, signal.SIGSTOP)
    asked = [inspector.ask(name, ALL) for name in ("a", "b", "c")]
    os.kill(inspector.pid, signal.SIGKILL)
    found: dict[int, str] = {}
    wait_for(lambda: found.update((number, each.state) for number, each in inspector.answers()) or len(found) == 3)
    assert [found[number] for number in asked] == ["died", "read", "read"]


def test_a_process_that_does_not_answer_is_replaced(
    ws: Path, inspector: Inspector, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ws / "a").write_text("x\n")
    inspector.examine("a", ALL)
    monkeypatch.setattr(module, "PATIENCE", 0.3)
    before = inspector.pid
    os.kill(before, signal.SIGSTOP)
    assert inspector.examine("a", ALL).state == "died"
    assert not psutil.pid_exists(before)
    monkeypatch.undo()
    assert inspector.examine("a", ALL).state == "read"


def test_processes_that_never_answer_are_not_started_for_ever(
    inspector: Inspector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ResourceError, match="ended 3 times without an answer"):
        for _ in range(10):
            inspector.examine("a", ALL)
    inspector.close()
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(ResourceError, match="cannot be started"):
        inspector.examine("a", ALL)


def test_memory_has_its_limit(ws: Path, tmp_path: Path) -> None:
    root = open_root(ws) if ws.exists() else open_root(tmp_path)
    large = Inspector(root, largest=2**31)
    try:
        (ws / "huge.py").write_bytes(b"x = [" + b"1, " * 40_000_000 + b"]\n")
        answer = large.examine("huge.py", Checks(parse=True))
        assert answer.state in ("large", "died") or answer.notes
        (ws / "a.py").write_text("x = 1\n")
        assert large.examine("a.py", ALL).state == "read"
    finally:
        large.close()
        os.close(root)


def test_it_ends_with_whom_it_serves(tmp_path: Path) -> None:
    """Even when that one is killed, and even when it was told to stand still."""
    code = (
        "import sys, time; from waved.monitors.inspector import Inspector\n"
        "from waved.workspace.inside import open_root\n"
        "from waved.monitors.content import Checks\n"
        "i = Inspector(open_root(sys.argv[1])); i.examine('a', Checks()); print(i.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    os.kill(pid, signal.SIGSTOP)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_time_on_the_wall_is_not_held_against_a_file(ws: Path, inspector: Inspector) -> None:
    (ws / "a.txt").write_text("ab\n")
    inspector.examine("a.txt", ALL)
    os.kill(inspector.pid, signal.SIGSTOP)
    number = inspector.ask("a.txt", Checks(("ab",)))
    time.sleep(1.2)
    os.kill(inspector.pid, signal.SIGCONT)
    found: list[tuple[int, object]] = []
    wait_for(lambda: found.extend(inspector.answers()) or found)
    ((answered, answer),) = found
    assert answered == number
    assert not answer.slow  # type: ignore[attr-defined]
