"""One session's files under watch: what the engine's thread does between two sleeps. Belongs to that thread alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from waved.errors import WavedError
from waved.monitors import registry
from waved.monitors.base import Change, Judged, Report, Running, Sighting, Site
from waved.monitors.inspector import Inspector
from waved.monitors.isolation import Isolated
from waved.monitors.judging import Hindrance, Judging
from waved.monitors.ledger import Ledger
from waved.monitors.outgoing import Outgoing, Touch
from waved.monitors.pauses import Pauses
from waved.monitors.sweeps import Sweeps
from waved.plan.guards import MonitorBase
from waved.workspace.feed import Feed
from waved.workspace.ignoring import Ignoring

JUDGE_PATIENCE = 15.0
"""Seconds after which `judge` is answered although files are still being written."""
PATIENCE_A_FILE = 0.01
"""Seconds more for each file that waits to be judged."""


class Watch:
    """The feed, the monitors, and what waits to be reported. `wake` may be called by any thread."""

    def __init__(
        self,
        settings: Sequence[MonitorBase],
        site: Site,
        report: Report,
        pauses: Pauses,
        wake: Callable[[], None],
        most_watches: int | None,
    ) -> None:
        self.ledger = Ledger()
        self.outgoing = Outgoing(site.workspace, report)
        self._site = site
        self._pauses = pauses
        self._wake = wake
        self._settings = tuple(settings)
        ignoring = Ignoring(site.workspace, own=site.ignored, included=site.included)
        self._feed = Feed(site.workspace, site.private, ignoring, most_watches)
        self._sweeps = Sweeps(self._feed, registry.sweep_interval(settings))
        self._inspector: Inspector | None = None
        self._judging: Judging | None = None
        self._ownership = registry.ownership_monitors(settings)
        self._plug_ins: list[Isolated] = []
        self._waves_of = {table.label: tuple(table.waves) for table in settings}
        self._running: tuple[Running, ...] = ()
        self._waves: frozenset[str] = frozenset()
        self._restored: set[str] = set()
        self._tokens: dict[str, float] = {}
        self._blind = ""

    def open(self) -> None:
        """Begin. Blocks while the workspace is read for the first time; raises LostError."""
        self._feed.open()
        content = registry.content_monitors(self._settings)
        if content:
            inspector = self._inspector = Inspector(self._feed.root)
            self._judging = Judging(content, inspector, self._site.baseline, time.monotonic)
            self._try(inspector.start)
        for kind in registry.unknown_kinds(self._settings):
            self.outgoing.problem(f'no installed package offers monitors of kind "{kind}": nothing is watched by it')
        for table in registry.plug_ins(self._settings):
            self._plug_ins.append(Isolated(table, self._site, registry.find_factory, time.monotonic, self._wake))

    def close(self) -> None:
        """Leave nothing behind but a plug-in's thread that hangs."""
        for plug_in in self._plug_ins:
            plug_in.close()
        if self._inspector is not None:
            self._inspector.close()
        self._feed.close()

    def descriptors(self) -> list[int]:
        """What to wait for."""
        found = [self._feed.fileno()]
        if self._inspector is not None and self._inspector.busy:
            found.append(self._inspector.fileno())
        return [fd for fd in found if fd >= 0]

    def deadline(self) -> float | None:
        """When there is something to do even if nothing happens."""
        running = bool(self._running)
        times = [self.outgoing.deadline(), self._sweeps.deadline(running=running), *self._tokens.values()]
        times += [plug_in.deadline(sweeping=running) for plug_in in self._plug_ins]
        if self._judging is not None:
            times.append(self._judging.deadline())
        return min((when for when in times if when is not None), default=None)

    def turn(self) -> None:
        """Take in what happened, and do what is due. Raises LostError."""
        self._take_in()
        self._sweeps.advance(running=bool(self._running))
        self._take_in()
        if self._feed.polling:
            self.outgoing.problem(
                f"{self._feed.polling}: changes in {self._site.workspace} are found by looking at all files again and "
                "again, which takes longer; raise the limit (fs.inotify, see inotify(7)), or name large folders in "
                ".gitignore"
            )
        for plug_in in self._plug_ins:
            self._saw(plug_in.step(sweeping=bool(self._running), hurry=bool(self._tokens)))
        self._try(self._look)
        self.outgoing.send(time.monotonic(), clean=self._is_clean(), judged=self._answers())

    def set_running(self, running: tuple[Running, ...]) -> None:
        """Who is at work from now on."""
        # What was written until now was written by who ran until now; where nobody did, by who has just begun: an agent
        # may have written something before this thread hears of it.
        began = bool(running) and not self._running
        if began:
            self._running = running
        self._take_in()
        if began:
            self._sweeps.agents_began()
        self._running = running
        if running:
            self._waves = frozenset(run.wave for run in running)
        for monitor in self._ownership:
            monitor.running(running)

    def approve(self, monitor: str, path: str) -> None:
        """Be silent about the file until it changes."""
        self.ledger.approve(monitor, path)
        for table in self._ownership:
            if table.label == monitor:
                table.approve(path)

    def judge(self, token: str) -> None:
        """Answer `token` when every change made before now is judged."""
        self._flush()
        waiting = len(list(self._judging.unjudged())) if self._judging is not None else 0
        self._tokens[token] = time.monotonic() + JUDGE_PATIENCE + PATIENCE_A_FILE * waiting
        if self._judging is not None:
            self._judging.hurry(True)

    def resume(self, paths: tuple[str, ...] | None) -> None:
        """waved has written what it had to."""
        self._flush()
        self._pauses.lift(paths)
        again = {path for path in self._restored | set(paths or ()) if not self._pauses.covers(path)}
        self._restored -= again
        for path in again:
            self._to_judge(path)

    def open_sightings(self) -> tuple[Sighting, ...]:
        """What is wrong now, as far as monitors of this wave see."""
        return tuple(each for each in self.ledger.open if self._is_active(each.monitor))

    def had_content(self, path: str) -> bool:
        """Whether there was something in the file when it was last found good; may be asked by any thread."""
        return self._judging is not None and self._judging.had_content(path)

    def tokens(self) -> list[str]:
        """The questions that have not been answered."""
        return list(self._tokens)

    # --- changes --------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        complete = self._feed.flush()
        self._take_in()
        if not complete or self._feed.must_sweep:
            self._sweeps.whole()
            self._take_in()

    def _take_in(self) -> None:
        """What is known to have changed, attributed to who is at work and given to the monitors."""
        self._feed.read()
        if not self._feed.has_changes:
            return
        now = time.monotonic()
        told: list[Change] = []
        for found in self._feed.take():
            touch = Touch(now, self._running, self._pauses.covers(found.path))
            self.outgoing.changed(found.path, found.kind, touch)
            self.ledger.changed(found.path)
            if touch.restored:
                self._restored.add(found.path)
            else:
                self._to_judge(found.path)
            if self._ownership or self._plug_ins:
                told.append(self.outgoing.attributed(found.path, found.kind, touch))
        for monitor in self._ownership:
            if self._is_active(monitor.label):
                self._saw(monitor.changed([change for change in told if monitor.wants(change.path)]))
        for plug_in in self._plug_ins:
            if self._is_active(plug_in.label):
                plug_in.tell(told)

    def _to_judge(self, path: str) -> None:
        if self._judging is not None and not self._blind and self._judging.wants(path):
            self._judging.changed(path)

    # --- judgement ------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        for found in self._judging.step() if self._judging is not None and not self._blind else ():
            if isinstance(found, Hindrance):
                sighting = self.ledger.hindered(found)
            elif self._pauses.covers(found.path):
                # It is judged again when it has been written.
                continue
            elif found.verdict is not None and not self._is_active(found.monitor):
                continue
            else:
                sighting = self.ledger.judged(found, self.outgoing.writer(found.path))
            if sighting is not None:
                self.outgoing.sightings.append(sighting)

    def _saw(self, sightings: Iterable[Sighting]) -> None:
        told = [self.ledger.told(sighting) for sighting in sightings]
        self.outgoing.sightings += [sighting for sighting in told if sighting is not None]

    def _try(self, call: Callable[[], None]) -> None:
        """Without an inspector nothing that stands in files can be judged; that is told, and all else goes on."""
        try:
            call()
        except WavedError as error:
            self._blind = f"files cannot be judged: {error.message}"
            self.outgoing.problem(self._blind)
            if self._judging is not None:
                self._judging.give_up()

    def _answers(self) -> tuple[Judged, ...]:
        now = time.monotonic()
        idle = self._is_idle()
        answered = [token for token, deadline in self._tokens.items() if idle or deadline <= now]
        for token in answered:
            del self._tokens[token]
        if self._judging is not None and answered and not self._tokens:
            self._judging.hurry(False)
        problem = self._blind if idle else f"not judged in time: {self._unjudged()}"
        return tuple(Judged(token, self.open_sightings(), problem) for token in answered)

    def _unjudged(self) -> str:
        names = [f'the monitor "{plug_in.label}" is busy' for plug_in in self._plug_ins if plug_in.busy]
        names += [f"{path} is still being written" for path in (self._judging.unjudged() if self._judging else ())]
        return ", ".join(names[:3])

    def _is_idle(self) -> bool:
        return (self._judging is None or self._judging.idle) and not any(each.busy for each in self._plug_ins)

    def _is_clean(self) -> bool:
        return self._is_idle() and not self._blind and not self.ledger.open

    def _is_active(self, label: str) -> bool:
        waves = self._waves_of.get(label, ())
        return not waves or not self._waves.isdisjoint(waves)
