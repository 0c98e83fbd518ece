"""Keeping a store small: which snapshots go, and giving their room back. Only ever on request, never by itself."""

from __future__ import annotations

import time
from collections.abc import Collection

from waved.workspace.records import Expired, Snapshot
from waved.workspace.store import NOW, Store
from waved.workspace.writer import ABOUT_REF

PACK_SECONDS = 1800.0
"""Time limit of packing a store anew."""


def expire(
    store: Store,
    *,
    max_age: float | None,
    max_count: int | None,
    max_bytes: int | None,
    sessions: Collection[str],
    keep: Collection[str],
    now: float | None = None,
) -> Expired:
    """See `Shadow.expire`. Whoever calls it holds the store's lock."""
    today = time.time() if now is None else now
    before = store.size()
    every = store.snapshots()
    # The newest is what the next one is compared with, and the only backup of the present: it stays.
    free = [(ref, snapshot) for ref, snapshot in every[:-1] if snapshot.id not in keep]
    surplus = len(every) - max_count if max_count is not None else 0
    going = [
        (ref, snapshot)
        for number, (ref, snapshot) in enumerate(free)
        if number < surplus
        or snapshot.label.session in sessions
        or (max_age is not None and today - snapshot.time > max_age)
    ]
    removed = _drop(store, going)
    pack(store)
    after = store.size()
    left = [item for item in free if item not in going]
    while max_bytes is not None and after.bytes > max_bytes and left:
        # Sizes are known only after packing: a quarter at a time, so that it ends soon.
        share = max(1, len(left) // 4)
        removed += _drop(store, left[:share])
        left = left[share:]
        pack(store)
        after = store.size()
    return Expired(tuple(removed), before, after, over=max_bytes is not None and after.bytes > max_bytes)


def pack(store: Store) -> None:
    """Give back the room of what no snapshot holds, and pack what is left."""
    _delete(store, [NOW, ABOUT_REF.decode()])
    # Pruned first: on a full disk that makes the room that packing needs.
    store.git.run("prune", "--expire=now", timeout=PACK_SECONDS)
    store.git.run("repack", "-a", "-d", "-q", "--no-write-bitmap-index", timeout=PACK_SECONDS)
    store.git.run("prune", "--expire=now", timeout=PACK_SECONDS)
    store.git.run("pack-refs", "--all", "--prune")


def _drop(store: Store, going: Collection[tuple[str, Snapshot]]) -> list[str]:
    _delete(store, [ref for ref, _ in going])
    return [snapshot.id for _, snapshot in going]


def _delete(store: Store, refs: Collection[str]) -> None:
    if refs:
        lines = "".join(f"delete {ref}\0\0" for ref in refs)
        store.git.run("update-ref", "-z", "--stdin", stdin=lines.encode())
