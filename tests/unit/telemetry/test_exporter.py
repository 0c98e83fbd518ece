"""Traces that are sent: to a real collector, once each, over its absence and the daemon's."""

from __future__ import annotations

from pathlib import Path

import pytest
from collector import Collector

from tests.live import wait_for
from tests.unit.domain.driving import Driver, agent, one_wave
from waved.domain import events as ev
from waved.journal.store import Journal
from waved.telemetry.exporter import Exporter, url_of


def session_into(journal: Journal, name: str) -> int:
    """A session that has ended, journalled; returns the number of its end."""
    driver = Driver(one_wave(agent("a"), agent("b")))
    driver.do(ev.RunStarted("s", "s/a#1", 11, exec_time=100.5), ev.RunStarted("s", "s/b#1", 12, exec_time=100.5))
    driver.ends("a#1")
    driver.fails("b#1")
    plan = driver.session.plan.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    events = [ev.SessionSubmitted(name, plan, "/w", time=100.0), *driver.log]
    for number, event in enumerate(events, journal.last_seq + 1):
        event.seq, event.session = number, name
    journal.append(events)
    return journal.last_seq


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.sqlite")


def exporter_of(journal: Journal, endpoint: str) -> Exporter:
    return Exporter(journal.path, journal.path.parent / "traces", journal.last_seq, endpoint, pause=0.05)


def names(collector: Collector) -> list[str]:
    return [span.name for span in collector.spans]


def test_the_address_of_a_collector_is_completed() -> None:
    assert url_of("http://127.0.0.1:4318") == url_of("http://127.0.0.1:4318/") == "http://127.0.0.1:4318/v1/traces"
    assert url_of("https://c.example/otlp/v1/traces") == "https://c.example/otlp/v1/traces"


def test_a_trace_arrives_whole(journal: Journal) -> None:
    with Collector() as collector:
        exporter = exporter_of(journal, collector.endpoint)
        exporter.start()
        session_into(journal, "s")
        exporter.ended()
        wait_for(lambda: len(collector.spans) == 4)
        exporter.close()
    root, wave, good, bad = collector.spans
    assert names(collector) == ["session s", "wave w", "agent a", "agent b"]
    assert collector.paths == ["/v1/traces"]
    assert collector.resources[0]["service.name"] == "waved"
    assert root.parent_span_id == b""
    assert wave.parent_span_id == root.span_id
    assert {good.parent_span_id, bad.parent_span_id} == {wave.span_id}
    assert len({span.trace_id for span in collector.spans}) == 1
    assert (good.status.code, bad.status.code) == (1, 2)
    assert bad.status.message == "exited with status 1"
    assert root.start_time_unix_nano == 100_000_000_000


def test_what_was_sent_is_not_sent_again_and_what_was_not_is_by_the_next_daemon(journal: Journal) -> None:
    session_into(journal, "before")  # traces were switched on after that
    with Collector() as collector:
        first = exporter_of(journal, collector.endpoint)
        first.start()
        session_into(journal, "one")
        first.ended()
        wait_for(lambda: len(collector.spans) == 4)
        wait_for(lambda: (journal.path.parent / "traces").read_text() == f"{journal.last_seq}\n")
        first.close()
        session_into(journal, "two")  # nobody is there to send it
        second = exporter_of(journal, collector.endpoint)
        second.start()
        wait_for(lambda: len(collector.spans) == 8)
        second.close()
    sessions = [
        each.value.string_value for span in collector.spans for each in span.attributes if each.key == "waved.session"
    ]
    assert sessions == ["one"] * 4 + ["two"] * 4


def test_a_collector_that_refuses_is_told_of_once_and_tried_again(
    journal: Journal, capfd: pytest.CaptureFixture[str]
) -> None:
    with Collector() as collector:
        collector.status = 400
        exporter = exporter_of(journal, collector.endpoint)
        exporter.start()
        session_into(journal, "s")
        exporter.ended()
        wait_for(lambda: len(collector.paths) >= 3)
        collector.status = 200
        wait_for(lambda: len(collector.spans) == 4)
        exporter.close()
    told = "".join(capfd.readouterr())
    assert told.count("traces.unsent") == 1
    assert "Traceback" not in told
