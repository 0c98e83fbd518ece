"""Control groups: found only where they are ours to divide, and what is killed in them is killed whole."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import wait_for
from waved.pool import cgroup, tree

FORKER = """
import os, sys, time
os.setsid()
for _ in range(3):
    if os.fork(): time.sleep(600)
print(flush=True)
while True:
    if os.fork() == 0: os._exit(0) if os.getpid() % 2 else time.sleep(600)
    time.sleep(0.005)
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A group of this test's own."""
    found = cgroup.find_home({})
    if found is None:
        pytest.skip("no control group (v2) here that may be divided")
    group = found / f"waved-test-{os.getpid()}"
    group.mkdir()
    yield group
    assert cgroup.end(group)


def test_off_is_off_and_a_folder_that_is_no_group_is_none(tmp_path: Path) -> None:
    assert cgroup.find_home({cgroup.VARIABLE: "off"}) is None
    assert cgroup.find_home({cgroup.VARIABLE: str(tmp_path)}) is None
    assert list(tmp_path.iterdir()) == []


def test_as_root_a_group_is_ours_only_if_it_was_delegated(home: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("an ordinary user's own groups are theirs")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; from waved.pool import cgroup\n"
        "Path(sys.argv[2], 'cgroup.procs').write_text('0'); print(cgroup.find_home({}))\n"
    )

    def found_inside() -> str:
        command = [sys.executable, "-c", program, str(Path(__file__).parents[3]), str(home)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert found_inside() == "None"
    os.setxattr(home, "trusted.delegate", b"1")
    assert found_inside() == str(home)


def test_a_forking_tree_in_a_group_is_killed_at_once(home: Path) -> None:
    enter = "import sys; sys.path.insert(0, sys.argv[1]); from waved.pool import cgroup\n"
    enter += "assert cgroup.enter(sys.argv[2])\n"
    root = str(Path(__file__).parents[3])
    process = subprocess.Popen([sys.executable, "-c", enter + FORKER, root, str(home)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"\n"
    group = cgroup.group_of(home, process.pid)
    wait_for(lambda: len(cgroup.members(group)) > 10)
    members = cgroup.members(group)
    assert process.pid in members
    cgroup.sweep(home)
    assert group.exists(), "a living worker's group is left alone"
    process.kill()
    process.wait()
    process.stdout.close()
    wait_for(lambda: process.pid not in cgroup.members(group))
    assert cgroup.members(group), "what it forked lives on"
    cgroup.sweep(home)
    assert not group.exists()
    assert [pid for pid in members if tree.look(pid) is not None] == []


def test_a_group_that_is_left_over_from_the_same_pid_is_taken_over(home: Path) -> None:
    cgroup.group_of(home, os.getpid()).mkdir()
    pid = os.fork()
    if pid == 0:
        stale = cgroup.group_of(home, os.getpid())
        stale.mkdir()
        os._exit(0 if cgroup.enter(str(home)) == str(stale) and os.getpid() in cgroup.members(stale) else 1)
    assert os.waitpid(pid, 0)[1] == 0
    cgroup.sweep(home)
    assert [entry.name for entry in home.iterdir() if entry.is_dir()] == []
