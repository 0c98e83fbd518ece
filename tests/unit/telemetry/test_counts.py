"""What has happened, in numbers: each counted once, series bounded, and the text that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.parser import text_string_to_metric_families

from tests.unit.domain.driving import Driver, Guarded, agent, one_wave
from waved.domain import events as ev
from waved.telemetry.catalogue import FIGURES, MOST_VALUES, OTHER
from waved.telemetry.counts import Counts, Reading
from waved.telemetry.exposition import render


def counted(driver: Driver, counts: Counts | None = None) -> Reading:
    """All that a driver has seen."""
    counts = counts or Counts()
    for event in driver.log:
        counts.heed(event, driver.session)
    return counts.reading({})


def total(reading: Reading, name: str, *labels: str) -> float:
    """The sum over series whose labels begin so."""
    return sum(value for (of, has), value in reading.values.items() if of == name and has[: len(labels)] == labels)


def test_runs_and_assignments_by_program_and_outcome() -> None:
    driver = Driver(one_wave(agent("a"), {"name": "b", "use": "claude", "prompt": "x", "retries": 1}))
    driver.do(ev.RunStarted("s", "s/a#1", 11, exec_time=100.0), ev.RunStarted("s", "s/b#1", 12, exec_time=100.002))
    driver.now = 107.0
    driver.ends("a#1", cpu_seconds=1.5, output_bytes=10, end_time=107.0)
    driver.ends("b#1", code=1, judged=False, end_time=107.0)
    driver.at(300.0)
    driver.ends("b#2", outcome="signalled", cause="oom")
    reading = counted(driver)
    assert total(reading, "waved_runs_started", "agent", "command") == 1
    assert total(reading, "waved_runs_ended", "agent", "command", "succeeded") == 1
    assert total(reading, "waved_runs_ended", "agent", "claude", "failed") == 1
    assert total(reading, "waved_runs_ended", "agent", "claude", "oom") == 1
    assert total(reading, "waved_retries", "claude") == 1
    assert total(reading, "waved_assignments_ended", "command", "succeeded") == 1
    assert total(reading, "waved_assignments_ended", "claude", "failed") == 1
    assert total(reading, "waved_sessions_ended", "failed") == 1
    assert total(reading, "waved_run_cpu_seconds", "agent", "command") == 1.5
    assert total(reading, "waved_output_bytes") == 10
    seconds = reading.heaps["waved_run_seconds", ("agent", "command")]
    assert (sum(seconds.counts), seconds.total) == (1, 7.0)
    skew = reading.heaps["waved_start_skew_seconds", ()]
    assert (sum(skew.counts), round(skew.total, 6)) == (1, 0.002)


def test_of_totals_only_what_is_new_is_counted_also_after_a_restart() -> None:
    driver = Driver(one_wave({"name": "a", "use": "claude", "prompt": "x"}))
    driver.do(ev.RunStarted("s", "s/a#1", 11, exec_time=100.0))
    for tokens in (100, 100, 250):
        usage = {"input": tokens, "output": 10, "cached": 50, "cost": tokens / 1000}
        driver.do(ev.RunActed("s", "s/a#1", "thinking", usage=usage))
    reading = counted(driver)
    assert total(reading, "waved_tokens", "claude", "input") == 250
    assert total(reading, "waved_tokens", "claude", "output") == 10
    assert total(reading, "waved_tokens", "claude", "cached") == 50
    assert total(reading, "waved_cost_dollars", "claude") == 0.25

    # The next daemon adopts the run: what it had used is not its own to count.
    after = Counts([driver.session])
    driver.ends("a#1", judged=True, acted={"usage": {"input": 300, "output": 10, "cached": 50, "cost": 0.3}})
    for event in driver.log:
        if isinstance(event, ev.RunEnded):
            after.heed(event, driver.session)
    assert total(after.reading({}), "waved_tokens") == 50
    assert round(total(after.reading({}), "waved_cost_dollars"), 6) == 0.05


def test_guards() -> None:
    plan = one_wave(agent("a", owns=["**"]))
    plan["monitor"] = [{"kind": "corruption", "paths": ["**"], "patterns": ["const const"]}]
    plan["notify"] = [{"command": "true"}]
    driver = Guarded(plan)
    driver.do(ev.RunStarted("s", "s/a#1", 11, exec_time=100.0))
    driver.finds("x.js", by="a")
    driver.frozen("a#1")
    driver.taken("s2")
    driver.restored("r1", paths=["x.js"])
    reading = counted(driver)
    assert total(reading, "waved_findings", "corruption", "warning") == 1
    assert total(reading, "waved_reactions", "rollback-file") == 1
    assert total(reading, "waved_rollbacks", "true") == 1
    assert total(reading, "waved_files_restored") == 1
    assert total(reading, "waved_alerts", "warning") == 1
    assert total(reading, "waved_snapshots", "true") == 2


def test_names_from_plans_are_bounded() -> None:
    counts = Counts()
    for number in range(3 * MOST_VALUES):
        counts.heed(ev.FindingMade("s", f"f{number}", f"monitor-{number}", "x"), None)
        counts.heed(ev.ProviderLimited("s", f"provider-{number}", 1.0, 1), None)
    reading = counts.reading({})
    for name in ("waved_findings", "waved_provider_limits"):
        series = [labels for of, labels in reading.values if of == name]
        assert len(series) == MOST_VALUES + 1
        assert total(reading, name) == 3 * MOST_VALUES
    assert total(reading, "waved_findings", OTHER) == 2 * MOST_VALUES


def test_a_reading_does_not_change_with_what_comes_after() -> None:
    counts = Counts()
    counts.time("waved_turn_seconds", 0.1)
    counts.add("waved_defects")
    reading = counts.reading({("waved_problems", ()): 2.0})
    counts.time("waved_turn_seconds", 0.1)
    counts.add("waved_defects")
    assert total(reading, "waved_defects") == 1
    assert sum(reading.heaps["waved_turn_seconds", ()].counts) == 1
    assert total(reading, "waved_problems") == 2


def every_figure() -> Reading:
    """A reading in which each figure of the catalogue has a series."""
    counts = Counts()
    for name, figure in FIGURES.items():
        labels = [f'a "{label}"\n\\' for label in figure.labels]
        if figure.kind == "histogram":
            counts.time(name, 0.02, *labels)
        else:
            counts.add(name, *labels, by=3.0)
    return counts.reading({})


def samples(text: str) -> Iterable[tuple[str, dict[str, str], float]]:
    """What a text says, as Prometheus reads it."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def test_prometheus_reads_every_figure_with_its_labels() -> None:
    kind, text = render(every_figure())
    assert kind.startswith("text/plain; version=0.0.4") or "version=1" in kind
    found = list(samples(text.decode()))
    suffix = {"gauge": "", "counter": "_total", "histogram": "_count"}
    for name, figure in FIGURES.items():
        [(_, labels, value)] = [each for each in found if each[0] == name + suffix[figure.kind]]
        assert labels == {label: f'a "{label}"\n\\' for label in figure.labels}
        assert value == (1.0 if figure.kind == "histogram" else 3.0)
    buckets = [(labels["le"], value) for name, labels, value in found if name == "waved_journal_commit_seconds_bucket"]
    assert buckets[-1] == ("+Inf", 1.0)
    assert ("0.025", 1.0) in buckets
    assert ("0.01", 0.0) in buckets
    assert any(name == "process_resident_memory_bytes" for name, _, _ in found)
