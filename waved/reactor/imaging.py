"""When images are made, and of which sessions (`waved.journal.images`).

A start may have so many events to fold: those that go on and are in no image. When they are more than `AT_LEAST` and a
quarter of what images hold already, an imager makes new ones of the sessions with the most. So the work for images
grows with the events, not with their square, and sessions of ordinary length never need one.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from waved.domain import events as ev
from waved.journal.images import Image
from waved.journal.store import Journal
from waved.reactor import beside
from waved.reactor.imager import PROGRAM
from waved.reactor.inbox import Helpers

AT_LEAST = 50_000
"""Events; folding them takes a third of a second."""
VARIABLE = "WAVED_IMAGE_EVENTS"
"""Replaces `AT_LEAST`, for tests."""
SHARE = 4

log = structlog.get_logger("waved")


@dataclass(slots=True)
class Tally:
    """How many events of a session are in its image, and how many came since."""

    imaged: int = 0
    since: int = 0


class Imaging:
    """Counts events and has images made. All of it in the reactor's thread, but the waiting for the imager."""

    def __init__(self, journal: Journal, helpers: Helpers) -> None:
        self._journal = journal
        self._helpers = helpers
        self._tallies: dict[str, Tally] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._busy = False
        self._closed = False
        wanted = os.environ.get(VARIABLE, "")
        self._at_least = int(wanted) if wanted.isdecimal() else AT_LEAST
        self._again = 0
        """After a failure: not before so many events are in no image."""
        self._wait = 0
        """Events that must come before it can be time: all sessions are looked at then, not at each event."""

    def recovered(self, tallies: dict[str, Tally]) -> None:
        """The sessions that go on, and what was folded of them at the start."""
        self._tallies = tallies
        self._journal.images.tidy()

    def count(self, events: Sequence[ev.Event]) -> None:
        """These were journalled."""
        self._wait -= len(events)
        for event in events:
            name = event.session
            tally = self._tallies.get(name)
            if tally is not None:
                tally.since += 1
                if type(event) is ev.SessionEnded:
                    del self._tallies[name]
            elif type(event) is ev.SessionSubmitted:
                self._tallies[name] = Tally(since=1)
            elif type(event) is ev.SessionRetried:
                # It had ended, and its image is gone. What follows in this batch counts twice: it matters little.
                self._tallies[name] = Tally(since=self._journal.count_of(name))
                self._wait = 0
        if self._wait <= 0:
            self._look()

    def _look(self) -> None:
        """Start an imager if it is time."""
        if self._busy or self._closed:
            return
        since = sum(tally.since for tally in self._tallies.values())
        most = self._at_least + sum(tally.imaged for tally in self._tallies.values()) // SHARE
        self._wait = max(most, self._again) - since
        if self._wait > 0:
            return
        self._busy = True
        self._again = 0
        chosen = self._largest(since - most // 2)
        until = self._journal.last_seq
        self._helpers.run(lambda: self._work(chosen, until), lambda error: self._done(chosen, [], str(error)))

    def _largest(self, enough: int) -> list[str]:
        """The sessions with the most events in no image, until these are `enough`."""
        chosen: list[str] = []
        for name in sorted(self._tallies, key=lambda name: self._tallies[name].since, reverse=True):
            if enough <= 0:
                break
            chosen.append(name)
            enough -= self._tallies[name].since
        return chosen

    def _work(self, sessions: list[str], until: int) -> None:
        """On a helper thread: run the imager."""
        process = beside.start(PROGRAM, str(self._journal.path.absolute()), str(until), *sessions)
        self._process = process
        if self._closed:
            process.kill()
        said, complained = process.communicate()
        made = [json.loads(line) for line in said.splitlines() if line.endswith(b"}")]
        why = ""
        if process.returncode:
            why = beside.complaint(process.returncode, complained)
        self._helpers.inbox.put(lambda: self._done(sessions, made, why))

    def _done(self, sessions: list[str], made: list[dict[str, Any]], problem: str) -> None:
        """The imager has ended: keep what it made."""
        self._busy = False
        self._process = None
        failed = dict.fromkeys(sessions, problem or "it said nothing")
        for each in made:
            failed.pop(each["session"], None)
            if "problem" in each:
                failed[each["session"]] = each["problem"]
            else:
                self._keep(Image(**each))
        for name, why in failed.items():
            log.warning("image.not-made", session=name, problem=why)
        if failed:
            self._again = 2 * sum(tally.since for tally in self._tallies.values())
        self._look()

    def _keep(self, made: Image) -> None:
        tally = self._tallies.get(made.session)
        if tally is None:
            self._journal.images.discard(made)
        elif self._journal.images.keep(made):
            tally.imaged, tally.since = made.events, tally.imaged + tally.since - made.events
            log.info("image.made", session=made.session, seq=made.seq, events=made.events)
        else:
            log.warning("image.not-made", session=made.session, problem="the journal does not take it")
            self._again = 2 * self._at_least + 2 * (tally.imaged + tally.since)

    def close(self) -> None:
        """End the imager: what it would have made is not needed any more."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()
