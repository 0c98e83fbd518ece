"""A daemon that is watched: figures for Prometheus and a trace of a session that outlived its daemon."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.live import Daemon, agent_of, plan_of, processes_of, wait_for, wave_of
from tests.unit.telemetry.collector import Collector


@pytest.fixture
def quiet(short_tmp: Path) -> Iterator[Daemon]:
    """A daemon that is not started yet."""
    daemon = Daemon(short_tmp)
    yield daemon
    daemon.end()
    wait_for(lambda: not processes_of(short_tmp), 10, lambda: f"left behind: {processes_of(short_tmp)}")


def configured(daemon: Daemon, text: str) -> tuple[str, str]:
    path = daemon.folder / "waved.toml"
    path.write_text(text)
    return "--config", str(path)


def scraped(path: Path) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """What a unix socket answers, by name and labels."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(str(path))
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: waved\r\n\r\n")
        found = b""
        while piece := client.recv(65536):
            found += piece
    head, _, body = found.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    families = text_string_to_metric_families(body.decode())
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


def test_figures_and_a_trace_over_a_crash_of_the_daemon(quiet: Daemon, workspace: Path) -> None:
    with Collector() as collector:
        place = quiet.folder / "m.sock"
        options = configured(quiet, f'metrics.listen = "{place}"\ntraces.endpoint = "{collector.endpoint}"\n')
        quiet.start(*options)
        loop = "touch up; while [ ! -e go ]; do sleep 0.02; done"
        session = quiet.submit(plan_of(wave_of("w", agent_of("a", loop), agent_of("b", "exit 3"))), workspace)
        wait_for((workspace / "up").exists)
        agents = frozenset({("purpose", "agent"), ("state", "running")})
        failed = frozenset({("purpose", "agent"), ("program", "command"), ("outcome", "failed")})
        wait_for(lambda: scraped(place).get(("waved_runs_ended_total", failed)) == 1)
        figures = scraped(place)
        assert figures["waved_runs", agents] == 1
        assert figures["waved_sessions", frozenset({("state", "running")})] == 1
        assert figures["waved_sessions_submitted_total", frozenset()] == 1
        assert figures["waved_journal_commit_seconds_count", frozenset()] >= 3
        assert session not in str(figures), "no series is named after a session"
        events = figures["waved_journal_events_total", frozenset()]

        quiet.kill()
        quiet.start(*options)
        figures = scraped(place)
        assert figures["waved_sessions_submitted_total", frozenset()] == 0, "folded again, not counted again"
        assert figures["waved_journal_events_total", frozenset()] > events
        (workspace / "go").touch()
        assert quiet.settled(session)["outcome"] == "failed"
        wait_for(lambda: collector.spans)
    root, wave, *runs = collector.spans
    assert (root.name, root.status.code) == ("session t", 2)
    assert wave.parent_span_id == root.span_id
    assert {run.name: run.status.code for run in runs} == {"agent a": 1, "agent b": 2}
    told = [event["data"] for event in quiet.events(session) if event["kind"] == "run.started"]
    journalled = {data["run"]: data for data in told}
    begun = {run.name.split()[1]: run.start_time_unix_nano for run in runs}
    assert begun == {
        run.partition("/")[2].partition("#")[0]: round(data["exec_time"] * 1e9) for run, data in journalled.items()
    }


def test_over_tcp_and_after_a_reload(quiet: Daemon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    quiet.start(*configured(quiet, f'[metrics]\nlisten = "127.0.0.1:{port}"\n'))
    with quiet.client(timeout=30) as client:
        started = client.daemon_status()["started"]
        client.daemon_upgrade()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    assert any(line.startswith("waved_build_info{version=") for line in lines)
    [since] = [float(line.split()[1]) for line in lines if line.startswith("waved_start_time_seconds ")]
    assert since > started


def test_a_collector_that_is_away_costs_nothing(quiet: Daemon, workspace: Path) -> None:
    quiet.start(*configured(quiet, 'traces.endpoint = "http://127.0.0.1:9"\n'))
    plan = plan_of(wave_of("w", agent_of("a", "true")))
    assert quiet.run(plan, workspace)["outcome"] == "succeeded"
    quiet.end()
    log = quiet.log.read_text()
    assert log.count("traces.unsent") <= 1
    assert "Traceback" not in log
