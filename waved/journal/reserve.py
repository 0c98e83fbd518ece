"""Room that the journal keeps for itself, so that a full disk does not take the control away.

Agents fill disks; whoever wants to stop them then needs the journal to take that stop. So a megabyte is kept free
*inside* the database: pages that were filled once and are free again, and a write-ahead log that is as long already.
Neither needs anything of the disk when it is used (on file systems that do not copy on write).
"""

from __future__ import annotations

import sqlite3
import time

from waved.journal.schema import transaction

ROOM = 1024 * 1024
"""Bytes."""
_LOOK_EVERY = 100
"""Events between two looks; a thousand fit into the room."""
_AGAIN = 1.0
"""Seconds before making room is tried again after it failed."""


class Reserve:
    """The free pages of one journal."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._since = 0
        self._again = 0.0
        self.problem = ""
        """Why there is less room than there should be; "" when all is well."""

    def used(self, events: int) -> None:
        """Events were written: look now and then whether room is to be made."""
        self._since += events
        if self._since >= _LOOK_EVERY or self.problem:
            self._since = 0
            self.refill()

    def refill(self) -> None:
        """Make room if half of it is used up. Never raises: `problem` says how it went."""
        if self.problem and time.monotonic() < self._again:
            return
        try:
            if self._free() >= ROOM // 2:
                self.problem = ""
                return
            with transaction(self._db):
                self._db.execute("CREATE TABLE room (filled BLOB)")
                self._db.execute("INSERT INTO room VALUES (zeroblob(?))", (ROOM,))
                self._db.execute("DROP TABLE room")
            # What the log holds is folded in, so that it is used from its beginning again.
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self.problem = ""
        except sqlite3.Error as error:
            self._again = time.monotonic() + _AGAIN
            self.problem = (
                f"the journal's disk is full ({error}): no new session is taken, and only {self._room()} KB are left"
                " to write down what happens"
            )

    def _free(self) -> int:
        pages = self._db.execute("PRAGMA freelist_count").fetchone()[0]
        size = self._db.execute("PRAGMA page_size").fetchone()[0]
        return int(pages) * int(size)

    def _room(self) -> int:
        try:
            return self._free() // 1024
        except sqlite3.Error:
            return 0
