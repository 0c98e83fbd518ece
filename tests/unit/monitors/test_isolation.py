"""A plug-in's monitor may raise, hang and talk nonsense; it is told, switched off, and nobody else notices."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.live import wait_for
from waved.errors import NotFoundError, WavedError
from waved.monitors import registry
from waved.monitors.base import GUARD, Change, Factory, Monitor, Sighting, Site
from waved.monitors.isolation import MOST_FAILURES, MOST_WAITING, Isolated
from waved.plan.guards import PluginMonitor

SITE = Site(Path("/nowhere"), Path("/nowhere"))


class Told:
    """A monitor that does what a test says."""

    interval: float | None = 60.0

    def __init__(self, act: Callable[[Sequence[Change]], Iterable[Sighting]]) -> None:
        self.told: list[Change] = []
        self.sweeps = 0
        self._act = act

    def wants(self, path: str) -> bool:
        return not path.endswith(".skip")

    def changed(self, changes: Sequence[Change]) -> Iterable[Sighting]:
        self.told += changes
        return self._act(changes)

    def sweep(self) -> Iterable[Sighting]:
        self.sweeps += 1
        return []


class Bench:
    """An isolated monitor, the clock it lives by, and what it says."""

    def __init__(self, monitor: Monitor | None, find: Callable[[str], Factory] | None = None) -> None:
        self.now = 0.0
        self.woken = threading.Event()
        settings = PluginMonitor(kind="licences", paths=["src/**"], settle=0.05)
        self.isolated = Isolated(
            settings, SITE, find or (lambda _: lambda settings, site: monitor), lambda: self.now, self.woken.set
        )

    def tell(self, *paths: str) -> list[Sighting]:
        """Tell it of changes, wait until it has answered, and return what it said."""
        self.isolated.tell([Change(path, "modified") for path in paths])
        self.now += 0.1
        self.woken.clear()
        said = self.isolated.step(sweeping=False, hurry=False)
        wait_for(lambda: said.extend(self.isolated.step(sweeping=False, hurry=False)) or not self.isolated.busy)
        return said


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    release = threading.Event()
    yield release
    release.set()


def test_it_is_told_of_the_paths_it_wants_and_heard() -> None:
    monitor = Told(lambda changes: [Sighting("someone-else", "no licence", path=changes[0].path)])
    bench = Bench(monitor)
    (said,) = bench.tell("src/a.c", "docs/a.md", "src/b.skip")
    assert [change.path for change in monitor.told] == ["src/a.c"]
    assert (said.monitor, said.subject, said.summary) == ("licences", "src/a.c", "no licence")
    bench.isolated.close()


def test_a_file_is_told_of_when_it_has_settled() -> None:
    monitor = Told(lambda _: [])
    bench = Bench(monitor)
    bench.isolated.tell([Change("src/a", "modified")])
    assert bench.isolated.step(sweeping=False, hurry=False) == []
    assert bench.isolated.deadline(sweeping=False) == pytest.approx(0.05)
    assert monitor.told == []
    bench.isolated.step(sweeping=False, hurry=True)
    wait_for(lambda: monitor.told)
    bench.isolated.close()


def test_it_sweeps_when_that_is_due_and_after_a_flood() -> None:
    monitor = Told(lambda _: [])
    bench = Bench(monitor)
    bench.now = 61.0
    bench.isolated.step(sweeping=True, hurry=False)
    wait_for(lambda: monitor.sweeps == 1)
    wait_for(lambda: not (bench.isolated.step(sweeping=True, hurry=False) or bench.isolated.busy))
    bench.tell(*(f"src/{number}" for number in range(MOST_WAITING + 1)))
    assert monitor.sweeps == 2
    assert monitor.told == []
    bench.isolated.close()


def test_one_that_raises_is_told_and_switched_off() -> None:
    bench = Bench(Told(lambda _: 1 / 0))  # type: ignore[arg-type,return-value]
    for count in range(1, MOST_FAILURES + 1):
        (said,) = bench.tell("src/a")
        assert said.monitor == GUARD
        assert "ZeroDivisionError" in said.summary
        assert "Traceback" in said.evidence
        assert ("switched off" in said.summary) == (count == MOST_FAILURES)
    assert bench.isolated.off
    assert bench.tell("src/a") == []


def test_one_that_hangs_is_left_behind(hanging: threading.Event) -> None:
    bench = Bench(Told(lambda _: hanging.wait() and []))  # type: ignore[arg-type,return-value]
    for count in range(1, MOST_FAILURES + 1):
        bench.isolated.tell([Change("src/a", "modified")])
        bench.now += 1
        assert bench.isolated.step(sweeping=False, hurry=False) == []
        assert bench.isolated.busy
        bench.now += 11
        (said,) = bench.isolated.step(sweeping=False, hurry=False)
        assert "did not come back within 10 s" in said.summary
        assert bench.isolated.off == (count == MOST_FAILURES)


def test_nonsense_is_no_sighting() -> None:
    (said,) = Bench(Told(lambda _: ["broken"])).tell("src/a")  # type: ignore[list-item]
    assert "which is no sighting" in said.summary
    (said,) = Bench(Told(lambda _: [Sighting("x", "y", "dreadful")])).tell("src/a")  # type: ignore[arg-type]
    assert "which is no sighting" in said.summary


def test_one_that_cannot_be_found_or_made() -> None:
    def missing(kind: str) -> Factory:
        raise NotFoundError(f'no monitor of kind "{kind}"')

    (said,) = Bench(None, missing).tell("src/a")
    assert 'no monitor of kind "licences"' in said.summary


def test_the_registry_names_what_a_plan_may_say() -> None:
    assert "corruption" in registry.kinds()
    with pytest.raises(NotFoundError) as caught:
        registry.find_factory("corupption")
    assert "corruption" in caught.value.hint


def test_a_broken_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    offers = {
        "gone": (EntryPoint("gone", "no.such.module:Monitor", registry.GROUP),),
        "number": (EntryPoint("number", "math:pi", registry.GROUP),),
        "twice": (EntryPoint("twice", "a:A", registry.GROUP), EntryPoint("twice", "b:B", registry.GROUP)),
        "fine": (EntryPoint("fine", "tests.unit.monitors.test_isolation:Told", registry.GROUP),),
    }
    monkeypatch.setattr(registry, "_offers", lambda: offers)
    for kind, words in (("gone", "cannot be loaded"), ("number", "cannot be called"), ("twice", "offered by")):
        with pytest.raises(WavedError, match=words):
            registry.find_factory(kind)
    assert registry.find_factory("fine").__name__ == "Told"  # type: ignore[attr-defined]
