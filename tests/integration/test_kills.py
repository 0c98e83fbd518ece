"""Whoever is killed, in whatever order: nothing of a run outlives its end, and nobody claims to know what nobody saw.

Tests run twice: with control groups, where the machine lets waved make them, and without; those in which the groups
decide little only with `-m torture`.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live import Daemon, agent_of, assignments, plan_of, processes_of, wait_for, wave_of
from waved.pool import cgroup, tree

SCRUBBED = "(setsid env -i {0} > /dev/null 2>&1 < /dev/null &)"
"""Forked twice, a session of its own, no environment, no descriptor of ours: only ancestry or a group tell."""
MARKED = {
    "environment": "(setsid {0} > /dev/null 2>&1 < /dev/null &)",
    "session": "(env -i {0} > /dev/null 2>&1 < /dev/null &)",
    "pipe": "(setsid env -i {0} < /dev/null &)",
}
"""What is known by one mark alone."""


def hidden(how: str, name: str = "hidden") -> str:
    """A command that leaves a process behind `how`, and goes on when that has written its pid into `name`."""
    inner = f"sh -c 'trap \"\" TERM HUP; echo $$ > {name}.new; mv {name}.new {name}; exec sleep 600'"
    return f"{how.format(inner)}; while [ ! -e {name} ]; do sleep 0.01; done"


@pytest.fixture(params=["groups", "marks"])
def guarded(request: pytest.FixtureRequest, short_tmp: Path) -> Iterator[Daemon]:
    """A running daemon, with and without control groups; nothing of it may be left."""
    if request.param == "groups" and cgroup.find_home({}) is None:
        pytest.skip("no control group (v2) here that may be divided")
    running = Daemon(short_tmp)
    running.environment[cgroup.VARIABLE] = "" if request.param == "groups" else "off"
    running.start()
    try:
        yield running
    finally:
        running.end()
    wait_for(lambda: not processes_of(short_tmp), 10, lambda: f"left behind: {processes_of(short_tmp)}")


MARKS_FIRST = pytest.mark.parametrize(
    "guarded", ["marks", pytest.param("groups", marks=pytest.mark.torture)], indirect=True
)


def has_groups(daemon: Daemon) -> bool:
    """Whether this daemon uses control groups."""
    return daemon.environment[cgroup.VARIABLE] != "off"


def begin(daemon: Daemon, workspace: Path, command: str, **session: Any) -> tuple[str, int, int]:
    """Start a session of one agent and wait until it is up: (session, worker, pid written by the hidden process)."""
    agent = agent_of("a", f"{command}; touch up; sleep 600")
    name = daemon.submit(plan_of(wave_of("w", agent), **session), workspace)
    wait_for((workspace / "up").exists)
    started = wait_for(lambda: [event for event in daemon.events(name) if event["kind"] == "run.started"])
    file = workspace / "hidden"
    return name, started[0]["data"]["worker"], int(file.read_text()) if file.exists() else 0


def zygote_of(daemon: Daemon) -> int:
    """The daemon's present zygote; 0 while there is none."""
    found = [pid for pid in tree.children(daemon.pid) if (one := tree.look(pid)) and one.name == "waved-zygote"]
    return found[0] if found else 0


def kill(pid: int) -> None:
    """kill -9."""
    os.kill(pid, signal.SIGKILL)


def gone(pid: int) -> bool:
    """Nothing of this process runs."""
    return tree.look(pid) is None


def lost(daemon: Daemon, session: str) -> dict[str, Any]:
    """The event that says that the only run is lost."""
    found = wait_for(lambda: [event for event in daemon.events(session) if event["kind"] == "run.ended"])
    assert found[0]["data"]["outcome"] == "lost"
    assert found[0]["data"]["exit_code"] is None
    return dict(found[0])


def test_a_killed_worker_is_noticed_within_a_second_and_all_it_ran_is_ended(guarded: Daemon, workspace: Path) -> None:
    session, worker, left = begin(guarded, workspace, hidden(SCRUBBED))
    at = time.time()
    kill(worker)
    event = lost(guarded, session)
    assert gone(left)
    assert event["time"] - at < 1.0
    view = guarded.settled(session)
    assert (view["state"], assignments(view)["a"]["outcome"]) == ("held", "lost")


@MARKS_FIRST
def test_with_the_zygote_killed_before_the_daemon_ends_what_a_worker_leaves(guarded: Daemon, workspace: Path) -> None:
    session, worker, left = begin(guarded, workspace, hidden(SCRUBBED))
    kill(zygote_of(guarded))
    wait_for(lambda: zygote_of(guarded))
    kill(worker)
    event = lost(guarded, session)
    assert gone(left)
    assert any(line.startswith(f"{left} ") for line in event["data"]["leftovers"])


@MARKS_FIRST
def test_a_zygote_that_is_killed_is_replaced_and_sessions_go_on(guarded: Daemon, workspace: Path) -> None:
    plan = plan_of(
        wave_of("w", agent_of("a", "touch up; while [ ! -e go ]; do sleep 0.01; done; exit 3")),
        wave_of("next", agent_of("b", "touch went-on")),
    )
    plan["wave"][0]["gate"] = {"on_failure": "continue"}
    session = guarded.submit(plan, workspace)
    wait_for((workspace / "up").exists)
    before = zygote_of(guarded)
    kill(before)
    wait_for(lambda: zygote_of(guarded) not in (0, before))
    (workspace / "go").touch()
    view = guarded.settled(session)
    runs = [assignments(view)[key]["runs"][0] for key in "ab"]
    assert [run["exit_code"] for run in runs] == [3, 0]
    assert (workspace / "went-on").exists()
    home = cgroup.find_home({})
    if home is not None:
        workers = [event["data"]["worker"] for event in guarded.events(session) if event["kind"] == "run.started"]
        guarded.end()
        wait_for(lambda: not any(cgroup.group_of(home, worker).exists() for worker in workers))


def test_a_worker_killed_while_there_is_no_daemon_is_found_lost_and_nothing_of_it_lives(
    guarded: Daemon, workspace: Path
) -> None:
    session, worker, left = begin(guarded, workspace, hidden(SCRUBBED))
    guarded.kill()
    kill(worker)
    wait_for(lambda: gone(left), 10, "its zygote, which outlived the daemon, ends it")
    guarded.start()
    lost(guarded, session)
    assert guarded.settled(session)["state"] == "held"


@MARKS_FIRST
def test_an_adopted_worker_that_is_killed_is_noticed_and_its_tree_ended(guarded: Daemon, workspace: Path) -> None:
    session, worker, left = begin(guarded, workspace, hidden(SCRUBBED))
    guarded.kill()
    guarded.start()
    wait_for(lambda: guarded.view(session)["agents"]["running"] == 1)
    at = time.time()
    kill(worker)
    event = lost(guarded, session)
    assert gone(left)
    assert event["time"] - at < 1.0


@MARKS_FIRST
@pytest.mark.parametrize("mark", MARKED)
def test_all_of_waved_killed_at_once_the_next_daemon_ends_what_is_left(
    guarded: Daemon, workspace: Path, mark: str
) -> None:
    session, worker, left = begin(guarded, workspace, hidden(MARKED[mark]))
    zygote = zygote_of(guarded)
    for pid in (zygote, guarded.pid, worker):
        kill(pid)
    assert guarded.process is not None
    guarded.process.wait(10)
    assert not gone(left), "nobody was left to end it"
    guarded.start()
    event = lost(guarded, session)
    assert gone(left)
    if not has_groups(guarded):  # with groups the new zygote ends them before anybody asks
        assert any(line.startswith(f"{left} ") for line in event["data"]["leftovers"])


def test_in_a_group_even_a_process_without_any_mark_is_found(guarded: Daemon, workspace: Path) -> None:
    if not has_groups(guarded):
        pytest.skip("without control groups a process without any mark is nobody's once all its ancestors were killed")
    session, worker, left = begin(guarded, workspace, hidden(SCRUBBED))
    for pid in (zygote_of(guarded), guarded.pid, worker):
        kill(pid)
    assert guarded.process is not None
    guarded.process.wait(10)
    assert not gone(left)
    guarded.start()
    lost(guarded, session)
    assert gone(left)


@MARKS_FIRST
def test_many_workers_killed_at_once_are_all_noticed_soon(guarded: Daemon, workspace: Path) -> None:
    agents = [agent_of(f"a{number}", "setsid sleep 600 & sleep 600") for number in range(24)]
    session = guarded.submit(plan_of(wave_of("w", *agents), on_lost="fail"), workspace)

    def seen() -> list[int]:
        return [event["data"]["worker"] for event in guarded.events(session) if event["kind"] == "run.started"]

    workers = wait_for(lambda: len(found := seen()) == len(agents) and found)
    at = time.time()
    for worker in workers:
        kill(worker)
    assert guarded.settled(session)["outcome"] == "failed"
    ended = [event for event in guarded.events(session) if event["kind"] == "run.ended"]
    assert {event["data"]["outcome"] for event in ended} == {"lost"}
    assert max(event["time"] for event in ended) - at < 2.0
    assert [line for line in processes_of(workspace) if "sleep" in line] == []


@MARKS_FIRST
def test_a_fork_storm_whose_worker_was_killed_is_ended(guarded: Daemon, workspace: Path) -> None:
    storm = "trap '' TERM; while :; do (trap '' TERM; sleep 5 & exec sleep 5) & sleep 0.005; done"
    session, worker, _ = begin(guarded, workspace, f'({storm}) > /dev/null 2>&1 & (setsid sh -c "{storm}" &)')
    kill(worker)
    lost(guarded, session)
    assert [line for line in processes_of(workspace) if "sleep" in line or "trap" in line] == []


@MARKS_FIRST
def test_a_stopped_tree_whose_worker_was_killed_is_ended(guarded: Daemon, workspace: Path) -> None:
    stopped = f"{hidden(SCRUBBED)}; kill -STOP $(cat hidden)"
    session, worker, left = begin(guarded, workspace, stopped)
    kill(worker)
    lost(guarded, session)
    assert gone(left)


@MARKS_FIRST
def test_an_agent_that_kills_its_own_worker_loses_its_run_and_nothing_else(guarded: Daemon, workspace: Path) -> None:
    plan = plan_of(
        wave_of("w", agent_of("suicide", "kill -9 $PPID; sleep 600"), agent_of("other", "sleep 0.5")), on_lost="fail"
    )
    found = assignments(guarded.run(plan, workspace))
    assert (found["suicide"]["outcome"], found["other"]["outcome"]) == ("lost", "succeeded")


@MARKS_FIRST
def test_an_agent_that_signals_its_own_group_hits_only_itself(guarded: Daemon, workspace: Path) -> None:
    view = guarded.run(plan_of(wave_of("w", agent_of("a", "kill -9 0"), agent_of("b", "sleep 0.3"))), workspace)
    found = assignments(view)
    assert found["a"]["runs"][0]["signal"] == signal.SIGKILL
    assert found["a"]["runs"][0]["outcome"] == "signalled"
    assert found["b"]["outcome"] == "succeeded"


@MARKS_FIRST
def test_a_daemon_that_hangs_costs_no_deadline_and_no_truth(guarded: Daemon, workspace: Path) -> None:
    plan = plan_of(
        wave_of(
            "w",
            agent_of("late", "sleep 600", timeout="1s"),
            agent_of("ends", "while [ ! -e go ]; do sleep 0.01; done; touch ended; exit 6"),
            agent_of("killed", "while [ ! -e go ]; do sleep 0.01; done; kill -9 $PPID; sleep 600"),
        ),
        on_lost="fail",
    )
    session = guarded.submit(plan, workspace)
    wait_for(lambda: guarded.view(session)["agents"]["running"] == 3)
    os.kill(guarded.pid, signal.SIGSTOP)
    try:
        (workspace / "go").touch()
        wait_for(
            lambda: (workspace / "ended").exists() and not [line for line in processes_of(workspace) if "sleep" in line]
        )
    finally:
        os.kill(guarded.pid, signal.SIGCONT)
    found = assignments(guarded.settled(session))
    assert found["late"]["outcome"] == "timed-out"
    assert found["ends"]["runs"][0]["exit_code"] == 6
    assert found["killed"]["outcome"] == "lost"


def test_a_descriptor_that_was_passed_outside_does_not_hold_up_the_end(daemon: Daemon, workspace: Path) -> None:
    """The run's stdout is held open by a process that is not of its tree, and that goes on to write into it."""
    address = workspace / "s"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(address))
    listener.listen(1)
    kept: list[int] = []

    def receive() -> None:
        connection, _ = listener.accept()
        with connection:
            kept.extend(socket.recv_fds(connection, 1, 1)[1])
            os.write(kept[0], b"from outside\n")
            connection.sendall(b"x")

    outside = threading.Thread(target=receive)
    outside.start()
    program = (
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect('s')\n"
        "socket.send_fds(s, [b'x'], [1]); s.recv(1); print('from inside', flush=True)\n"
    )
    try:
        began = time.monotonic()
        view = daemon.run(plan_of(wave_of("w", agent_of("a", [sys.executable, "-c", program]))), workspace)
        assert time.monotonic() - began < 10
        outside.join(10)
        assert view["outcome"] == "succeeded"
        assert daemon.output(f"{view['session']}/a#1") == b"from outside\nfrom inside\n"
        with pytest.raises(BrokenPipeError):
            os.write(kept[0], b"nobody reads this")
    finally:
        listener.close()
        for fd in kept:
            os.close(fd)


def test_on_lost_retry_runs_it_again_once_and_says_why(daemon: Daemon, workspace: Path) -> None:
    command = ["sh", "-c", 'cat "$WAVED_PROMPT"; test "$WAVED_ATTEMPT" = 2 || kill -9 $PPID; test "$WAVED_ATTEMPT" = 2']
    agent = agent_of("a", command, prompt="Do it.", backoff="10ms")
    view = daemon.run(plan_of(wave_of("w", agent), on_lost="retry"), workspace)
    runs = assignments(view)["a"]["runs"]
    assert view["outcome"] == "succeeded"
    assert [run["outcome"] for run in runs] == ["lost", "exited"]
    assert b"its worker died" in daemon.output(f"{view['session']}/a#2")


def test_on_lost_retry_does_not_go_on_for_ever(daemon: Daemon, workspace: Path) -> None:
    agent = agent_of("a", "kill -9 $PPID; sleep 600", backoff="10ms")
    view = daemon.run(plan_of(wave_of("w", agent), on_lost="retry"), workspace)
    assert [run["outcome"] for run in assignments(view)["a"]["runs"]] == ["lost", "lost"]
    assert (view["outcome"], assignments(view)["a"]["outcome"]) == ("failed", "lost")


def test_on_lost_fail_counts_it_as_failed_and_never_as_anything_better(daemon: Daemon, workspace: Path) -> None:
    agents = [agent_of("a", "kill -9 $PPID; sleep 600", retries=3), agent_of("b", "touch never", needs=["a"])]
    view = daemon.run(plan_of(wave_of("w", *agents), on_lost="fail"), workspace)
    found = assignments(view)
    assert (view["state"], view["outcome"]) == ("ended", "failed")
    assert (found["a"]["outcome"], found["b"]["outcome"]) == ("lost", "skipped")
    assert len(found["a"]["runs"]) == 1
    assert not (workspace / "never").exists()


def test_on_lost_hold_waits_for_a_person_who_may_have_it_run_again(daemon: Daemon, workspace: Path) -> None:
    agent = agent_of("a", "test -e fixed || { touch fixed; kill -9 $PPID; sleep 600; }", retries=3)
    session = daemon.submit(plan_of(wave_of("w", agent), wave_of("next", agent_of("b", "true"))), workspace)
    view = daemon.settled(session)
    assert (view["state"], len(assignments(view)["a"]["runs"])) == ("held", 1)
    daemon.kill()
    daemon.start()
    assert daemon.view(session)["state"] == "held"
    with daemon.client() as client:
        assert client.retry(session) == ["a"]
    assert daemon.settled(session)["outcome"] == "succeeded"


def test_workers_killed_before_the_start_cost_nothing_but_time(short_tmp: Path, workspace: Path) -> None:
    running = Daemon(short_tmp)
    # Each withdrawal in a row doubles the wait: with a higher chance one of 24 would not be done in time now and then.
    running.environment |= {"WAVED_FAILPOINTS": "worker.after-arm=kill@0.25", "WAVED_FAILPOINTS_SEED": "1"}
    running.environment["WAVED_FAILPOINTS_LOG"] = str(short_tmp / "hits")
    running.start()
    try:
        wave = wave_of("w", *(agent_of(f"a{number}", f"echo {number} >> ledger") for number in range(24)))
        found = assignments(running.run(plan_of(wave), workspace))
    finally:
        running.end()
    assert (short_tmp / "hits").read_text().count("kill") > 0
    assert {item["outcome"] for item in found.values()} == {"succeeded"}
    assert sorted((workspace / "ledger").read_text().split()) == sorted(str(number) for number in range(24))
    assert {run["outcome"] for item in found.values() for run in item["runs"]} <= {"exited", "withdrawn"}
