"""The program that makes images, a process of its own beside the daemon: `python -m waved.reactor.imager`.

It reads the journal as a start would, so an image tells of journalled events alone, and the reactor neither waits nor
shares anything with it. It yields the processor to everything else, is the first to go when memory runs out, and goes
with the daemon. For each session it prints a line of JSON: the row for the journal, or {"session", "problem"}.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waved.journal.sources import digest
from waved.pool.humble import step_back

if TYPE_CHECKING:
    import sqlite3

    from waved.domain.events import Event

PROGRAM = "waved.reactor.imager"
_PAGE = 20_000
"""Events that are read at once: while somebody reads, the journal's write-ahead log cannot begin anew."""


def main(arguments: Sequence[str]) -> None:
    """`arguments`: the daemon's pid, the journal, the number of the last event to be looked at, sessions."""
    parent, journal, until, *sessions = arguments
    step_back(int(parent), "waved-imager")
    gc.disable()
    for session in sessions:
        print(json.dumps(_made(Path(journal), session, int(until))), flush=True)


def _made(journal: Path, session: str, until: int) -> dict[str, Any]:
    try:
        return _image(journal, session, until)
    except Exception as error:  # noqa: BLE001 — told to the daemon, whose log names it
        return {"session": session, "problem": f"{type(error).__name__}: {error}"}


def _image(journal: Path, session: str, until: int) -> dict[str, Any]:
    # What folds is imported between two looks at its sources: if both see the same, that is what was imported.
    sources = digest()
    from waved.domain.image import ImageError, encode
    from waved.journal.images import Images, code_of, write
    from waved.journal.salvage import read_only
    from waved.reactor.restore import restore

    with closing(read_only(journal)) as db:
        restored = restore(partial(_events, db, until), Images(db, journal), session)
    content = encode(restored.session)
    if digest() != sources:
        raise ImageError("waved is being replaced")
    return write(journal, session, restored.session.last_seq, restored.events, content, code_of(sources))._asdict()


def _events(db: sqlite3.Connection, until: int, session: str, after: int) -> Iterator[Event]:
    from waved.journal.rows import events_of

    while page := list(islice(events_of(db, session, after), _PAGE)):
        for event in page:
            if event.seq > until:
                return
            yield event
        after = page[-1].seq


if __name__ == "__main__":
    main(sys.argv[1:])
