"""What falls to the daemon from a dead worker is told from what the daemon started for itself."""

from __future__ import annotations

import os
import subprocess

from tests.live import wait_for
from waved.pool import survivors
from waved.workspace import git


def test_git_of_ours_is_no_orphan_and_what_left_our_session_is_one() -> None:
    pipe = subprocess.PIPE
    ours = git.start(("hash-object", "--stdin"), git.environment(), stdin=pipe, stdout=pipe)
    fallen = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        wait_for(lambda: os.getsid(fallen.pid) == fallen.pid)
        found = {process.pid for process in survivors.orphans_of(os.getpid())}
        assert fallen.pid in found
        assert ours.pid not in found
        assert os.getpgid(ours.pid) != os.getpgid(0), "a Ctrl-C of the terminal would end it"
    finally:
        fallen.kill()
        fallen.wait()
        ours.communicate(b"")


def test_the_status_of_a_git_of_ours_is_not_taken_away() -> None:
    ours = git.start(("no-such-command",), git.environment(), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: os.waitid(os.P_PID, ours.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG))
    survivors.reap_orphans()
    assert ours.wait() == 1
