"""The sessions a daemon knows: those that go on, in memory; ended ones read from the journal when asked for."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import structlog

from waved.domain import events as ev
from waved.domain.fold import begin
from waved.domain.history import Wanted
from waved.domain.state import Session
from waved.domain.view import summary
from waved.errors import BadRequestError, NotFoundError
from waved.journal.store import Journal, Past
from waved.masking import Masks
from waved.plan.models import Plan
from waved.reactor.imaging import Tally
from waved.reactor.restore import Restored, counted, restore
from waved.reactor.specs import Environment

KEPT = 64
"""Ended sessions kept in memory once they were asked for."""
_ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"
_ENVIRONMENT = "environment"

log = structlog.get_logger("waved")


class Sessions:
    """All sessions by id. A session is live until it ends, and again when it is retried."""

    def __init__(self, journal: Journal, masks: Masks) -> None:
        self._journal = journal
        self._masks = masks
        self.live: dict[str, Session] = {}
        self.environments: dict[str, Environment] = {}
        self._ended: OrderedDict[str, Session] = OrderedDict()
        self._names: dict[str, str] = {}
        """Name by id, oldest first, of every session there is."""
        self.summaries: dict[str, dict[str, Any]] = {}
        """What lists show of sessions that have just ended, to be written with their end."""
        self.going: set[str] = set()
        """Sessions that are being pruned: their ids are not given again before they are gone."""
        self.unreadable: dict[str, str] = {}
        """Sessions whose events cannot be folded, and why: left alone, and named."""

    def recover(self) -> dict[str, Tally]:
        """Restore the sessions that had not ended, and know the others by name; how many events there were to fold."""
        tallies: dict[str, Tally] = {}
        for entry in self._journal.sessions():
            self._names[entry.session] = entry.name
            lost = self._journal.lost_of(entry)
            if lost:
                self.unreadable[entry.session] = lost
            elif not entry.ended:
                restored = self._restored(entry.session)
                if restored is not None:
                    self.live[entry.session] = restored.session
                    log.info("session.restored", session=entry.session, events=restored.events, imaged=restored.imaged)
                    tallies[entry.session] = Tally(restored.imaged, restored.events - restored.imaged)
        return tallies

    def _load(self, session_id: str) -> Session | None:
        restored = None if session_id in self.unreadable else self._restored(session_id)
        return None if restored is None else restored.session

    def _restored(self, session_id: str) -> Restored | None:
        try:
            restored = restore(self._journal.of_session, self._journal.images, session_id)
        except ValueError as error:
            self.unreadable[session_id] = str(error)
        except Exception as error:  # noqa: BLE001 — state of an unknown version or damaged: named, never fatal
            self.unreadable[session_id] = f"{type(error).__name__}: {error}"
        else:
            if restored.unused:
                log.warning("image.unused", session=session_id, problem=restored.unused, note="every event was folded")
            return restored
        return None

    def id_for(self, name: str, token: str) -> tuple[str, ev.SessionSubmitted | None]:
        """An id for what is submitted with this token: the plan's name and four characters; if it was submitted before,
        the id it has, and its event. "" is no token: nothing was submitted with it.
        """
        for session_id in _ids(name, token or secrets.token_hex()):
            if session_id not in self._names and session_id not in self.going:
                return session_id, None
            if token and (submitted := self._submitted(session_id)) is not None and submitted.token == token:
                return session_id, submitted
        raise AssertionError("ids have no end")

    def _submitted(self, session_id: str) -> ev.SessionSubmitted | None:
        try:
            first = next(iter(self._journal.of_session(session_id)), None)
        except ValueError:
            return None  # it cannot be read any more
        return first if isinstance(first, ev.SessionSubmitted) else None

    def add(self, event: ev.SessionSubmitted) -> Session:
        """A session begins."""
        session = begin(event)
        self.live[session.id] = session
        self._names[session.id] = session.plan.session.name
        return session

    def end(self, session: Session) -> None:
        """A session is over: it may be forgotten when others are asked for."""
        self.summaries[session.id] = summary(session)
        self.live.pop(session.id, None)
        self._keep(session)

    def reopen(self, session: Session) -> None:
        """An ended session goes on (retry)."""
        self._ended.pop(session.id, None)
        self.live[session.id] = session

    def _keep(self, session: Session) -> None:
        self._ended[session.id] = session
        self._ended.move_to_end(session.id)
        while len(self._ended) > KEPT:
            self._ended.popitem(last=False)

    def resolve(self, wanted: str) -> str:
        """The id meant by an id, a unique prefix, a session name (its newest) or "" (the newest of all).

        Raises NotFoundError, or BadRequestError listing the candidates.
        """
        if not self._names:
            raise NotFoundError("there is no session yet", "start one with `wavectl run PLAN`")
        if not wanted:
            return next(reversed(self._names))
        if wanted in self._names:
            return wanted
        named = [session_id for session_id, name in self._names.items() if name == wanted]
        if named:
            return named[-1]
        found = [session_id for session_id in self._names if session_id.startswith(wanted)]
        if len(found) == 1:
            return found[0]
        if not found:
            raise NotFoundError(f"no session {wanted!r}", "`wavectl list` shows them")
        raise BadRequestError(f"{wanted!r} is the beginning of several sessions", "one of: " + ", ".join(found[-10:]))

    def get(self, wanted: str) -> Session:
        """The session meant by `wanted` (see `resolve`); an ended one is read from the journal."""
        session_id = self.resolve(wanted)
        session = self.live.get(session_id) or self._ended.get(session_id)
        if session is None:
            session = self._load(session_id)
            if session is None:
                raise NotFoundError(f"session {session_id} cannot be read: {self.unreadable[session_id]}")
            self._keep(session)
        return session

    def known(self, session_id: str) -> Session | None:
        """A session that is in memory."""
        return self.live.get(session_id) or self._ended.get(session_id)

    def find(self, wanted: Wanted, limit: int) -> list[dict[str, Any]]:
        """Summaries of the newest readable sessions that are wanted, newest first.

        Those that go on, or have ended so recently that the journal does not say so yet, are judged by what they are
        now; all others by the journal's index.
        """
        present = {**self.live, **{name: self._ended[name] for name in self.summaries if name in self._ended}}
        found = [shown for session in present.values() if wanted.admits(shown := summary(session))]
        made: dict[str, dict[str, Any]] = {}
        for past in self._journal.past(wanted):
            if len(found) >= limit + len(present):
                break
            shown_past = None if past.session in present else self._summary(past.session, made)
            if shown_past is not None:
                found.append(shown_past)
        if made:
            self._journal.keep_summaries(made)
        found.sort(key=lambda shown: float(shown["submitted"]), reverse=True)
        return found[:limit]

    def past(self) -> list[Past]:
        """Every session that has ended and may be pruned, newest first."""
        return [past for past in self._journal.past() if past.session not in self.live]

    def prune(self, session_id: str) -> None:
        """From now on there is no such session."""
        self._names.pop(session_id, None)
        self._ended.pop(session_id, None)
        self.unreadable.pop(session_id, None)
        self.forget(session_id)

    def _summary(self, session_id: str, made: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
        """What a list shows of a session: of an ended one as it was kept when it ended. None: it cannot be read.

        Those that had to be folded, of a journal that did not keep them yet, are put into `made`.
        """
        if session_id in self.unreadable:
            return None
        session = self.live.get(session_id) or self._ended.get(session_id)
        if session is not None:
            return summary(session)
        kept = self._journal.summary(session_id)
        if kept is None:
            session = self._load(session_id)
            if session is None:
                return None
            kept = made[session_id] = summary(session)
        return kept

    @property
    def total(self) -> int:
        """How many sessions there are."""
        return len(self._names)

    # --- environment values: on disk 0600 for the next daemon, never in the journal -----------------------------

    def keep_environment(self, session_id: str, environment: Environment, folder: Path, plan: Plan) -> None:
        """Keep values for runs to come, and mask the secrets among them from now on. Raises OSError."""
        self.environments[session_id] = environment
        self._masks.keep(session_id, environment, marked_in(plan))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.keep_private(folder / _ENVIRONMENT, json.dumps(environment))

    @staticmethod
    def keep_private(path: Path, text: str) -> None:
        """Write a file only its owner can read. Raises OSError."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)

    def forget(self, session_id: str) -> None:
        """It was not to be: drop the values of a session that never began."""
        self.environments.pop(session_id, None)
        self._masks.drop(session_id)

    def environment(self, session_id: str, folder: Path) -> Environment:
        """The values a session's runs see; empty when they are gone."""
        known = self.environments.get(session_id)
        if known is None:
            try:
                known = json.loads((folder / _ENVIRONMENT).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                known = {}
            self.environments[session_id] = known
            session = self.known(session_id)
            self._masks.keep(session_id, known, marked_in(session.plan) if session is not None else [])
        return known

    def drop_environment(self, session_id: str, folder: Path) -> None:
        """The session succeeded: its values are needed no more."""
        self.environments.pop(session_id, None)
        self._masks.drop(session_id)
        (folder / _ENVIRONMENT).unlink(missing_ok=True)


def _ids(name: str, token: str) -> Iterator[str]:
    """Ids for a session, always the same ones for a token, the likeliest first."""
    for number in itertools.count():
        digest = hashlib.sha256(f"{number} {token}".encode()).digest()
        yield f"{name[:48]}-{''.join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:4])}"


def marked_in(plan: Plan) -> list[str]:
    """The variables (globs) that a plan says are secrets."""
    agents = [agent.env for wave in plan.waves for agent in wave.agents]
    return [name for env in (plan.session.env, *agents) for name in env.secrets]


def replay(events: Iterable[ev.Event]) -> Session:
    """The session that these events add up to. Raises ValueError when they begin with no submission."""
    return counted(events)[0]


def describe(event: ev.Event) -> dict[str, Any]:
    """An event on the wire."""
    return {"seq": event.seq, "time": event.time, "session": event.session, "kind": event.kind, "data": event.data()}
