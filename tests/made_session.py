"""A session that was never run: its events come from the pure core, driven with made-up facts on a made-up clock."""

from __future__ import annotations

import heapq
import itertools
import random
from typing import Any

from waved.domain import events as ev
from waved.domain.decide import decide, next_deadline
from waved.domain.fold import admissible, begin, fold
from waved.domain.state import Session

START = 1_795_900_000.0
_TOOLS = ("Read", "Edit", "Bash", "Grep", "Write", "WebFetch")
_SAID = (
    "I wrote the cart's endpoint and its tests; all of them pass. The price is rounded where it is shown, not before."
)
_ASKED = (
    "Add an endpoint for the cart to the shop's HTTP API. Follow the patterns in docs/session/backend/api.md, keep"
    " every file under 300 lines, and write tests for what can go wrong: an empty cart, a price that changed, an"
    " article that is sold out. Do not touch the client."
)


def plan_of_many(agents: int, waves: int) -> dict[str, Any]:
    """A plan of waves of equal size; in each, a few agents need others."""
    areas = ("catalogue", "cart", "checkout", "search", "account", "mail", "stock", "reports", "admin", "payments")
    made: list[dict[str, Any]] = []
    each = max(1, agents // waves)
    for wave in range(waves):
        members: list[dict[str, Any]] = []
        for number in range(each if wave < waves - 1 else agents - each * (waves - 1)):
            name = f"{areas[number % len(areas)]}-{wave}-{number // len(areas)}"
            agent = {"name": name, "use": "claude", "prompt": _ASKED, "owns": [f"src/{name}/**"], "retries": 1}
            if number >= each * 3 // 4:
                agent["needs"] = [members[number % (each // 2 or 1)]["name"]]
            members.append(agent)
        gate = {"commands": [{"name": "npm test", "run": ["npm", "test"], "junit": "reports/*.xml"}]}
        made.append({"name": ("research", "design", "build", "refine", "quality", "polish")[wave % 6], "agent": members,
                     "gate": gate})  # fmt: skip
    return {
        "session": {"name": "shop-redesign", "folder": "docs/session"},
        "monitor": [{"kind": "corruption", "patterns": ["const const"], "paths": ["src/**"]}],
        "wave": made,
    }


class MadeSession:
    """Makes the events of one session. The same seed makes the same session."""

    def __init__(self, plan: dict[str, Any], acts: int = 20, seed: int = 7, trouble: float = 0.05) -> None:
        self._random = random.Random(seed)
        self._acts = acts
        self._trouble = trouble
        self._queue: list[tuple[float, int, ev.Event]] = []
        self._order = itertools.count()
        self._found = 0
        self.events: list[ev.Event] = []
        submitted = ev.SessionSubmitted("made-0001", plan, "/srv/shop", guarded=True, submitted_by="ada", reported=True)
        submitted.seq, submitted.time = 1, START
        self.session: Session = begin(submitted)
        self.events.append(submitted)
        for item in ("workspace", "git", "disk", "commands", "backups"):
            self._later(0.05, ev.ChecklistItemChecked("made-0001", item, ok=True, detail="as it should be"))
        self._later(0.2, ev.ChecklistEnded("made-0001", ok=True))
        self._now = START
        self._run()

    def _later(self, seconds: float, event: ev.Event) -> None:
        at = (self._now if self.events[1:] else START) + seconds
        heapq.heappush(self._queue, (at, next(self._order), event))

    def _record(self, event: ev.Event) -> None:
        event.seq, event.time = len(self.events) + 1, self._now
        fold(self.session, event)
        self.events.append(event)
        self._answer(event)

    def _run(self) -> None:
        while self._queue or self.session.phase != "ended":
            due = next_deadline(self.session)
            if self._queue and (due is None or self._queue[0][0] <= due):
                self._now, _, event = heapq.heappop(self._queue)
                if admissible(self.session, event):
                    self._record(event)
            elif due is not None:
                self._now = max(due, self._now)
            else:
                break
            while following := decide(self.session, self._now):
                for event in following:
                    self._record(event)

    def _answer(self, event: ev.Event) -> None:
        name = self.session.id
        match event:
            case ev.RunStarting(purpose="agent"):
                self._agent(event)
            case ev.RunStarting():
                self._later(0.01, ev.RunStarted(name, event.run, 7, self._now + 0.01))
                self._later(8.0, ev.RunEnded(name, event.run, "exited", 0, end_time=self._now + 8.0))
            case ev.CheckStarted() if self.session.gates[event.gate].checks[event.index].guards:
                self._later(0.01, ev.GuardCaughtUp(name, event.gate, event.index, files=10))
            case ev.CheckStarted():
                self._later(0.01, ev.CheckEnded(name, event.gate, event.index, ok=True, name="outputs"))
            case ev.RunEnded() if self.session.runs[event.run].purpose == "check":
                run = self.session.runs[event.run]
                tests = {"total": 212, "passed": 212, "failed": 0, "skipped": 0}
                self._later(0.02, ev.CheckEnded(name, run.gate, run.index, ok=True, name="npm test", tests=tests))
            case ev.SnapshotTaking():
                commit = f"{self._random.getrandbits(160):040x}"
                self._later(0.03, ev.SnapshotTaken(name, event.snapshot, commit, 1300, 12, 0.03))
            case ev.RunFreezing():
                self._later(0.002, ev.RunFrozen(name, event.run, processes=3, seconds=0.001))
            case ev.RestoreStarting():
                paths = event.paths[:5] or ["src/x.ts"]
                self._later(
                    0.02, ev.RestoreEnded(name, event.reaction, ok=True, restored=paths, total=len(paths), to="s1")
                )
            case ev.RunStopping():
                self._later(
                    0.1,
                    ev.RunEnded(name, event.run, "stopped", signal=15, reason=event.reason, end_time=self._now + 0.1),
                )
            case ev.ReactionEnded(ok=True) if event.reaction in self.session.guards.past:  # type: ignore[union-attr]
                finding = self.session.guards.past[event.reaction].finding  # type: ignore[union-attr]
                self._later(0.2, ev.FindingCleared(name, finding, "the file was restored"))

    def _agent(self, event: ev.RunStarting) -> None:
        name, pick = self.session.id, self._random
        seconds = pick.uniform(40, 420)
        self._later(0.004, ev.RunStarted(name, event.run, 7, self._now + 0.002 + pick.random() * 0.01))
        tokens = pick.randrange(30_000, 240_000)
        for number in range(self._acts):
            share = (number + 1) / self._acts
            usage = {
                "input": int(tokens * share), "output": int(tokens * share / 30), "cached": int(tokens * share / 2),
                "cost": round(tokens * share / 150_000, 4), "context": int(60_000 * share), "window": 200_000,
                "tools": {tool: int(share * (9 - place)) for place, tool in enumerate(_TOOLS)},
            }  # fmt: skip
            at = seconds * share * 0.98
            state = "tool" if number % 2 else "thinking"
            self._later(
                at,
                ev.RunActed(
                    name, event.run, state, self._now + at, tool=_TOOLS[number % 6], model="sonnet", usage=usage
                ),
            )
        path = f"src/{event.agent}/cart.ts"
        changes = [[path, "added"], [f"src/{event.agent}/cart.test.ts", "added"]]
        self._later(seconds * 0.6, ev.FilesChanged(name, {event.assignment: changes}))
        if event.attempt == 1 and pick.random() < self._trouble:
            self._found += 1
            self._later(
                seconds * 0.61,
                ev.FindingMade(
                    name, f"f{self._found}", "corruption", f'{path}:3: matches the pattern "const const"', "critical",
                    path, path, 3, event.assignment, event.run, "line 3: const const price = 7\n",
                ),
            )  # fmt: skip
        bad = event.attempt == 1 and pick.random() < self._trouble
        self._later(
            seconds,
            ev.RunEnded(
                name, event.run, "exited", 1 if bad else 0, reason="exited with status 1" if bad else "",
                end_time=self._now + seconds, output_bytes=40_000, cpu_seconds=seconds / 20, max_rss=180 * 1024**2,
                judged=not bad, last_words="" if bad else _SAID,
                tail="Error: the model did not answer\n" if bad else "",
            ),
        )  # fmt: skip
