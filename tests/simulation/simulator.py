"""A deterministic simulator: the real core under a fake clock, fake effects and faults, all from one seed.

`World` is everything outside the core: workers with their exit records, helper threads, messages under way.
`Simulation` is the reactor in small: facts → fold → decide → journal → effects, as in `waved/reactor/reactor.py`, and
it may be killed at any point of a turn; then the state is folded anew from the journal and reconciled with the world.

A failing seed is replayed, event by event, with `python tests/simulation/simulator.py SEED`.
"""

from __future__ import annotations

import heapq
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import msgpack

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).parents[2]))

import oracle
from guard_world import FOREVER, GuardFaults, GuardWorld
from ledger import Ledger
from random_plans import random_plan

from waved.domain import events as ev
from waved.domain import requests, requests_guards
from waved.domain.decide import decide, next_deadline
from waved.domain.fold import admissible, begin, fold
from waved.domain.gate import awaits_reports
from waved.domain.state import Session
from waved.domain.state_guards import PERSON
from waved.domain.view import view
from waved.errors import ConflictError

MAX_TURNS = 4000
"""No session of these plans needs as many: more means that it does not end."""
_REQUESTS = ("stop", "stop agent", "retry", "retry", "retry agent", "resume", "resume")
_GUARD_REQUESTS = ("approve", "approve", "snapshot", "rollback", "rollback", "resume", "freeze", "thaw")
MAX_REQUESTS = 6
"""What persons ask for in one session; without a bound a session could be retried for ever."""


class Crash(Exception):
    """The daemon is killed here."""


@dataclass(slots=True)
class Worker:
    """The truth about a run that was released: what the worker knows and has on disk."""

    run: str
    started: float
    ends: float
    end: ev.RunEnded
    silent: bool
    """Its `started` message gets lost."""
    left: float = 0.0
    """While it stands still: how long it would go on."""
    dead: bool = False
    """It died and left no exit record."""


@dataclass
class Faults:
    """How likely things go wrong in this simulation."""

    fail: float
    unstartable: float
    lost: float
    crash: float
    repeat: float
    check_fails: float
    request: float
    oversleep: float
    full_disk: float

    @classmethod
    def random(cls, rng: Random) -> Faults:
        """From fair weather to a storm."""
        storm = rng.choice((0.0, 0.3, 1.0))
        return cls(
            fail=rng.choice((0.0, 0.1, 0.4)),
            unstartable=0.2 * storm,
            lost=0.06 * storm,
            crash=0.04 * storm,
            repeat=0.2 * storm,
            check_fails=rng.choice((0.0, 0.2, 0.6)),
            request=0.03 * storm,
            oversleep=0.3 * storm,
            full_disk=0.1 * storm,
        )


@dataclass
class World:
    """All that is not the daemon."""

    rng: Random
    faults: Faults
    workers: dict[str, Worker] = field(default_factory=dict)
    mail: list[tuple[float, int, ev.Event]] = field(default_factory=list)
    """Messages on their way to the daemon; lost when it dies."""
    sent: int = 0

    def post(self, at: float, event: ev.Event) -> None:
        """Send a message that arrives at `at`; sometimes it arrives a second time, later."""
        self.sent += 1
        heapq.heappush(self.mail, (at, self.sent, event))
        if self.rng.random() < self.faults.repeat:
            self.sent += 1
            heapq.heappush(self.mail, (at + self.rng.uniform(0, 9), self.sent, event))

    def release(self, intent: ev.RunStarting, now: float) -> None:
        """Start a run. Asserts that it never was before (invariant 2)."""
        assert intent.run not in self.workers, f"{intent.run} was started twice"
        rng = self.rng
        if rng.random() < self.faults.unstartable:
            self.post(now + rng.uniform(0, 1), ev.RunEnded(intent.session, intent.run, "withdrawn", reason="no worker"))
            return
        started = now + rng.uniform(0.0005, 0.05)
        ends, end = self._fate(intent, started)
        worker = Worker(intent.run, started, ends, end, silent=rng.random() < self.faults.repeat / 2)
        worker.dead = end.outcome == "lost"
        self.workers[intent.run] = worker
        self._report(worker)

    def _fate(self, intent: ev.RunStarting, started: float) -> tuple[float, ev.RunEnded]:
        rng = self.rng
        duration = rng.choice((0.0, rng.uniform(0, 1), rng.uniform(0, 30), 400.0 if rng.random() < 0.1 else 2.0))
        if intent.purpose == "preview" and (intent.attempt > 8 or rng.random() < 0.7):
            duration = FOREVER
        code = int(rng.random() < (self.faults.fail if intent.purpose == "agent" else self.faults.check_fails))
        end = ev.RunEnded(
            intent.session, intent.run, "exited", code, reason=f"exited with status {code}" if code else ""
        )
        if rng.random() < self.faults.lost:
            end = ev.RunEnded(intent.session, intent.run, "lost", reason="its worker died")
        elif code and rng.random() < 0.3:
            end = ev.RunEnded(intent.session, intent.run, "signalled", signal=9, reason="ended by SIGKILL")
        elif code and rng.random() < 0.2:
            end = ev.RunEnded(intent.session, intent.run, "not-started", reason="no such program")
        if intent.timeout is not None and duration > intent.timeout:
            duration = intent.timeout
            end = ev.RunEnded(intent.session, intent.run, "timed-out", signal=15, reason="timed out")
        end.end_time = started + duration
        return started + duration, end

    def _report(self, worker: Worker) -> None:
        if worker.end.outcome != "not-started" and not worker.silent:
            late = self.rng.choice((0.0, 0.0, 40.0)) * self.faults.repeat
            self.post(worker.started + late, self.started(worker))
        if worker.ends < FOREVER:
            self.post(worker.ends, worker.end)

    def started(self, worker: Worker) -> ev.RunStarted:
        """What a worker says once its program was exec'ed."""
        return ev.RunStarted(worker.end.session, worker.run, 4711, worker.started, 4710, ["true"])

    def stop(self, intent: ev.RunStopping, now: float) -> None:
        """Ask for the end of a run; it may end by itself in the same moment."""
        worker = self.workers.get(intent.run)
        if worker is None or worker.ends <= now:
            return
        ends = now + self.rng.uniform(0, 3)
        if ends < worker.ends:
            worker.ends = ends
            worker.end = ev.RunEnded(
                intent.session, intent.run, "stopped", signal=15, reason=intent.reason, end_time=ends
            )
            worker.dead, worker.left = False, 0.0
            self._forget_end(intent.run)
            self.post(ends, worker.end)

    def freeze(self, intent: ev.RunFreezing, now: float, faults: GuardFaults) -> None:
        """Have all processes of a run stand still; it may end in the same moment, or its worker never answers."""
        worker = self.workers.get(intent.run)
        if worker is None or worker.ends <= now or self.rng.random() < faults.silent:
            return
        if worker.end.outcome == "stopped":
            return  # it is being killed
        ok = self.rng.random() >= faults.no_freeze
        if ok and not worker.left:
            worker.left = worker.ends - now
            worker.ends = FOREVER
            self._forget_end(intent.run)
        self.post(now + self.rng.choice((0.001, 0.5, 7.0)), ev.RunFrozen(intent.session, intent.run, ok))

    def thaw(self, run: str, now: float) -> None:
        """It goes on where it stood."""
        worker = self.workers.get(run)
        if worker is not None and worker.left:
            worker.ends = now + worker.left
            worker.end.end_time = worker.ends if worker.left < FOREVER else 0.0
            worker.left = 0.0
            if worker.ends < FOREVER:
                self.post(worker.ends, worker.end)

    def _forget_end(self, run: str) -> None:
        self.mail = [item for item in self.mail if not (_is_end(item[2]) and item[2].run == run)]
        heapq.heapify(self.mail)

    def look(self, session: str, gate: str, index: int, name: str, now: float) -> None:
        """A helper thread looks at outputs, or reads reports."""
        ok = self.rng.random() >= self.faults.check_fails
        verdict = ev.CheckEnded(session, gate, index, ok, name, "" if ok else "docs/x.md: missing")
        self.post(now + self.rng.uniform(0, 2), verdict)

    def checklist(self, session: str, now: float) -> None:
        """A helper thread goes through the checklist."""
        ok = self.rng.random() >= 0.02
        self.post(now + 0.1, ev.ChecklistItemChecked(session, "disk", ok))
        self.post(now + 0.1, ev.ChecklistEnded(session, ok))

    def daemon_died(self) -> None:
        """What was under way to it is lost with it."""
        self.mail.clear()

    def find(self, session: str, run: str, now: float) -> ev.RunEnded | None:
        """What a new daemon finds of a run: its end, or None where its worker lives and will report."""
        worker = self.workers.get(run)
        if worker is None:
            # The new daemon makes the run's folder: nobody can start it late.
            return ev.RunEnded(session, run, "withdrawn", reason="waved ended before the start")
        if worker.ends <= now:
            return worker.end
        worker.silent = False
        self._report(worker)
        return None


def _is_end(event: ev.Event) -> bool:
    return isinstance(event, ev.RunEnded)


class Simulation:
    """One session from its submission to its end, or until it is held for good."""

    def __init__(self, seed: int, *, show: bool = False) -> None:
        self.rng = Random(seed)
        self.show = show
        self.guarded = self.rng.random() < 0.75
        self.plan = random_plan(self.rng, guarded=self.guarded)
        self.faults = Faults.random(self.rng)
        self.world = World(self.rng, self.faults)
        self.guards = GuardWorld(self.rng, GuardFaults.random(self.rng), self.world.post)
        self.now = 1000.0
        self.journal: list[tuple[int, float, str, bytes]] = []
        self.batch: list[ev.Event] = []
        self.requests = 0
        self.events = 0
        self.crashes = 0
        written = self.plan.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        submitted = ev.SessionSubmitted("s", written, "/w", guarded=self.guarded, reported=True, seq=1, time=self.now)
        self.session = begin(submitted)
        self.ledger = Ledger(self.plan)
        self.ledger.see(submitted)
        self._write([submitted])
        self.world.checklist("s", self.now)
        self.guards.probe(self.session, self.now)
        self._follow()
        self._write(self.batch)
        for event in self.batch:
            self._perform(event)
        self.batch = []

    # --- the reactor in small -----------------------------------------------------------------------------------

    def _apply(self, event: ev.Event) -> None:
        # Each event is its own object, as it would be: what the world still holds must not be numbered.
        event = ev.from_data(event.kind, event.session, 0, self.now, event.data())
        event.seq = (self.batch[-1].seq if self.batch else len(self.journal)) + 1
        if self.show:
            print(f"{event.seq:5} {event.time:10.3f} {event.kind:22} {event.data()}"[:200])
        self.ledger.see(event)
        fold(self.session, event)
        self.batch.append(event)
        self.events += 1

    def _follow(self) -> None:
        for _ in range(MAX_TURNS):
            following = decide(self.session, self.now)
            if not following:
                return
            for event in following:
                self._apply(event)
        raise AssertionError("decide goes on and on")

    def _commit(self) -> None:
        self._may_crash()
        if self.rng.random() < self.faults.full_disk:
            return  # the events wait in memory; nothing is done about them before they are on disk
        batch, self.batch = self.batch, []
        self._write(batch)
        for event in batch:
            self._may_crash()
            self._perform(event)

    def _write(self, events: Sequence[ev.Event]) -> None:
        """One transaction: all of them or, after a crash before it, none."""
        for event in events:
            self.journal.append((event.seq, event.time, event.kind, msgpack.packb(event.data(), use_bin_type=True)))

    def _may_crash(self) -> None:
        if self.rng.random() < self.faults.crash:
            raise Crash

    def _perform(self, event: ev.Event) -> None:
        session, world = self.session, self.world
        match event:
            case ev.RunStarting() if event.run in session.active:
                world.release(event, self.now)
                if event.purpose == "preview":
                    self.guards.probe(session, self.now)
            case ev.RunStopping():
                world.stop(event, self.now)
            case ev.SnapshotTaking():
                self.guards.take(session.id, event.snapshot, self.now)
            case ev.RestoreStarting():
                self.guards.restore(event, self.now)
            case ev.RunFreezing():
                world.freeze(event, self.now, self.guards.faults)
            case ev.RunThawing():
                world.thaw(event.run, self.now)
            case ev.PortLeasing():
                self.guards.lease(session.id, self.now)
            case ev.CheckStarted() if event.gate in session.gates:
                check = session.gates[event.gate].checks[event.index]
                if check.guards:
                    self.guards.catch_up(event, self.now)
                else:
                    world.look(session.id, event.gate, event.index, check.name, self.now)
            case ev.RunEnded():
                run = session.runs[event.run]
                gate = session.gates.get(run.gate)
                if gate is not None and awaits_reports(gate.checks[run.index], run):
                    world.look(session.id, gate.id, run.index, gate.checks[run.index].name, self.now)

    def _turn(self, *, facts: Sequence[ev.Event] = (), asked: Sequence[ev.Event] = ()) -> None:
        """One turn of the reactor: what was observed, each with what follows from it, and what a person asked for."""
        together = self.rng.random() < 0.2
        for event in facts:
            if self.session.phase != "ended" and admissible(self.session, event):
                self._apply(event)
                if not together:
                    self._follow()
        for event in asked:
            self._apply(event)
        self._follow()
        self._commit()

    def _recover(self) -> None:
        """A new daemon: the journal folded, the world looked at (`waved/reactor/reactor.py`, `_recover`)."""
        self.crashes += 1
        self.world.daemon_died()
        self.batch = []
        self.session, self.ledger = self.replay()
        if self.show:
            print("      the daemon was killed; a new one begins with event", len(self.journal))
        if self.session.phase == "ended":
            return
        found = [self.world.find(self.session.id, run, self.now) for run in self.session.active]
        for run in self.session.active.values():
            if run.state == "stopping":
                self.world.stop(ev.RunStopping(self.session.id, run.id, run.stop_reason), self.now)
        self._redo()
        self._turn(facts=[event for event in found if event is not None])

    def _redo(self) -> None:
        session = self.session
        if session.phase == "checking" and session.checklist_ok is None:
            self.world.checklist(session.id, self.now)
        self._redo_guards()
        for gate in session.gates.values():
            if gate.next >= len(gate.checks) or gate.checks[gate.next].state != "running":
                continue
            check = gate.checks[gate.next]
            run = session.runs.get(check.run)
            if check.guards:
                if not check.caught_up:
                    self.guards.catch_up(ev.CheckStarted(session.id, gate.id, gate.next), self.now)
            elif check.command is None or (run is not None and run.state == "ended" and awaits_reports(check, run)):
                self.world.look(session.id, gate.id, gate.next, check.name, self.now)

    def _redo_guards(self) -> None:
        session, guards = self.session, self.session.guards
        if guards is None:
            return
        for name in guards.taking:
            self.guards.take(session.id, name, self.now)
        for reaction in guards.reactions.values():
            if reaction.restore == "running":
                starting = next(
                    event for event in self.history()
                    if isinstance(event, ev.RestoreStarting) and event.reaction == reaction.id
                )  # fmt: skip
                self.guards.restore(starting, self.now)
        for run in session.active:
            entry = guards.frozen.get(run)
            if entry is None:
                self.world.thaw(run, self.now)
            elif entry.state == "freezing" and not session.runs[run].stop_reason:
                self.world.freeze(ev.RunFreezing(session.id, run, ""), self.now, self.guards.faults)
        if guards.preview is not None:
            if guards.preview.port_asked and not guards.preview.port and not guards.preview.problem:
                self.guards.lease(session.id, self.now)
            if not guards.preview.up:
                self.guards.probe(session, self.now)

    def replay(self) -> tuple[Session, Ledger]:
        """The state and the ledger that the journal adds up to."""
        ledger = Ledger(self.plan)
        session: Session | None = None
        for event in self.history():
            ledger.see(event)
            if isinstance(event, ev.SessionSubmitted):
                session = begin(event)
            else:
                assert session is not None
                fold(session, event)
        assert session is not None
        return session, ledger

    def history(self) -> Iterator[ev.Event]:
        """The journal's events, as they come back from disk."""
        for seq, time, kind, data in self.journal:
            yield ev.from_data(kind, "s", seq, time, msgpack.unpackb(data, raw=False, strict_map_key=False))

    # --- time, persons, and the judge ---------------------------------------------------------------------------

    def run(self) -> Session:
        """Until the end; a session that nobody frees from being held is left so."""
        for _ in range(MAX_TURNS):
            try:
                if not self._step():
                    break
            except Crash:
                self._survive()
            self._judge()
        else:
            raise AssertionError(f"the session does not end: {self.session.phase}")
        self._judge_end()
        return self.session

    def _survive(self) -> None:
        while True:
            self.now += self.rng.choice((0.0, 0.2, 30.0))
            try:
                return self._recover()
            except Crash:
                continue

    def _step(self) -> bool:
        session, rng = self.session, self.rng
        if session.guards is not None and session.phase == "running" and rng.random() < self.guards.faults.find:
            self.guards.something(session, self.now)
        wanted = rng.random() < self.faults.request
        due = next_deadline(session)
        if self.batch:
            due = min(self.now + 1, self.now + 1 if due is None else due)
        arrives = self.world.mail[0][0] if self.world.mail else None
        at_end = not self.batch and (session.phase == "ended" or (due is None and arrives is None))
        if self.requests < MAX_REQUESTS and (wanted or (at_end and rng.random() < 0.4)):
            return self._request() or not at_end
        if at_end and session.phase == "running" and self._frozen_by_person():
            # A person who has frozen something comes back to it.
            self._turn(asked=requests.thaw(session, by="a person"))
            return True
        if at_end:
            assert session.phase == "ended" or session.held, f"nothing more will happen: {session.phase}"
            return False
        moment = min(time for time in (due, arrives) if time is not None)
        if rng.random() < self.faults.oversleep:
            moment += rng.choice((0.001, 0.5, 20.0))
        self.now = max(self.now, moment)
        facts = []
        while self.world.mail and self.world.mail[0][0] <= self.now and rng.random() < 0.9:
            facts.append(heapq.heappop(self.world.mail)[2])
        self._turn(facts=facts)
        return True

    def _request(self) -> bool:
        """A person stops, retries or resumes something; False when there was nothing to be asked for."""
        self.requests += 1
        session, rng = self.session, self.rng
        agent = rng.choice([node.agent.name for node in session.nodes.values()])
        try:
            match rng.choice((*_REQUESTS, *(_GUARD_REQUESTS if session.guards is not None else ()))):
                case "approve":
                    events = requests_guards.approve(session, by="a person")
                case "snapshot" if session.phase == "running":
                    events = requests_guards.snapshot(session, by="a person")
                case "rollback":
                    scope = rng.choice(requests_guards.SCOPES)
                    targets = {"file": ["src/a.ts"], "agent": [agent]}.get(scope, [])
                    events = requests_guards.rollback(session, scope, targets, by="a person")
                case "freeze":
                    events = requests.freeze(session, [agent] if rng.random() < 0.5 else [], by="a person")
                case "thaw":
                    events = requests.thaw(session, [agent] if rng.random() < 0.5 else [], by="a person")
                case "stop":
                    events = requests.stop(session, by="a person")
                case "stop agent":
                    events = requests.stop(session, agent, by="a person")
                case "retry":
                    events = requests.retry(session, by="a person")
                case "retry agent":
                    events = requests.retry(session, [agent], by="a person")
                case _:
                    events = requests.resume(session, by="a person")
        except ConflictError:
            return self.requests < MAX_REQUESTS
        self._turn(asked=events)
        return True

    def _frozen_by_person(self) -> bool:
        guards = self.session.guards
        return guards is not None and any(PERSON in entry.holders for entry in guards.frozen.values())

    def _judge(self) -> None:
        session = self.session
        if session.phase != "ended":
            assert decide(session, self.now) == []
        oracle.check(session)
        oracle.assert_at_rest(session)
        if session.phase != "ended":
            self.ledger.guards.at_rest()
        due = next_deadline(session)
        if due is not None:
            assert due > self.now, f"due {self.now - due} s ago, yet there is nothing to decide: a busy loop"
            assert decide(session, math.nextafter(due, 0)) == [], "something follows before the deadline"
            assert decide(session, due), "nothing follows at the deadline"
        elif session.phase != "ended":
            following = decide(session, self.now + 1e9)
            assert following == [], (
                f"{[event.kind for event in following]}: something follows in time, but no deadline says so"
            )
        if self.rng.random() < 0.1:
            msgpack.packb(view(session, self.now))
            assert self.batch or self.replay()[0] == session, "the journal folds to another state"
        for run in session.runs.values():
            worker = self.world.workers.get(run.id)
            if run.state == "ended" and run.outcome not in ("lost", "withdrawn"):
                assert worker is not None
                assert (run.outcome, run.exit_code) == (worker.end.outcome, worker.end.exit_code), "not the truth"

    def _judge_end(self) -> None:
        assert self.replay()[0] == self.session
        msgpack.packb(view(self.session, self.now))
        assert [row[0] for row in self.journal] == list(range(1, len(self.journal) + 1))
        if self.session.phase == "ended":
            assert not any(worker.ends > self.now for worker in self.world.workers.values() if not worker.dead), (
                "a run goes on after the end"
            )


def main() -> None:
    """Replay one seed, telling each event."""
    simulation = Simulation(int(sys.argv[1]), show=True)
    session = simulation.run()
    print(f"{session.phase} {session.outcome} {session.held or session.reason}; {simulation.crashes} crashes")


if __name__ == "__main__":
    main()
