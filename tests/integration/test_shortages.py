"""When the machine runs short: the daemon stays up and controllable, says what is wrong, loses nothing, and goes on.

The faults are real ones: a small file system that is full, limits on descriptors and processes, memory that runs out.
What needs root or control groups is skipped without them, and says so.
"""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.live import Daemon, agent_of, assignments, plan_of, processes_of, wait_for, wave_of
from tests.small_disks import fill, small_disk
from waved.errors import ResourceError

MB = 1024 * 1024


@pytest.fixture
def state_disk(short_tmp: Path) -> Iterator[Path]:
    """A file system of 12 MB, at the daemon's state folder."""
    with small_disk(short_tmp / "s") as folder:
        yield folder


def ended(daemon: Daemon, session: str, key: str) -> dict[str, object] | None:
    """The assignment once it has ended."""
    found = assignments(daemon.view(session))[key]
    return found if found["state"] == "ended" else None


def problems(daemon: Daemon) -> str:
    with daemon.client() as client:
        return " / ".join(client.daemon_status()["problems"])


def started(workspace: Path) -> list[str]:
    """Who has started, as often as it did."""
    return sorted((workspace / "ledger").read_text().split())


def unkept(wave: Mapping[str, Any]) -> dict[str, Any]:
    """A plan for a machine too short for snapshots: their store wants 64 MB to stay free, and git wants processes."""
    return {**plan_of(wave, min_free_disk=0), "snapshots": {"enabled": False}}


def waiting(name: str, **more: object) -> dict[str, object]:
    return agent_of(
        name, f"echo {name} >> ledger; touch up-{name}; while [ ! -e go-{name} ]; do sleep 0.01; done", **more
    )


def test_a_full_disk_takes_no_new_work_but_leaves_the_control(
    state_disk: Path, daemon: Daemon, workspace: Path
) -> None:
    wave = wave_of(
        "w",
        waiting("a"),
        waiting("b"),
        agent_of("late", "echo late >> ledger", needs=["a"]),
        agent_of("last", "echo last >> ledger", needs=["late"]),
        gate={"on_failure": "continue"},
    )
    session = daemon.submit(unkept(wave), workspace)
    wait_for(lambda: (workspace / "up-a").exists() and (workspace / "up-b").exists())
    filler = fill(state_disk)
    with pytest.raises(ResourceError):
        daemon.submit(unkept(wave_of("w", agent_of("x", "true"))), workspace)
    assert daemon.view(session)["state"] == "running"
    with daemon.client() as client:
        assert [item["session"] for item in client.list()] == [session]
        client.stop(session, "b")
    assert wait_for(lambda: ended(daemon, session, "b"))["outcome"] == "stopped"
    (workspace / "go-a").touch()
    assert wait_for(lambda: ended(daemon, session, "a"))["outcome"] == "succeeded"

    def withdrawn() -> list[dict[str, object]]:
        found = assignments(daemon.view(session))
        return [run for key in ("late", "last") for run in found[key]["runs"] if run["outcome"] == "withdrawn"]

    assert "No space left" in str(wait_for(withdrawn)[0]["reason"])
    assert "full" in problems(daemon)
    filler.unlink()
    assert wait_for(lambda: ended(daemon, session, "last"))["outcome"] == "succeeded"
    assert started(workspace) == ["a", "b", "last", "late"]
    wait_for(lambda: problems(daemon) == "")
    daemon.settled(session)
    assert daemon.run(unkept(wave_of("w", agent_of("x", "true"))), workspace)["outcome"] == "succeeded"


def test_ends_on_a_full_disk_without_a_daemon_are_known_to_the_next(
    state_disk: Path, daemon: Daemon, workspace: Path
) -> None:
    session = daemon.submit(unkept(wave_of("w", waiting("a"), waiting("b"))), workspace)
    wait_for(lambda: (workspace / "up-a").exists() and (workspace / "up-b").exists())
    seen = daemon.events(session)
    daemon.kill()
    filler = fill(state_disk)
    (workspace / "go-a").touch()
    wait_for(lambda: not [line for line in processes_of(workspace) if "go-a" in line])
    assert daemon.start() == "ready"
    assert daemon.view(session)["state"] == "running"
    filler.unlink()
    assert wait_for(lambda: ended(daemon, session, "a"))["runs"][0]["exit_code"] == 0
    (workspace / "go-b").touch()
    assert daemon.settled(session)["outcome"] == "succeeded"
    assert daemon.events(session)[: len(seen)] == seen
    assert started(workspace) == ["a", "b"]


def test_a_full_disk_never_blocks_what_prints(state_disk: Path, daemon: Daemon, workspace: Path) -> None:
    command = f"{sys.executable} -c \"import sys; sys.stdout.write('x' * {30 * MB})\"; touch printed"
    view = daemon.run(unkept(wave_of("w", agent_of("a", command))), workspace)
    run = assignments(view)["a"]["runs"][0]
    assert (workspace / "printed").exists()
    assert run["dropped_bytes"] > 10 * MB
    assert run["output_bytes"] + run["dropped_bytes"] == 30 * MB
    assert run["exit_code"] == 0


@pytest.fixture
def unwritable(daemon: Daemon) -> Iterator[None]:
    """The daemon cannot write to any file at all, until the test says otherwise."""
    before = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
    yield
    if daemon.process is not None and daemon.process.poll() is None:
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, before)


def test_without_a_journal_nothing_is_taken_and_nothing_lost(daemon: Daemon, workspace: Path, unwritable: None) -> None:
    wave = wave_of("w", waiting("a"), agent_of("late", "echo late >> ledger", needs=["a"]))
    session = daemon.submit(plan_of(wave), workspace)
    wait_for((workspace / "up-a").exists)
    wait_for(lambda: assignments(daemon.view(session))["a"]["state"] == "running")
    before = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (0, -1))
    seen = daemon.events(session)
    (workspace / "go-a").touch()
    wait_for(lambda: "cannot be written" in problems(daemon))
    assert daemon.events(session) == seen, "no client is told what is not in the journal"
    with daemon.client() as client:
        for asked in (lambda: client.stop(session), lambda: client.retry(session), lambda: client.resume(session)):
            with pytest.raises(ResourceError, match="cannot be written"):
                asked()
        assert client.list()[0]["session"] == session
    with pytest.raises(ResourceError, match="cannot be written"):
        daemon.submit(plan_of(wave_of("w", agent_of("x", "true"))), workspace)
    assert started(workspace) == ["a"], "nothing is started that is not in the journal"
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, before)
    assert daemon.settled(session)["outcome"] == "succeeded"
    wait_for(lambda: problems(daemon) == "")
    assert started(workspace) == ["a", "late"]
    assert daemon.events(session)[: len(seen)] == seen


def test_what_the_journal_did_not_take_at_once_is_said_and_done_later(
    daemon: Daemon, workspace: Path, unwritable: None
) -> None:
    session = daemon.submit(plan_of(wave_of("w", waiting("a"))), workspace)
    wait_for(lambda: assignments(daemon.view(session))["a"]["state"] == "running")
    before = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (0, -1))
    with daemon.client() as client, pytest.raises(ResourceError, match="not done yet") as caught:
        client.stop(session)
    assert "do not ask again" in caught.value.hint
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, before)
    assert daemon.settled(session)["outcome"] == "stopped"


# --- descriptors and processes ---------------------------------------------------------------------------------------


@pytest.fixture
def limited(short_tmp: Path) -> Iterator[Daemon]:
    """A daemon that may have 256 descriptors."""
    if shutil.which("prlimit") is None:
        pytest.skip("prlimit (util-linux) is not there")
    running = Daemon(short_tmp)
    running.prefix = ["prlimit", "--nofile=256:256", "--"]
    running.start()
    yield running
    running.end()
    wait_for(lambda: not processes_of(short_tmp), 10, lambda: f"left behind: {processes_of(short_tmp)}")


def test_a_wave_larger_than_the_descriptors_runs_in_parts(limited: Daemon, workspace: Path) -> None:
    names = [f"a{number:03}" for number in range(300)]
    wave = wave_of("w", *(agent_of(name, ["sh", "-c", f"echo {name} >> ledger"]) for name in names))
    view = limited.run(plan_of(wave), workspace)
    assert view["outcome"] == "succeeded"
    assert started(workspace) == names
    outcomes = {run["outcome"] for item in assignments(view).values() for run in item["runs"]}
    assert outcomes == {"exited", "withdrawn"}
    wait_for(lambda: problems(limited) == "")


def test_more_connections_than_descriptors_do_not_end_the_daemon(limited: Daemon) -> None:
    held: list[socket.socket] = []
    with limited.client() as client:
        for _ in range(400):
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(str(limited.socket))
            held.append(connection)
            if len(held) % 10 == 0:
                client.daemon_status()
        assert client.daemon_status()["pid"] == limited.pid
    for connection in held:
        connection.close()
    wait_for(lambda: problems(limited) == "")


def control_group(kind: str, name: str) -> Path:
    """A fresh control group (version 1) of this kind; skips where none can be made."""
    root = Path("/sys/fs/cgroup") / kind
    group = root / name
    if not (root / "cgroup.procs").exists():
        pytest.skip(f"no control group for {kind} is mounted at {root}")
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made in {root}: {error.strerror}")
    return group


@pytest.fixture
def contained(short_tmp: Path, request: pytest.FixtureRequest) -> Iterator[Daemon]:
    """A daemon in a control group: `kind`, and what is written into which of its files."""
    kind, settings = request.param
    group = control_group(kind, f"waved-test-{os.getpid()}")
    running = Daemon(short_tmp)
    try:
        for name, value in settings.items():
            (group / name).write_text(value)
        running.prefix = ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"]
        running.start()
        yield running
    finally:
        running.end()
        wait_for(lambda: not (group / "cgroup.procs").read_text().split())
        group.rmdir()
    wait_for(lambda: not processes_of(short_tmp), 10, lambda: f"left behind: {processes_of(short_tmp)}")


@pytest.mark.parametrize("contained", [("pids", {"pids.max": "70"})], indirect=True)
def test_without_processes_to_be_had_runs_wait_and_are_started_once(contained: Daemon, workspace: Path) -> None:
    names = [f"a{number:02}" for number in range(60)]
    # Each stays, without a process more, until all others that can be had are there.
    agents = [agent_of(name, ["sh", "-c", f"echo {name} >> ledger; exec flock -s 9 9< gate"]) for name in names]
    with (workspace / "gate").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        session = contained.submit(unkept(wave_of("w", *agents)), workspace)  # git needs processes of its own
        wait_for(lambda: "no process can be made" in problems(contained))
        assert contained.view(session)["state"] == "running"
    view = contained.settled(session)
    assert view["outcome"] == "succeeded"
    assert started(workspace) == names
    wait_for(lambda: problems(contained) == "")


@pytest.mark.parametrize("contained", [("memory", {"memory.limit_in_bytes": str(200 * MB)})], indirect=True)
def test_when_memory_runs_out_the_agent_goes_and_the_daemon_stays(contained: Daemon, workspace: Path) -> None:
    greedy = agent_of("greedy", [sys.executable, "-c", f"x = bytearray(b'x') * {600 * MB}"])
    view = contained.run(plan_of(wave_of("w", greedy, agent_of("modest", "echo modest >> ledger"))), workspace)
    assert view["outcome"] == "failed"
    run = assignments(view)["greedy"]["runs"][0]
    assert (run["outcome"], run["signal"]) == ("signalled", 9)
    assert assignments(view)["modest"]["outcome"] == "succeeded"
    assert contained.process is not None
    assert contained.process.poll() is None


def test_agents_are_offered_to_the_oom_killer_before_the_daemon(daemon: Daemon, workspace: Path) -> None:
    view = daemon.run(plan_of(wave_of("w", agent_of("a", "cat /proc/self/oom_score_adj"))), workspace)
    own = int(Path(f"/proc/{daemon.pid}/oom_score_adj").read_text())
    assert int(daemon.output(f"{view['session']}/a#1")) > own
