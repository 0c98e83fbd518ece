"""A worker makes all its processes stand still, and lets exactly those go on."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import wait_for
from tests.unit.pool.conftest import end_of
from tests.unit.pool.worker_talk import heard, spec_of, start
from waved.pool import cgroup, record, tree, worker
from waved.pool.birth import Cradle
from waved.pool.channel import Channel
from waved.pool.survivors import read_marks

TREE = """
import os, sys, threading, time
def beat(name):
    with open(name, "ab", 0) as file:
        while True:
            file.write(b".")
            time.sleep(0.001)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        beat("daemonized")
    os._exit(0)
if os.fork() == 0:
    beat("child")
threading.Thread(target=beat, args=["thread"], daemon=True).start()
beat("main")
"""
BEATS = ("daemonized", "child", "thread", "main")
COMET = """
import os, time
until = time.monotonic() + 20
while time.monotonic() < until:
    if os.fork(): os._exit(0)
    os.setsid()
"""
FORKS = """
import os, time
while True:
    if os.fork() == 0:
        time.sleep(0.02)
        os._exit(0)
    try:
        while os.waitpid(-1, os.WNOHANG)[0]: pass
    except ChildProcessError: pass
"""


def python(folder: Path, program: str) -> str:
    """A shell command that runs a Python program."""
    (folder / "program.py").write_text(program)
    return f"exec {os.path.realpath(sys.executable)} program.py"  # a sandbox does not show an environment in /tmp


def worker_of(folder: Path, key: str = "a") -> int:
    """The pid of a run's worker."""
    return read_marks(folder / key).worker


def states(pid: int) -> set[str]:
    """The states of all threads of all processes below this one that could move."""
    return {tree.state_of(process) for process in tree.descendants(pid) if not tree.waits_for_vfork(process)}


def sizes(folder: Path) -> list[int]:
    """How often each has beaten."""
    return [(folder / name).stat().st_size if (folder / name).exists() else 0 for name in BEATS]


def test_all_stand_still_and_all_go_on(channel: Channel, tmp_path: Path) -> None:
    start(channel, tmp_path, python(tmp_path, TREE))
    wait_for(lambda: all(sizes(tmp_path)))
    channel.send({"freeze": True})
    frozen = heard(channel, "frozen")["frozen"]
    assert (frozen["ok"], frozen["processes"], frozen["detail"]) == (True, 3, "")
    still = sizes(tmp_path)
    assert states(worker_of(tmp_path)) == {"T"}
    channel.send({"freeze": True})
    assert heard(channel, "frozen")["frozen"] == frozen, "a second time says the same"
    assert sizes(tmp_path) == still
    channel.send({"thaw": True})
    wait_for(lambda: all(now > before for now, before in zip(sizes(tmp_path), still, strict=True)))
    channel.send({"stop": {"reason": "enough", "grace": 1.0}})
    assert heard(channel, "ended")["ended"]["outcome"] == "stopped"


def test_what_is_in_a_sandbox_stands_still(channel: Channel, tmp_path: Path) -> None:
    trial = ["bwrap", "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    if shutil.which("bwrap") is None or subprocess.run(trial, capture_output=True, check=False).returncode:
        pytest.skip("no bubblewrap here, or it cannot make a sandbox")
    channel.send({"arm": {**spec_of(tmp_path, "a", python(tmp_path, TREE)), "sandbox": {"network": False}}})
    heard(channel, "armed")
    channel.send({"release": {"timeout": None, "timeout_of": "agent"}})
    heard(channel, "started")
    wait_for(lambda: all(sizes(tmp_path)))
    channel.send({"freeze": True})
    assert heard(channel, "frozen")["frozen"]["ok"]
    still = sizes(tmp_path)
    assert states(worker_of(tmp_path)) == {"T"}
    channel.send({"thaw": True})
    wait_for(lambda: all(now > before for now, before in zip(sizes(tmp_path), still, strict=True)))
    channel.send({"stop": {"reason": "enough", "grace": 1.0}})
    assert heard(channel, "ended")["ended"]["outcome"] == "stopped"


def test_what_the_program_had_stopped_itself_stays_stopped(channel: Channel, tmp_path: Path) -> None:
    start(channel, tmp_path, "sleep 600 & kill -STOP $!; echo $! > pid; wait")
    sleeper = int(wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    found = wait_for(lambda: tree.look(sleeper))
    wait_for(lambda: tree.state_of(found) == "T")
    channel.send({"freeze": True})
    assert heard(channel, "frozen")["frozen"]["ok"]
    channel.send({"thaw": True})
    channel.send({"freeze": True})
    heard(channel, "frozen")  # the thaw is over
    channel.send({"thaw": True})
    wait_for(lambda: states(worker_of(tmp_path)) == {"S", "T"})
    assert tree.state_of(found) == "T"
    channel.send({"stop": {"reason": "enough", "grace": 1.0}})
    heard(channel, "ended")


def test_a_tree_that_forks_in_a_loop_is_caught(channel: Channel, tmp_path: Path) -> None:
    start(channel, tmp_path, python(tmp_path, FORKS))
    wait_for(lambda: len(tree.descendants(worker_of(tmp_path))) > 3)
    channel.send({"freeze": True})
    frozen = heard(channel, "frozen")["frozen"]
    assert frozen["ok"], frozen
    assert states(worker_of(tmp_path)) == {"T"}
    channel.send({"stop": {"reason": "enough", "grace": 0.1}})
    heard(channel, "ended")


def test_one_that_cannot_be_caught_is_reported_in_bounded_time(channel: Channel, tmp_path: Path) -> None:
    start(channel, tmp_path, python(tmp_path, COMET))
    channel.send({"freeze": True})
    frozen = heard(channel, "frozen")["frozen"]
    assert frozen["seconds"] < 5
    assert frozen["ok"] or "still moves" in frozen["detail"]
    channel.send({"stop": {"reason": "enough", "grace": 0.1}})
    heard(channel, "ended")


def test_the_time_limit_stands_still_meanwhile(channel: Channel, tmp_path: Path) -> None:
    start(channel, tmp_path, "sleep 600", timeout=0.3)
    channel.send({"freeze": True})
    heard(channel, "frozen")
    channel.sock.settimeout(0.6)
    with pytest.raises(TimeoutError):
        channel.receive()
    channel.sock.settimeout(20)
    channel.send({"thaw": True})
    assert heard(channel, "ended")["ended"]["outcome"] == "timed-out"


def test_without_a_daemon_it_counts_on(channel: Channel, tmp_path: Path) -> None:
    start(channel, tmp_path, "sleep 600", timeout=0.3)
    channel.send({"freeze": True})
    heard(channel, "frozen")
    channel.close()
    left = wait_for(lambda: record.read_exit(tmp_path / "a"))
    assert left["outcome"] == "timed-out"


def test_a_frozen_tree_hears_that_it_is_to_end(channel: Channel, tmp_path: Path) -> None:
    start(channel, tmp_path, "trap 'echo asked > asked; exit 0' TERM; echo > ready; while :; do sleep 0.01; done")
    wait_for(lambda: (tmp_path / "ready").exists())
    channel.send({"freeze": True})
    heard(channel, "frozen")
    channel.send({"stop": {"reason": "enough", "grace": 20}})
    assert heard(channel, "ended")["ended"]["outcome"] == "stopped"
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_the_next_daemon_is_told(channel: Channel, tmp_path: Path) -> None:
    start(channel, tmp_path, "sleep 600")
    channel.send({"freeze": True})
    heard(channel, "frozen")
    channel.close()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    wait_for(lambda: (tmp_path / "a" / record.CONTROL).exists())
    folder = os.open(tmp_path / "a", os.O_PATH)

    def connected() -> bool:
        try:
            sock.connect(f"/proc/self/fd/{folder}/{record.CONTROL}")
        except ConnectionRefusedError:
            return False
        return True

    wait_for(connected)
    os.close(folder)
    again = Channel(sock)
    sock.settimeout(20)
    assert heard(again, "hello")["hello"]["frozen"] is True
    again.send({"thaw": True})
    again.send({"stop": {"reason": "enough", "grace": 1.0}})
    heard(again, "ended")
    again.close()


def test_one_that_has_not_begun_is_frozen_at_its_start(channel: Channel, tmp_path: Path) -> None:
    channel.send({"freeze": True})  # before there is a run: it was meant for the one before
    channel.send({"arm": spec_of(tmp_path, "a", "sleep 600")})
    heard(channel, "armed")
    for word in ("thaw", "freeze"):
        channel.send({word: True})
    channel.send({"release": {"timeout": None, "timeout_of": "agent"}})
    heard(channel, "started")
    assert heard(channel, "frozen")["frozen"]["ok"]
    assert states(worker_of(tmp_path)) == {"T"}
    channel.send({"stop": {"reason": "enough", "grace": 1.0}})
    heard(channel, "ended")


@pytest.fixture
def grouped() -> Iterator[tuple[Channel, Path]]:
    """A channel to a worker with a control group of its own, and the group."""
    found = cgroup.find_home({})
    if found is None:
        pytest.skip("no control group (v2) here that may be divided")
    home = found / f"waved-test-{os.getpid()}"
    home.mkdir()
    ours, theirs = Channel.pair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        try:
            worker.main(theirs, Cradle.here(home))
        finally:
            os._exit(0)
    theirs.close()
    ours.sock.settimeout(20)
    yield ours, cgroup.group_of(home, pid)
    ours.close()
    assert end_of(pid) in (0, signal.SIGKILL)
    assert cgroup.end(home)


def test_a_group_catches_who_outruns_every_walk(grouped: tuple[Channel, Path], tmp_path: Path) -> None:
    channel, group = grouped
    start(channel, tmp_path, python(tmp_path, COMET))
    channel.send({"freeze": True})
    frozen = heard(channel, "frozen")["frozen"]
    assert frozen["ok"], frozen
    own = worker_of(tmp_path)
    if "control group" in frozen["detail"]:  # else a walk was lucky
        assert cgroup.is_frozen(group)
        assert own not in cgroup.members(group)
        cgroup.sweep(group.parent)
        assert group.exists(), "a worker that has stepped out of its group lives"
    channel.send({"thaw": True})
    channel.send({"freeze": True})
    assert heard(channel, "frozen")["frozen"]["ok"]
    channel.send({"stop": {"reason": "enough", "grace": 0.1}})
    ended = heard(channel, "ended")
    assert ended["ended"]["outcome"] == "stopped"
    assert ended["free"] == ("control group" not in frozen["detail"])
