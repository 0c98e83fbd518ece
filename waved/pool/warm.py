"""Workers that wait for a run: born ahead of need, and used again when their runs are over."""

from __future__ import annotations

from collections import deque
from contextlib import suppress

from waved.descriptors import descriptors_left, spare_descriptors
from waved.pool.channel import MAX_FDS, ChannelClosedError
from waved.pool.roster import Roster, Worker
from waved.pool.zygotes import Zygotes

MAX_WARM = 256
KEPT_WARM = 16
"""Workers kept for further runs when theirs is over, if it is not known that more will be needed."""


class Warm:
    """Those of a pool."""

    def __init__(self, roster: Roster, zygotes: Zygotes) -> None:
        self._roster = roster
        self._zygotes = zygotes
        self._waiting: deque[Worker] = deque()
        self._kept: dict[str, int] = {}
        """Workers to keep for what follows, by session."""

    def __len__(self) -> int:
        return len(self._waiting)

    def prepare(self, count: int) -> None:
        """Have at least `count`, 256 at most. Returns at once; they are usable at once."""
        missing = min(count, MAX_WARM) - len(self._waiting)
        while missing > 0 and (made := self._fork(min(missing, MAX_FDS))):
            missing -= made

    def take(self) -> Worker | None:
        """One that is to have a run; None when none can be had."""
        if not self._waiting:
            self._fork(1)
        return self._waiting.popleft() if self._waiting else None

    def put_back(self, worker: Worker) -> None:
        """One is done with its run and can take another."""
        free = Worker(worker.channel, pid=worker.pid, zygote=worker.zygote)
        self._roster.replace(free)
        if len(self._waiting) < self._room:
            self._waiting.append(free)
        else:
            self._dismiss(free)

    def lose(self, worker: Worker) -> None:
        """It has ended, if it was one of these."""
        with suppress(ValueError):
            self._waiting.remove(worker)

    def keep(self, session: str, count: int) -> None:
        """See `Pool.keep`."""
        self._kept[session] = count
        if not count:
            del self._kept[session]
        while len(self._waiting) > self._room:
            self._dismiss(self._waiting.pop())

    @property
    def _room(self) -> int:
        """How many may wait."""
        return min(MAX_WARM, max(KEPT_WARM, sum(self._kept.values())))

    def _dismiss(self, worker: Worker) -> None:
        self._roster.send(worker, {"withdraw": True})
        self._roster.forget(worker)

    def _fork(self, count: int) -> int:
        """Have at most `count` workers forked; how many can be used."""
        shortage = self._roster.shortage
        if shortage.lasts:
            return 0
        # Each takes two, for the moment in which it is handed its end.
        count = min(count, (descriptors_left() - spare_descriptors()) // 2)
        if count <= 0:
            shortage.met("no worker can be made: descriptors are short (raise LimitNOFILE)")
            return 0
        try:
            made = self._zygotes.fork(count)
        except (OSError, ChannelClosedError) as error:
            shortage.met(f"no worker can be made: {error}")
            return 0
        for channel in made:
            worker = Worker(channel, zygote=self._zygotes.pid)
            self._roster.add(worker)
            self._waiting.append(worker)
        return count

    def clear(self) -> None:
        """Let go of all."""
        for worker in self._waiting:
            self._roster.forget(worker)
        self._waiting.clear()
