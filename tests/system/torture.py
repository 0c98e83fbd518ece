"""Kills daemons, zygotes and workers at random moments and at failpoints, while sessions of badly behaved agents run.

Every choice comes from one seed. The machine's timing is its own, so a seed replays the same choices, not the same
microseconds. Run it by hand: `python -m tests.system.torture SEED KILLS`.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any

from tests.live import Daemon, processes_of, wait_for
from tests.system.torture_plans import KINDS, UNMARKED, Drawn, draw, write_programs
from tests.system.torture_truth import Comparison, alive, read_journal
from wavectl import Client
from waved import failpoints
from waved.errors import ConflictError, NoDaemonError, NotFoundError
from waved.reactor import imaging

SESSIONS = 4
"""Sessions that go on at once."""
POINT_SECONDS = 1.0
"""How long to wait for something to pass a failpoint."""
ZYGOTE_POINTS = tuple(name for name in failpoints.NAMES if name.startswith("zygote."))
WORKER_POINTS = tuple(name for name in failpoints.NAMES if name.startswith("worker."))
DAEMON_POINTS = tuple(name for name in failpoints.NAMES if name not in ZYGOTE_POINTS + WORKER_POINTS)


@dataclass(slots=True)
class Figures:
    """What a torture did, for docs/reliability.md."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    """By victim: daemon, zygote, worker, and "at " each failpoint."""
    sessions: int = 0
    runs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    """Of runs."""
    events: int = 0
    seen: int = 0
    """Events that a client had seen."""
    restarts: int = 0
    hangs: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kills = ", ".join(f"{count} {name}" for name, count in sorted(self.kills.items()))
        outcomes = ", ".join(f"{count} {name}" for name, count in self.outcomes.most_common())
        return "; ".join(
            (
                f"seed {self.seed}: {self.kills.total()} kills in {self.seconds:.0f} s ({kills})",
                f"{self.restarts} daemons, {self.hangs} hangs",
                f"{self.sessions} sessions, {self.runs} runs ({outcomes})",
                f"{self.events} events, {self.seen} seen by a client",
                f"{len(self.problems)} problems",
            )
        )


class Follower(threading.Thread):
    """A client that reads every event as it happens, and looks for survivors whenever a run has ended."""

    def __init__(self, socket: Path, base: Path) -> None:
        super().__init__(daemon=True)
        self._socket, self._base = socket, base
        self.seen: dict[int, dict[str, Any]] = {}
        self.problems: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        after = 0
        with Client(str(self._socket), timeout=2.0) as client:
            while not self.over.is_set():
                try:
                    found = client.request("events.read", {"after": after, "limit": 2000, "wait": 0.5}, wait=0.5)
                except NoDaemonError:
                    self.over.wait(0.02)
                    continue
                for event in found["events"]:
                    self._take(event)
                after = max(after, found["last"])

    def _take(self, event: dict[str, Any]) -> None:
        before = self.seen.setdefault(event["seq"], event)
        if before != event:
            self.problems.append(f"event {event['seq']} was {before}, and then {event}")
        if event["kind"] == "run.ended" and (left := alive(self._base, {event["data"]["run"]})):
            self.problems.append(f"{event['data']['outcome']} is journalled and still alive: {left}")


class Torture:
    """One torture in a folder of its own. `scrub`: agents may leave processes that only a control group can find."""

    def __init__(self, base: Path, seed: int, *, scrub: bool = True, environment: dict[str, str] | None = None) -> None:
        self.rng = random.Random(seed)
        self.base = base
        write_programs(base)
        self.daemon = Daemon(base)
        self.daemon.environment |= environment or {}
        self.daemon.environment[failpoints.LOG] = str(base / "failpoints")
        self.daemon.environment[imaging.VARIABLE] = "20"
        self.kinds = KINDS if scrub else tuple(kind for kind in KINDS if kind != UNMARKED)
        self.plans: dict[str, Drawn] = {}
        self.figures = Figures(seed)
        self.victims: set[int] = set()
        """Pids that were killed. A worker's child has its name until it execs, so an agent may be among them."""
        self.follower = Follower(self.daemon.socket, base)

    def run(self, kills: int, seconds: float = 1e9) -> Figures:
        """Torture until that many kills (or for so long), let everything end, and compare."""
        began = time.monotonic()
        self._start(calm=True)
        self.follower.start()
        try:
            while self._killed() < kills and time.monotonic() - began < seconds:
                self._step()
            self._settle()
        finally:
            self._end()
        self._compare()
        self.figures.seconds = time.monotonic() - began
        return self.figures

    def run_at(self, points: Sequence[str]) -> Figures:
        """Have something die at each of these failpoints, one after another; then let everything end, and compare."""
        began = time.monotonic()
        self._start(calm=True)
        self.follower.start()
        try:
            for point in points:
                if self.daemon.process is not None and self.daemon.process.poll() is None:
                    self._kill(self.daemon.pid, "daemon")
                self._start(rules=point + _sooner_or_later(point))
                hits = len(self._hits())
                until = time.monotonic() + POINT_SECONDS
                while len(self._hits()) == hits and time.monotonic() < until:
                    self._feed()
                    time.sleep(0.02)
            self._settle()
        finally:
            self._end()
        self._compare()
        self.figures.seconds = time.monotonic() - began
        return self.figures

    def _end(self) -> None:
        self.daemon.end()
        self.follower.over.set()
        self.follower.join(10)

    # --- torture ------------------------------------------------------------------------------------------------

    def _killed(self) -> int:
        return self.figures.kills.total() + len(self._hits())

    def _hits(self) -> list[str]:
        log = self.base / "failpoints"
        return [line.split()[1] for line in log.read_text().splitlines()] if log.exists() else []

    def _step(self) -> None:
        self._feed()
        time.sleep(self.rng.uniform(0.0, 0.4))
        self._revive()
        victim = self.rng.choices(("daemon", "worker", "zygote", "nobody"), (8, 10, 2, 1))[0]
        if victim == "nobody":
            self._hang()
        elif victim == "daemon":
            self._kill(self.daemon.pid, victim)
            self._revive()
        else:
            found = processes_named(f"waved-{victim}", self.base)
            if found:
                self._kill(self.rng.choice(found), victim)

    def _hang(self) -> None:
        """The daemon stands still for a while; workers do not."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.daemon.pid, signal.SIGSTOP)
            time.sleep(self.rng.uniform(0.0, 0.5))
            os.kill(self.daemon.pid, signal.SIGCONT)
            self.figures.hangs += 1

    def _kill(self, pid: int, victim: str) -> None:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.figures.kills[victim] += 1
        self.victims.add(pid)
        if victim == "daemon":
            assert self.daemon.process is not None
            self.daemon.process.wait(10)

    def _revive(self) -> None:
        """Start a daemon if there is none, after a while, until one stays up long enough to say that it is ready."""
        process = self.daemon.process
        while process is None or process.poll() is not None:
            time.sleep(self.rng.choice((0.0, 0.0, 0.1, 0.5)))
            self._start()
            process = self.daemon.process

    def _start(self, *, calm: bool = False, rules: str = "") -> None:
        rules = "" if calm else rules or self._rules()
        self.daemon.environment[failpoints.VARIABLE] = rules
        self.daemon.environment[failpoints.SEED] = str(self.rng.random())
        self.figures.restarts += 1
        said = self.daemon.start(may_die=bool(rules))
        if said not in ("ready", ""):
            self.figures.problems.append(f"the daemon would not start: {said}")

    def _rules(self) -> str:
        chance = self.rng.random()
        if chance < 0.35:
            return f"{self.rng.choice(DAEMON_POINTS)}=kill~{self.rng.randint(0, 12)}"
        if chance < 0.65:
            return f"{self.rng.choice(WORKER_POINTS)}=kill@0.3"
        if chance < 0.75:
            return f"{self.rng.choice(ZYGOTE_POINTS)}=kill~{self.rng.randint(0, 3)}"
        return ""

    def _feed(self) -> None:
        """Keep sessions going: submit new ones, and decide about those that are held."""
        try:
            with self.daemon.client(timeout=5.0) as client:
                summaries = client.list(limit=SESSIONS * 4)
                for item in summaries:
                    if item["state"] == "held":
                        self._decide(client, item["session"])
                    elif item["state"] == "running" and self.rng.random() < 0.01:
                        client.stop(item["session"])
                going = sum(1 for item in summaries if item["state"] != "ended")
            for _ in range(SESSIONS - going):
                self._submit()
        except (NoDaemonError, ConflictError, NotFoundError):
            return  # it was killed at that moment, or what was held has gone on meanwhile

    def _decide(self, client: Client, session: str) -> None:
        if self.rng.random() < 0.5:
            client.resume(session)
        else:
            client.retry(session)

    def _submit(self) -> None:
        name = f"t{len(self.plans):04}"
        drawn = self.plans[name] = draw(self.rng, name, self.base, self.kinds)
        workspace = self.base / "ws" / name
        workspace.mkdir(parents=True)
        self.daemon.submit(drawn.plan, workspace)

    # --- the end ------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """A daemon that nobody kills any more: every session has to end."""
        if self.daemon.process is not None and self.daemon.process.poll() is None:
            self.daemon.kill()
        self._start(calm=True)
        self.daemon.environment[failpoints.VARIABLE] = ""

        def all_ended() -> bool:
            with self.daemon.client() as client:
                states = {item["session"]: item["state"] for item in client.list(limit=1000)}
                for session, state in states.items():
                    if state == "held":
                        client.resume(session)
            return set(states.values()) <= {"ended"}

        def unended() -> str:
            with self.daemon.client() as client:
                return str([client.status(item["session"]) for item in client.list(1000) if item["state"] != "ended"])

        wait_for(all_ended, 60, lambda: f"{self.base}: not ended: {unended()}")
        last = read_journal(self.daemon.state / "journal.sqlite")[-1]["seq"]
        wait_for(lambda: last in self.follower.seen, 30, "the follower has not seen the end")

    def _compare(self) -> None:
        figures = self.figures
        journal = read_journal(self.daemon.state / "journal.sqlite")
        comparison = Comparison(self.base, journal, self.follower.seen, self.plans, self.victims)
        figures.problems += [*self.follower.problems, *comparison.problems, *self._survivors(), *self._defects()]
        figures.kills.update(f"at {name}" for name in self._hits())
        figures.sessions, figures.runs = len(comparison.sessions), len(comparison.starting)
        figures.outcomes.update(event["data"]["outcome"] for event in comparison.ended.values())
        figures.events, figures.seen = len(journal), len(self.follower.seen)

    def _survivors(self) -> list[str]:
        try:
            wait_for(lambda: not processes_of(self.base) and not alive(self.base), 10)
        except AssertionError:
            return [f"survived: {found}" for found in (*processes_of(self.base), *alive(self.base))]
        return []

    def _defects(self) -> list[str]:
        """What the daemon itself calls a defect, images it could not use, and tracebacks of any process."""
        lines = self.daemon.log.read_text(errors="replace").splitlines()
        found = [f"in the log: {line[:2000]}" for line in lines if '"defect"' in line or '"image.unused"' in line]
        for number, line in enumerate(lines):
            if line.startswith("Traceback"):
                following = dropwhile(lambda text: not text.startswith(" "), lines[number + 1 :])
                frames = list(takewhile(lambda text: text.startswith(" "), following))
                end = lines[number + 1 + len(frames) : number + 2 + len(frames)]
                found.append("in the log: " + "\n".join([line, *frames[-6:], *end]))
        return found


def _sooner_or_later(point: str) -> str:
    """The rule for a failpoint that is to be hit within a second: not always at once, where it is passed often."""
    if point.startswith(("submit.", "recovery.", "image.")) or point == "worker.after-accept":
        return "=kill"
    return "=kill@0.5" if point in WORKER_POINTS + ZYGOTE_POINTS else "=kill~2"


def processes_named(name: str, base: Path) -> list[int]:
    """Pids of the processes of this name whose environment names `base`, in order."""
    found = []
    marker = str(base).encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "comm").read_text().strip() == name and marker in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return sorted(found)


def main() -> None:
    """`python -m tests.system.torture SEED KILLS`: torture in a new folder, which is kept if anything is wrong."""
    seed, kills = int(sys.argv[1]), int(sys.argv[2])
    base = Path(tempfile.mkdtemp(prefix="waved-torture-"))
    figures = Torture(base, seed).run(kills)
    print(figures)
    if figures.problems:
        print(*figures.problems, f"kept: {base}", sep="\n")
        sys.exit(1)
    shutil.rmtree(base)


if __name__ == "__main__":
    main()
