"""What a worker is from the start: known by its marks, woken by its children, and forked without needless work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from waved.pool import record, tree
from waved.pool.birth import Cradle, be_born
from waved.pool.claim import TakenError, claim
from waved.pool.linux import SHORT_TURN
from waved.pool.survivors import (
    SPAWNING,
    Marks,
    group_line,
    main_line,
    never_began,
    pipes_line,
    read_marks,
    worker_line,
    zygote_line,
)

ROOT = Path(__file__).parents[3]


def marked(folder: Path, *lines: bytes) -> Marks:
    """What is read from a lock file of these lines."""
    (folder / record.LOCK).write_bytes(b"".join(lines))
    return read_marks(folder)


def test_marks_are_read_back_as_they_were_added(tmp_path: Path) -> None:
    lines = [zygote_line(7, 70), worker_line(8, 80), group_line('/a "b"/c'), pipes_line([5, 6])]
    marks = marked(tmp_path, *lines)
    assert (marks.zygote, marks.zygote_start, marks.worker, marks.worker_start) == (7, 70, 8, 80)
    assert (marks.group, marks.pipes, marks.spawning, marks.main) == ('/a "b"/c', [5, 6], False, 0)
    assert never_began(tmp_path)
    marks = marked(tmp_path, *lines, pipes_line([9, 10]), SPAWNING, main_line(11, 110))
    assert (marks.pipes, marks.spawning, marks.main, marks.main_start) == ([9, 10], True, 11, 110)
    assert not never_began(tmp_path)


def test_a_torn_mark_may_have_been_that_of_the_start(tmp_path: Path) -> None:
    known = zygote_line(7, 70) + worker_line(8, 80)
    for length in range(1, len(SPAWNING) - 1):
        marks = marked(tmp_path, known + SPAWNING[:length])
        assert marks.spawning, SPAWNING[:length]
        assert marks.worker == 8
    assert not never_began(tmp_path)


def test_marks_in_one_line_as_earlier_versions_wrote_them_are_read(tmp_path: Path) -> None:
    boot = json.loads(zygote_line(1, 1))["boot"]
    line = {"boot": boot, "worker": 8, "worker_start": 80, "spawning": True, "main": 9, "pipes": [1], "group": ""}
    marks = marked(tmp_path, json.dumps(line).encode() + b"\n")
    assert (marks.worker, marks.spawning, marks.main, marks.pipes) == (8, True, 9, [1])


def test_marks_of_another_boot_mean_nothing(tmp_path: Path) -> None:
    assert marked(tmp_path, b'{"boot": "another", "worker": 8}\n', SPAWNING) == Marks()


def test_a_run_that_may_have_begun_is_not_claimed_again(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "a.1"
    lock = claim(str(folder), zygote_line(7, 70) + worker_line(8, 80))
    os.write(lock, SPAWNING)
    os.close(lock)
    with pytest.raises(TakenError, match="may have begun"):
        claim(str(folder), b"")


def test_a_worker_knows_itself_and_is_woken_when_a_child_ends(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGCHLD)
    cradle = Cradle.here(None)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            being = be_born(cradle)
            own = tree.look(os.getpid())
            child = os.posix_spawn("/bin/true", ["true"], {})
            os.waitpid(child, 0)
            os.set_blocking(being.wakeup, True)
            woken = os.read(being.wakeup, 1)
            assert own is not None
            ok = woken and own.name == "waved-worker" and own.session == own.pid
            (tmp_path / record.LOCK).write_bytes(being.mark)
            os.write(writing, b"%d" % own.start if ok else b"0")
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        start = int(pipe.read() or b"0")
    os.waitpid(pid, 0)
    signal.signal(signal.SIGCHLD, before)
    marks = read_marks(tmp_path)
    assert (marks.worker, marks.worker_start) == (pid, start)
    assert (marks.zygote, marks.zygote_start) == (os.getpid(), tree.start_of(os.getpid()))


def test_threads_work_in_a_child_of_a_zygote_that_passed_over_the_hook_of_threading() -> None:
    program = (
        "import os, sys; sys.argv = ['waved.pool', '99999']\n"
        "import runpy\n"
        "try: runpy.run_module('waved.pool', run_name='__main__')\n"
        "except OSError: pass\n"  # no line to a daemon: it is ready to fork
        "import random, threading\n"
        "before = random.random()\n"
        "reading, writing = os.pipe()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    said = []\n"
        "    thread = threading.Thread(target=lambda: said.append(threading.active_count()))\n"
        "    thread.start(); thread.join()\n"
        "    os.write(writing, f'{said} {threading.current_thread() is threading.main_thread()}'.encode())\n"
        "    os._exit(0)\n"
        "os.waitpid(pid, 0)\n"
        "print(os.read(reading, 100).decode())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[2] True"


_TURNS = """
import ctypes, os
from waved.pool import linux
def turn():
    numbers = {"x86_64": 315, "aarch64": 275, "riscv64": 275, "ppc64le": 356, "s390x": 346}
    found = ctypes.create_string_buffer(48)
    assert linux._libc.syscall(numbers[os.uname().machine], 0, found, 48, 0) == 0
    return linux._ATTRIBUTES.unpack(found.raw)[5]
PREPARE
linux.run_when_woken()
print(turn(), os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK, os.getpriority(os.PRIO_PROCESS, 0), flush=True)
if os.fork() == 0:
    print(turn(), os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0), flush=True)
"""


def _turns(prepare: str) -> list[list[int]]:
    """Length of a turn (nanoseconds), policy and priority of a process that is to run when it is woken, and of its
    child.
    """
    command = [sys.executable, "-c", _TURNS.replace("PREPARE", prepare)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=30)
    return [[int(word) for word in line.split()] for line in done.stdout.splitlines()]


@pytest.mark.skipif(
    tuple(int(word) for word in os.uname().release.split("-")[0].split(".")[:2]) < (6, 12),
    reason="Linux before 6.12 knows no turns of a process's own",
)
def test_a_worker_has_short_turns_and_what_it_starts_the_usual_ones() -> None:
    own, child = _turns("os.setpriority(os.PRIO_PROCESS, 0, 3)")
    assert own == [SHORT_TURN, os.SCHED_OTHER, 3]
    assert child[0] > SHORT_TURN
    assert child[1:] == [os.SCHED_OTHER, 3]


def test_a_policy_that_somebody_chose_is_left_alone() -> None:
    own, child = _turns("os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))")
    assert own == child
    assert own[0] != SHORT_TURN
    assert own[1] == os.SCHED_BATCH
