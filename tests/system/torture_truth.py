"""What the torture compares at its end: the journal, the exit records, what clients saw, and what agents wrote down."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgpack

from tests.system.torture_plans import LOUD_BYTES, Drawn
from waved.domain.events import from_data
from waved.pool import record
from waved.reactor.sessions import describe

Event = dict[str, Any]
BY_ITSELF = {"exited", "signalled", "timed-out", "stopped"}
"""Outcomes that say the program had been started, and how it ended."""
NEVER_STARTED = {"withdrawn", "not-started"}


def read_journal(path: Path) -> list[Event]:
    """Every event in the journal, as clients see them."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        rows = database.execute("SELECT seq, session, time, kind, data FROM events ORDER BY seq").fetchall()
    finally:
        database.close()
    return [
        describe(from_data(kind, session, seq, time, msgpack.unpackb(data))) for seq, session, time, kind, data in rows
    ]


class Comparison:
    """Holds the journal against everything else; `problems` lists what does not agree."""

    def __init__(
        self,
        base: Path,
        journal: list[Event],
        seen: Mapping[int, Event],
        plans: Mapping[str, Drawn],
        victims: Collection[int],
    ) -> None:
        self.base = base
        self.victims = victims
        """Pids that the torture itself killed."""
        self.journal = journal
        self.plans = plans
        """What was submitted, by session name."""
        self.problems: list[str] = []
        self.starting: dict[str, Event] = {}
        self.pids: dict[str, int] = {}
        self.ended: dict[str, Event] = {}
        self.sessions: dict[str, list[Event]] = defaultdict(list)
        self._read()
        self._sequence(seen)
        self._ledger()
        self._exits()
        self._attempts()
        for events in self.sessions.values():
            self._session(events)

    def _say(self, problem: str) -> None:
        self.problems.append(problem)

    def _read(self) -> None:
        for event in self.journal:
            if event["session"]:
                self.sessions[event["session"]].append(event)
            run = event["data"].get("run", "")
            if event["kind"] == "run.starting":
                if run in self.starting:
                    self._say(f"{run} is started twice by the journal")
                self.starting[run] = event
            elif event["kind"] == "run.started":
                self.pids[run] = event["data"]["pid"]
            elif event["kind"] == "run.ended":
                if run in self.ended:
                    self._say(f"{run} ends twice in the journal")
                self.ended[run] = event

    def _sequence(self, seen: Mapping[int, Event]) -> None:
        """No gap, and nothing that a client saw is missing or different."""
        numbers = [event["seq"] for event in self.journal]
        if numbers != list(range(1, len(numbers) + 1)):
            self._say("the journal's sequence numbers have a gap")
        kept = {event["seq"]: event for event in self.journal}
        for seq, event in seen.items():
            if kept.get(seq) != event:
                self._say(f"a client saw event {seq} as {event}, the journal has {kept.get(seq)}")

    def _ledger(self) -> None:
        """No second start; nothing was started without an intent in the journal, or although it says it was not."""
        starts = Counter(line.split()[0] for line in _lines(self.base / "ledger"))
        for run, count in starts.items():
            if count > 1:
                self._say(f"{run} was started {count} times")
            if run not in self.starting:
                self._say(f"{run} was started and is not in the journal")
            elif (outcome := self._outcome(run)) in NEVER_STARTED:
                self._say(f"{run} was started and the journal says {outcome}")

    def _outcome(self, run: str) -> str:
        ended = self.ended.get(run)
        return str(ended["data"]["outcome"]) if ended is not None else ""

    def _exits(self) -> None:
        """Every exit status is the one the agent wrote down, and the one in the exit record."""
        truth: dict[str, list[int]] = defaultdict(list)
        for line in _lines(self.base / "truth"):
            run, code = line.split()
            truth[run].append(int(code))
        for run, ended in self.ended.items():
            data = ended["data"]
            if data["outcome"] == "exited" and truth[run] != [data["exit_code"]]:
                self._say(f"{run} exited with {truth[run]}, the journal says {data['exit_code']}")
            if data["outcome"] == "signalled" and self.pids.get(run) not in self.victims:
                self._say(f"{run} was killed by waved itself, which says {data['reason']}")
            left = record.read_exit(self._folder(run))
            if left is not None:
                for name in ("outcome", "exit_code", "signal", "reason", "output_bytes"):
                    if left[name] != data[name] and (name != "reason" or data["outcome"] in BY_ITSELF):
                        self._say(f"{run}: {name} is {left[name]!r} in the exit record, {data[name]!r} in the journal")
            elif data["outcome"] in BY_ITSELF:
                self._say(f"{run} {data['outcome']}, and there is no exit record")
            if data["outcome"] == "exited" and self._kind(run) == "loud" and data["output_bytes"] != LOUD_BYTES:
                self._say(f"{run} printed {LOUD_BYTES} bytes, {data['output_bytes']} were kept")

    def _kind(self, run: str) -> str:
        name = run.rpartition("/")[0].rpartition("-")[0]
        drawn = self.plans.get(name)
        return drawn.kinds.get(run.rpartition("/")[2].partition("#")[0], "") if drawn is not None else ""

    def _folder(self, run: str) -> Path:
        session, _, key = run.partition("/")
        name = key.replace("/", "+").replace("#", ".")
        return self.base / "s" / "sessions" / session / "runs" / name

    def _attempts(self) -> None:
        """The next attempt starts only after the one before it has ended, and only if it did not succeed."""
        for run, event in self.starting.items():
            attempt = event["data"]["attempt"]
            if event["data"]["purpose"] != "agent" or attempt == 1:
                continue
            before = self.ended.get(f"{run.rpartition('#')[0]}#{attempt - 1}")
            if before is None or before["seq"] > event["seq"]:
                self._say(f"{run} was started before the attempt before it had ended")
            elif before["data"]["outcome"] == "exited" and before["data"]["exit_code"] == 0:
                self._say(f"{run} repeats what had succeeded")

    def _session(self, events: list[Event]) -> None:
        """A session of which nothing was lost ends as it would have without any kill."""
        submitted, session = events[0], events[0]["session"]
        name = submitted["data"]["plan"]["session"]["name"]
        # Its report is written afterwards, where reports are.
        last = [event for event in events if not event["kind"].startswith("report.")][-1]
        if last["kind"] != "session.ended":
            self._say(f"session {session} has not ended: {last['kind']}")
            return
        started = {run for run, event in self.starting.items() if event["session"] == session}
        for run in started - self.ended.keys():
            self._say(f"{run} never ended, and its session has")
        lost = [run for run in started if self._outcome(run) == "lost"]
        outcomes = {
            event["data"]["assignment"]: event["data"]["outcome"]
            for event in events
            if event["kind"] == "assignment.ended"
        }
        if last["data"]["outcome"] == "succeeded" and set(outcomes.values()) != {"succeeded"}:
            self._say(f"session {session} succeeded with {outcomes}")
        if any(event["kind"] == "session.stop-requested" for event in events):
            if last["data"]["outcome"] != "stopped":
                self._say(f"session {session} was to be stopped: {last['data']}")
            return
        drawn = self.plans[name]
        lost_agents = [run for run in lost if self.starting[run]["data"]["purpose"] == "agent"]
        held = any(event["kind"] == "session.held" for event in events)
        if lost_agents and drawn.plan["session"]["on_lost"] == "hold" and not held:
            self._say(f"session {session} was not held for {lost_agents}")
        if lost or any(self._outcome(run) == "signalled" for run in started):
            return  # nobody can say how it would have ended
        if (last["data"]["outcome"], outcomes) != (drawn.outcome, drawn.assignments):
            found = json.dumps([last["data"], outcomes])
            self._say(f"session {session}: expected {drawn.outcome} {drawn.assignments}, found {found}")


def alive(base: Path, runs: set[str] | None = None) -> list[str]:
    """Processes that agents wrote down and that live: "run pid". `runs`: only of these."""
    found = []
    for line in _lines(base / "processes"):
        run, pid, rest = line.split(" ", 2)
        if runs is not None and run not in runs:
            continue
        try:
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if stat[0] not in "ZX" and stat[19] == rest.rpartition(")")[2].split()[19]:
            found.append(f"{run} {pid}")
    return found


def _lines(path: Path) -> list[str]:
    """Whole lines only: the last one may be half written."""
    text = path.read_text()
    return text[: text.rfind("\n") + 1].splitlines()
