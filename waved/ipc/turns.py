"""Requests that wait for their turn: each client's in its order, the clients one after another.

So a client that asks a thousand things at once makes itself wait, and nobody else.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

IN_FLIGHT = 256
"""Requests of one client that are not answered yet; one more is refused."""
BYTES = 32 * 1024 * 1024
"""Bytes of one client's requests that wait for their turn."""

Item = TypeVar("Item")


class Turns(Generic[Item]):
    """Queues by client, bounded."""

    def __init__(self) -> None:
        self._queues: OrderedDict[Hashable, deque[tuple[Item, int]]] = OrderedDict()
        self._sizes: dict[Hashable, int] = {}
        self._open: dict[Hashable, int] = {}

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._queues)

    def put(self, client: Hashable, item: Item, size: int) -> bool:
        """Let a request wait; False when the client has too many that are not answered."""
        if self._open.get(client, 0) >= IN_FLIGHT or (size and self._sizes.get(client, 0) + size > BYTES):
            return False
        self._open[client] = self._open.get(client, 0) + 1
        self._sizes[client] = self._sizes.get(client, 0) + size
        self._queues.setdefault(client, deque()).append((item, size))
        return True

    def take(self, limit: int) -> list[Item]:
        """The next requests: of each client one, of `limit` clients at most."""
        found: list[Item] = []
        for _ in range(min(limit, len(self._queues))):
            client, queue = self._queues.popitem(last=False)
            item, size = queue.popleft()
            found.append(item)
            self._sizes[client] -= size
            if queue:
                self._queues[client] = queue
            else:
                del self._sizes[client]
        return found

    def waits(self, client: Hashable) -> bool:
        """Whether a request of this client waits for its turn."""
        return client in self._queues

    def done(self, client: Hashable) -> None:
        """A request of this client was answered."""
        left = self._open.get(client, 0) - 1
        if left > 0:
            self._open[client] = left
        else:
            self._open.pop(client, None)
