"""A session's engine on real files: what is written wrong is told, at once, once, and by whom."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from tests.live import wait_for
from waved.errors import ResourceError
from waved.monitors import inspector as inspector_module
from waved.monitors import registry
from waved.monitors.base import GUARD, RESTORED, Batch, Change, Judged, Running, Sighting, Site, Watching
from waved.monitors.engine import Engine
from waved.plan.guards import (
    CorruptionMonitor,
    FileSizeMonitor,
    MonitorBase,
    OwnershipMonitor,
    PluginMonitor,
)

CORRUPTION = CorruptionMonitor(kind="corruption", patterns=["const const"])
BAD = "const const a = 1;\n"
GOOD = "const a = 1;\n"
FRONT = Running("front", "r1", ("client/**",), "execution", 0.0)
BACK = Running("back", "r2", ("server/**",), "execution", 0.0)


class Watched:
    """An engine at work, and all it has said."""

    def __init__(
        self, folder: Path, monitors: Sequence[MonitorBase], first: dict[str, bytes] | None, most_watches: int | None
    ) -> None:
        self.root = folder / "ws"
        self.batches: list[Batch] = []
        self._first = first
        private = folder / "private"
        private.mkdir(exist_ok=True)
        site = Site(self.root, private, baseline=self._baseline)
        self.engine = Engine(monitors, site, self.batches.append, most_watches)
        self.engine.start()
        self._tokens = 0

    def _baseline(self, path: str) -> bytes | None:
        if self._first is None:
            raise LookupError(path)
        return self._first.get(path)

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def judge(self) -> Judged:
        self._tokens += 1
        token = f"t{self._tokens}"
        self.engine.judge(token)
        return wait_for(
            lambda: next((each for b in list(self.batches) for each in b.judged if each.token == token), None)
        )

    @property
    def sightings(self) -> list[Sighting]:
        return [sighting for batch in list(self.batches) for sighting in batch.sightings]

    @property
    def changes(self) -> list[Change]:
        return [change for batch in list(self.batches) for change in batch.changes]

    @property
    def problems(self) -> list[str]:
        return [problem for batch in list(self.batches) for problem in batch.problems]

    def seen(self, count: int) -> list[Sighting]:
        return wait_for(
            lambda: self.sightings if len(self.sightings) >= count else None, what=lambda: str(self.batches)
        )


Watch = Callable[..., Watched]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    root = tmp_path / "ws"
    root.mkdir()
    (root / "client").mkdir()
    (root / "client" / "old.ts").write_text(GOOD)
    made: list[Watched] = []
    threads, descriptors = threading.active_count(), _descriptors()

    def watching(
        *monitors: MonitorBase, first: dict[str, bytes] | None = None, most_watches: int | None = None
    ) -> Watched:
        watched = Watched(tmp_path, monitors or (CORRUPTION,), first, most_watches)
        made.append(watched)
        watched.engine.set_running([FRONT, BACK])
        watched.judge()
        return watched

    yield watching
    for watched in made:
        watched.engine.close()
    assert not list((tmp_path / "private").glob("*"))
    wait_for(lambda: threading.active_count() <= threads)
    wait_for(lambda: _descriptors() <= descriptors)
    assert not [each for each in psutil.Process().children() if "inspector_main" in " ".join(each.cmdline())]


def test_the_engine_is_what_the_reactor_expects(watch: Watch) -> None:
    engine: Watching = watch().engine
    assert callable(engine.judge)


def test_a_corrupt_line_is_told_with_its_writer_and_cleared_when_it_is_mended(watch: Watch) -> None:
    watched = watch()
    watched.write("client/a.ts", BAD)
    (seen,) = watched.seen(1)
    assert (seen.monitor, seen.path, seen.line, seen.assignment, seen.run) == (
        "corruption",
        "client/a.ts",
        1,
        "front",
        "r1",
    )
    assert seen.severity == "critical"
    assert "const const a = 1;" in seen.evidence
    watched.write("client/a.ts", GOOD)
    over = watched.seen(2)[1]
    assert (over.cleared, over.subject) == (True, "client/a.ts")
    assert watched.judge() == Judged("t2")


def test_the_same_corruption_for_ever_is_told_each_time_it_comes_back(watch: Watch) -> None:
    watched = watch()
    for count in range(1, 6):
        watched.write("client/a.ts", BAD)
        watched.seen(2 * count - 1)
        watched.engine.pause(["client/a.ts"])
        watched.write("client/a.ts", GOOD)
        watched.engine.resume(["client/a.ts"])
        watched.seen(2 * count)
    assert [seen.cleared for seen in watched.sightings] == [False, True] * 5
    watched.write("client/a.ts", BAD)
    watched.seen(11)
    watched.write("client/a.ts", BAD)
    watched.judge()
    assert len(watched.sightings) == 11


def test_judging_takes_in_all_and_waits_for_nothing_to_settle(watch: Watch) -> None:
    watched = watch(CorruptionMonitor(kind="corruption", settle=3600))
    watched.write("client/a.py", "def def f():\n")
    watched.write("client/b.py", "x = 1\n")
    (client,) = watched.judge().bad
    assert client.path == "client/a.py"


def test_what_waved_restores_is_nobodys_doing(watch: Watch) -> None:
    watched = watch()
    watched.write("client/a.ts", BAD)
    watched.seen(1)
    watched.engine.pause(None)
    watched.write("client/a.ts", GOOD)
    watched.write("client/b.ts", BAD)
    watched.engine.resume(None)
    assert [each.path for each in watched.judge().bad] == ["client/b.ts"]
    wait_for(lambda: any(change.how == RESTORED for change in watched.changes))
    told = {change.path: change for change in watched.changes if change.how == RESTORED}
    assert {"client/a.ts", "client/b.ts"} >= set(told)
    assert all(change.writer == "" for change in told.values())
    assert next(seen for seen in watched.sightings if seen.path == "client/b.ts").assignment == ""
    watched.write("client/c.ts", GOOD)
    wait_for(lambda: any(change.path == "client/c.ts" and change.writer == "front" for change in watched.changes))


def test_a_change_belongs_to_who_ran_when_it_was_made(watch: Watch) -> None:
    watched = watch()
    for number in range(20):
        watched.write(f"docs/{number}", "x")
        watched.engine.set_running([FRONT] if number % 2 else [BACK])
        watched.judge()
    watched.write("docs/last", "x")
    watched.engine.set_running([])
    watched.judge()
    watched.write("docs/later", "x")
    watched.judge()
    writers = {change.path: change.writer for change in watched.changes if change.path.startswith("docs/")}
    assert writers["docs/last"] == "front"
    assert writers["docs/later"] == ""
    assert [writers[f"docs/{number}"] for number in range(1, 20)] == [
        "back" if n % 2 else "front" for n in range(1, 20)
    ]


def test_ownership_is_told_when_the_agents_own_output_says_so(watch: Watch) -> None:
    watched = watch(OwnershipMonitor(kind="ownership"))
    watched.engine.wrote("back", str(watched.root / "client/a.ts"))
    watched.write("client/a.ts", GOOD)
    (seen,) = watched.seen(1)
    assert seen.summary == "back made client/a.ts, which front owns"
    assert watched.judge().bad == (seen,)
    watched.engine.approve("ownership", "client/a.ts")
    assert watched.judge().bad == ()
    watched.write("client/a.ts", BAD)
    assert len(watched.judge().bad) == 1


def test_an_approved_file_is_left_alone_until_it_changes(watch: Watch) -> None:
    watched = watch()
    watched.write("client/a.ts", BAD)
    watched.seen(1)
    watched.engine.approve("corruption", "client/a.ts")
    watched.write("client/a.ts", BAD)
    assert watched.judge().bad == ()
    watched.write("client/a.ts", BAD + BAD)
    assert len(watched.judge().bad) == 1


def test_a_monitor_of_another_wave_is_silent(watch: Watch) -> None:
    watched = watch(CorruptionMonitor(kind="corruption", patterns=["const const"], waves=["quality"]))
    watched.write("client/a.ts", BAD)
    assert watched.judge().bad == ()
    watched.engine.set_running([Running("judge", "r3", (), "quality", 0.0)])
    watched.write("client/b.ts", BAD)
    assert [each.path for each in watched.judge().bad] == ["client/b.ts"]


def test_sizes_and_growth_against_what_was_before(watch: Watch) -> None:
    long = b"x = 1\n" * 400
    monitor = FileSizeMonitor(kind="file-size", paths=["**/*.py"], existing="allow", settle=0.01)
    watched = watch(monitor, first={"client/long.py": long})
    watched.write("client/long.py", "y = 1\n" * 400)
    watched.write("client/new.py", "y = 1\n" * 301)
    watched.write("client/huge.py", "y = 1\n" * 501)
    bad = {each.path: each.severity for each in watched.judge().bad}
    assert bad == {"client/new.py": "warning", "client/huge.py": "critical"}


def test_which_version_is_good(watch: Watch) -> None:
    watched = watch(CORRUPTION, first={"client/broken.py": b"def def\n", "client/a.py": b"x = 1\n"})
    good = watched.engine.is_good
    assert good("corruption", "client/a.py", b"x = 2\n")
    assert not good("corruption", "client/a.py", b"x = \n")
    assert not good("corruption", "client/a.py", b"")
    assert good("corruption", "client/new.txt", b"")
    assert good("corruption", "client/broken.py", b"def def\n")
    assert not good("corruption", "client/broken.py", b"# const const\n")
    assert good("no such monitor", "client/a.py", b"")


def test_a_pattern_without_end_is_told_and_the_others_go_on(watch: Watch) -> None:
    watched = watch(CorruptionMonitor(kind="corruption", patterns=["(a+)+$", "const const"]))
    watched.write("client/a.txt", "a" * 60 + "b\n" + BAD)
    watched.write("client/b.txt", BAD)
    judged = watched.judge()
    assert sorted(each.path for each in judged.bad) == ["client/a.txt", "client/b.txt"]
    assert judged.problem == ""
    (slow,) = [each for each in watched.sightings if each.monitor == GUARD]
    assert slow.summary == 'the pattern "(a+)+$" takes too long on client/a.txt: it was given up'
    assert slow.severity == "warning"


def test_without_an_inspector_it_is_said_that_nothing_is_judged(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: object) -> None:
        raise ResourceError("the inspector of files cannot be started: no memory")

    monkeypatch.setattr(inspector_module.Inspector, "start", start)
    watched = watch()
    watched.write("client/a.ts", BAD)
    judged = watched.judge()
    assert judged.problem == "files cannot be judged: the inspector of files cannot be started: no memory"
    wait_for(lambda: watched.problems == [judged.problem])
    wait_for(lambda: watched.changes)


def test_a_file_removed_while_it_is_read_and_others_that_are_no_files(watch: Watch, tmp_path: Path) -> None:
    watched = watch()
    for number in range(200):
        watched.write(f"client/{number}.ts", BAD)
        (watched.root / f"client/{number}.ts").unlink()
    (tmp_path / "outside").write_text(BAD)
    (watched.root / "client" / "link.ts").symlink_to(tmp_path / "outside")
    os.mkfifo(watched.root / "client" / "pipe.ts")
    assert watched.judge() == Judged("t2")


@pytest.mark.parametrize("how", ["removed", "link"])
def test_a_workspace_that_is_lost_is_told_once_and_not_followed(watch: Watch, tmp_path: Path, how: str) -> None:
    watched = watch()
    if how == "removed":
        shutil.rmtree(watched.root)
        words = "was removed or moved away"
    else:
        watched.root.rename(tmp_path / "moved")
        watched.root.symlink_to(tmp_path / "moved")
        words = "was replaced by a symbolic link"
    lost = wait_for(lambda: [batch.lost for batch in list(watched.batches) if batch.lost])
    if how == "removed":
        assert words in lost[0]
    # Between the two steps it is only gone.
    assert lost[0].startswith(f"the workspace {watched.root} was re")
    if how == "link":
        (tmp_path / "moved" / "client" / "a.ts").write_text(BAD)
    judged = watched.judge()
    assert judged.problem == lost[0]
    watched.engine.pause(None)
    watched.engine.resume(None)
    watched.engine.set_running([])
    assert watched.judge().bad == ()
    assert len([batch for batch in watched.batches if batch.lost]) == 1


def test_a_workspace_that_is_not_there_at_all(tmp_path: Path) -> None:
    watched = Watched(tmp_path, (CORRUPTION,), None, None)
    assert "was removed" in watched.judge().problem
    watched.engine.close()


def test_too_many_folders_are_looked_at_again_and_again_which_is_said(watch: Watch) -> None:
    watched = watch(most_watches=1)
    (problem,) = watched.problems
    assert "more than 1 folders" in problem
    watched.write("client/a.ts", BAD)
    assert watched.seen(1)[0].path == "client/a.ts"
    watched.write("client/b.ts", BAD)
    assert len(watched.judge().bad) == 2
    assert watched.problems == [problem]


def test_a_flood_is_counted_and_one_bad_file_in_it_is_found(watch: Watch) -> None:
    watched = watch()
    process = psutil.Process()
    before = process.memory_info().rss
    for number in range(10_000):
        watched.write(f"client/f{number}.txt", BAD if number == 4321 else "fine\n")
    judged = watched.judge()
    assert judged.problem == ""
    assert [each.path for each in judged.bad] == ["client/f4321.txt"]
    # One that was just being made when a batch went out is told again in the next.
    assert {change.path for change in watched.changes} == {f"client/f{number}.txt" for number in range(10_000)}
    assert max(len(batch.changes) for batch in watched.batches) <= 1000
    # The changes themselves, which this test keeps, are some 6 MB of it.
    assert process.memory_info().rss - before < 40 * 1024 * 1024


def test_at_rest_it_does_nothing(watch: Watch) -> None:
    watched = watch(CORRUPTION, FileSizeMonitor(kind="file-size", paths=["**"]))
    watched.write("client/a.ts", GOOD)
    wait_for(lambda: watched.batches and watched.batches[-1].clean)
    process = psutil.Process()

    def thread_time() -> float:
        return sum(each.user_time + each.system_time for each in process.threads())

    time.sleep(0.2)
    switches, cpu = process.num_ctx_switches().voluntary, thread_time()
    time.sleep(2.0)
    assert process.num_ctx_switches().voluntary - switches < 20
    assert thread_time() - cpu < 0.05


def test_after_changes_in_which_nothing_is_wrong_it_says_so(watch: Watch) -> None:
    watched = watch()
    watched.write("client/a.ts", BAD)
    watched.seen(1)
    wait_for(lambda: watched.changes)
    assert not any(batch.clean for batch in watched.batches if batch.changes)
    watched.write("client/a.ts", GOOD)
    wait_for(lambda: watched.batches[-1].clean)


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


class Licences:
    """A plug-in's monitor: every source file names its licence."""

    interval: float | None = None

    def __init__(self, settings: MonitorBase, site: Site) -> None:
        assert isinstance(settings, PluginMonitor)
        self._word = settings.options["word"]
        self._root = site.workspace

    def wants(self, path: str) -> bool:
        return path.endswith(".ts")

    def changed(self, changes: Sequence[Change]) -> list[Sighting]:
        found = []
        for change in changes:
            if change.kind != "removed" and self._word not in (self._root / change.path).read_text():
                found.append(
                    Sighting("", f"{change.path} names no licence", path=change.path, assignment=change.writer)
                )
        return found

    def sweep(self) -> list[Sighting]:
        return []


def test_a_monitor_of_ones_own(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "find_factory", lambda _: Licences)
    watched = watch(PluginMonitor(kind="licences", options={"word": "Apache"}))
    watched.write("client/a.ts", GOOD)
    watched.write("client/b.ts", "// Apache\n")
    (seen,) = watched.judge().bad
    assert (seen.monitor, seen.subject, seen.assignment) == ("licences", "client/a.ts", "front")
