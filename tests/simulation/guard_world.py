"""What guards, workers and helpers do to a simulated session: findings at any time, snapshots and restores that fail or
never end, runs that do not freeze, a preview that comes and goes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from waved.domain import events as ev
from waved.domain.state import Session

FOREVER = float("inf")
PATHS = ("src/a.ts", "src/b.ts", "docs/x.md", "README")


@dataclass
class GuardFaults:
    """How likely things happen, and go wrong."""

    find: float
    snapshot_fails: float
    restore_fails: float
    silent: float
    """A worker or a helper never answers."""
    no_freeze: float
    no_preview: float

    @classmethod
    def random(cls, rng: Random) -> GuardFaults:
        """From fair weather to a storm."""
        storm = rng.choice((0.0, 0.4, 1.0))
        return cls(
            find=rng.choice((0.0, 0.05, 0.2)),
            snapshot_fails=0.1 * storm,
            restore_fails=0.15 * storm,
            silent=0.06 * storm,
            no_freeze=0.15 * storm,
            no_preview=0.1 * storm,
        )


@dataclass
class GuardWorld:
    """The guards' side of the world. `post` sends a message that arrives at a time."""

    rng: Random
    faults: GuardFaults
    post: Callable[[float, ev.Event], None]
    snapshots: set[str] = field(default_factory=set)
    """Those that are in the shadow repository."""
    restoring: str = ""
    """The reaction whose files are being brought back."""
    restored_at: float = 0.0
    findings: int = 0
    good: int = 0
    budget: int = 25
    """Findings a session gets; without a bound it need not end."""
    last: list[ev.Event] = field(default_factory=list)

    def take(self, session: str, name: str, now: float) -> None:
        """A helper keeps the workspace."""
        rng = self.rng
        if rng.random() < self.faults.silent:
            return
        if rng.random() < self.faults.snapshot_fails:
            self.post(now + rng.uniform(0, 3), ev.SnapshotTaken(session, name, error="the disk is full"))
            return
        self.snapshots.add(name)
        at = now + rng.choice((0.01, 0.3, 5.0, 700.0 if rng.random() < 0.02 else 0.1))
        self.post(at, ev.SnapshotTaken(session, name, f"c{name}", files=9, changed=1))

    def restore(self, event: ev.RestoreStarting, now: float) -> None:
        """A helper brings files back. Asserts that what is there is kept, and that no other restore is under way."""
        rng = self.rng
        assert event.present in self.snapshots, "a restore before what is there was kept (invariant 4)"
        assert event.to in self.snapshots or (not event.to and event.scope == "file"), f"to {event.to!r}"
        busy = self.restoring and self.restoring != event.reaction and now < self.restored_at
        assert not busy, f"{event.reaction} restores while {self.restoring} does"
        self.restoring = event.reaction
        if rng.random() < self.faults.silent:
            return
        ok = rng.random() >= self.faults.restore_fails
        self.restored_at = now + rng.choice((0.0, 0.05, 2.0))
        paths = event.paths[:1] or ["src/a.ts"]
        answer = ev.RestoreEnded(
            event.session, event.reaction, ok, restored=paths if ok else [], total=len(paths), to=event.to
        )
        answer.detail = "" if ok else "no space left"
        self.post(self.restored_at, answer)

    def something(self, session: Session, now: float) -> None:
        """Something is seen: of a file, an agent, the preview; perhaps what was seen before is no longer so."""
        rng, plan = self.rng, session.plan
        if self.budget <= 0:
            return
        self.budget -= 1
        assert session.guards is not None
        what = rng.random()
        nodes = list(session.nodes.values())
        if what < 0.55 and plan.monitors:
            monitor = rng.choice(plan.monitors)
            self.findings = max(self.findings, session.guards.made) + 1
            node = rng.choice(nodes)
            by = rng.choice((node.key, node.key, "", "nobody"))
            path = rng.choice(PATHS) if monitor.kind in ("corruption", "file-size", "ownership") else ""
            responders = [run.id for run in session.active.values() if run.purpose == "responder"]
            run = node.runs[-1].id if node.runs and by == node.key else rng.choice(["", "s/unknown#1", *responders])
            subject = path or (by if by == node.key and monitor.kind in ("progress", "timeouts") else "")
            found = ev.FindingMade(
                "s", f"f{self.findings}", monitor.label, "seen", "warning", subject, path, 3,
                by if run not in responders else "", run, "const const",
            )  # fmt: skip
            self.post(now + rng.uniform(0, 1), found)
        elif what < 0.7 and session.guards.findings:
            name = rng.choice(list(session.guards.findings))
            self.post(now + rng.uniform(0, 2), ev.FindingCleared("s", name, "mended"))
        elif what < 0.8:
            changes = {rng.choice([nodes[0].key, "", "nobody"]): [[rng.choice(PATHS), "modified"]]}
            self.post(now, ev.FilesChanged("s", changes))
        elif what < 0.87 and session.active:
            run = rng.choice(list(session.active))
            self.post(now, ev.RunStalled("s", run, "tool", now - 120, 120))
            if rng.random() < 0.3:
                self.post(now + 1, ev.RunProgressed("s", run))
        elif what < 0.93:
            self.good = max(self.good, session.guards.good) + 1
            self.snapshots.add(f"g{self.good}")
            self.post(now, ev.SnapshotTaken("s", f"g{self.good}", "cg"))
        elif plan.preview is not None:
            up = rng.random() < 0.5
            url = plan.preview.url
            self.post(now, ev.PreviewAnswered("s", url, 0.1) if up else ev.PreviewFailed("s", url, "status 500"))

    def catch_up(self, event: ev.CheckStarted, now: float) -> None:
        """The guard judges all that was changed before."""
        error = "the inspector does not start" if self.rng.random() < 0.03 else ""
        self.post(now + self.rng.uniform(0, 2), ev.GuardCaughtUp(event.session, event.gate, event.index, 3, error))

    def lease(self, session: str, now: float) -> None:
        """A helper finds a free port."""
        ok = self.rng.random() >= self.faults.no_preview / 3
        self.post(now + 0.1, ev.PortLeased(session, 4321 if ok else 0, "" if ok else "no port is free"))

    def probe(self, session: Session, now: float) -> None:
        """The guard probes the preview until it answers."""
        preview = session.plan.preview
        if preview is not None and self.rng.random() >= self.faults.no_preview:
            self.post(now + self.rng.uniform(0.1, 5), ev.PreviewAnswered(session.id, preview.url, 0.1))
