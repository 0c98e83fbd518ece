"""What agents print: every byte, whatever it is, with streams and times; and it never blocks anybody."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import Daemon, agent_of, assignments, plan_of, wave_of
from wavectl.outputs import NOTICE, RunOutput, tail

MB = 1024 * 1024


@pytest.fixture
def daemon(lent_daemon: Daemon) -> Daemon:
    """The tests of this module share a daemon, but for those that end it (`own_daemon`)."""
    return lent_daemon


def _digest(daemon: Daemon, run: str) -> tuple[int, str]:
    """Size and SHA-256 of a run's output, read through the daemon piece by piece."""
    digest, offset = hashlib.sha256(), 0
    with daemon.client() as client:
        while True:
            asked = {"session": run.partition("/")[0], "run": run, "offset": offset, "limit": 4 * MB}
            found = client.request("logs.read", asked)
            if not found["data"]:
                return offset, digest.hexdigest()
            digest.update(found["data"])
            offset = found["next"]


def test_one_line_of_50_mb_is_kept_whole(daemon: Daemon, workspace: Path) -> None:
    program = f"import sys; sys.stdout.write('x' * {50 * MB})"
    view = daemon.run(plan_of(wave_of("w", agent_of("a", [sys.executable, "-c", program]))), workspace)
    assert view["outcome"] == "succeeded"
    expected = hashlib.sha256(b"x" * (50 * MB)).hexdigest()
    assert _digest(daemon, f"{view['session']}/a#1") == (50 * MB, expected)


def test_raw_binary_is_kept_byte_for_byte(daemon: Daemon, workspace: Path) -> None:
    blob = bytes(range(256)) * 4096
    (workspace / "blob").write_bytes(blob)
    view = daemon.run(plan_of(wave_of("w", agent_of("a", ["cat", "blob"]))), workspace)
    assert _digest(daemon, f"{view['session']}/a#1") == (len(blob), hashlib.sha256(blob).hexdigest())


def test_streams_are_told_apart_in_order_with_times(daemon: Daemon, workspace: Path) -> None:
    command = "echo one; sleep 0.05; echo two >&2; sleep 0.05; echo three"
    view = daemon.run(plan_of(wave_of("w", agent_of("a", command))), workspace)
    session = view["session"]
    with daemon.client() as client:
        found = client.request("logs.read", {"session": session, "run": f"{session}/a#1", "index": True})
    assert found["data"] == b"one\ntwo\nthree\n"
    assert [(stream, offset, length) for _, stream, offset, length in found["records"]] == [
        (1, 0, 4),
        (2, 4, 4),
        (1, 8, 6),
    ]
    times = [time for time, *_ in found["records"]]
    assert times == sorted(times)
    assert times[-1] - times[0] >= 0.1
    assert found["ended"]


def test_the_last_lines_of_a_failure_are_in_its_event(daemon: Daemon, workspace: Path) -> None:
    view = daemon.run(plan_of(wave_of("w", agent_of("a", "seq 100000; echo the end >&2; exit 1"))), workspace)
    ended = next(event for event in daemon.events(view["session"]) if event["kind"] == "run.ended")
    assert "the end" in ended["data"]["tail"]
    assert len(ended["data"]["tail"]) <= 4096


def test_output_over_its_limit_is_rotated_away_and_readers_are_told(daemon: Daemon, workspace: Path) -> None:
    agent = agent_of("a", "seq 1 400000; echo the end")
    view = daemon.run(plan_of(wave_of("w", agent), output_limit="256KB"), workspace)
    run = assignments(view)["a"]["runs"][0]
    printed = b"".join(b"%d\n" % number for number in range(1, 400_001)) + b"the end\n"
    assert run["output_bytes"] == len(printed)
    assert len(printed) - run["rotated_bytes"] <= 256 * 1024
    folder = daemon.state / "sessions" / view["session"] / "runs" / "a.1"
    assert sum(path.stat().st_size for path in folder.glob("output*")) <= 256 * 1024
    with daemon.client() as client:
        output = RunOutput(client, view["session"], run["run"])
        lines = list(output.all_lines())
        assert lines[0].stream == NOTICE
        assert "rotated away" in lines[0].text
        assert b"\n".join(line.data for line in lines[1:]) + b"\n" == printed[run["rotated_bytes"] :]
        assert tail(client, view["session"], run["run"], 2) == ["400000", "the end"]
    shown = subprocess.run(
        [str(Path(sys.executable).with_name("wavectl")), "--socket", str(daemon.socket), "logs", view["session"]],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shown.stdout.splitlines()[0] == lines[0].text, shown.stderr
