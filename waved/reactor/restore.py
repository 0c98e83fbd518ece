"""A session's state from the journal: from its image, where there is one, and the events since (see `Images`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from waved.domain import events as ev
from waved.domain.fold import begin, fold
from waved.domain.image import ImageError, decode
from waved.domain.state import Session
from waved.journal.images import Image, Images
from waved.plan.models import Plan

Read = Callable[[str, int], Iterator[ev.Event]]
"""Events of a session with numbers above one, in order."""


class Restored(NamedTuple):
    """A session, how many events it has, and of how many of them an image told. `unused`: why one did not."""

    session: Session
    events: int
    imaged: int = 0
    unused: str = ""


def restore(read: Read, images: Images, session_id: str) -> Restored:
    """The state that a session's events add up to. An image that cannot be used costs time, nothing else.

    Raises ValueError when an event is damaged, or there is no submission.
    """
    unused = ""
    known = images.known.get(session_id)
    if known is not None:
        try:
            return _from_image(read, images, known)
        except Exception as error:  # noqa: BLE001 — whatever is wrong with an image: the events tell it all
            unused = str(error) if isinstance(error, ImageError) else f"{type(error).__name__}: {error}"
    session, events = counted(read(session_id, 0))
    return Restored(session, events, unused=unused)


def _from_image(read: Read, images: Images, known: Image) -> Restored:
    submitted = next(read(known.session, 0), None)
    since = read(known.session, known.seq - 1)
    last = next(since, None)
    if not isinstance(submitted, ev.SessionSubmitted) or last is None or last.seq != known.seq:
        raise ImageError(f"it is of another journal: event {known.seq} is not the session's")
    session = decode(images.read(known), Plan.model_validate(submitted.plan))
    if (session.id, session.last_seq) != (known.session, known.seq):
        raise ImageError("it is of another session")
    events = known.events
    for event in since:
        fold(session, event)
        events += 1
    return Restored(session, events, known.events)


def counted(events: Iterable[ev.Event]) -> tuple[Session, int]:
    """The session that these events add up to, and how many they are, without those before the submission.

    Raises ValueError when there is no submission among them.
    """
    following = iter(events)
    session = next((begin(event) for event in following if isinstance(event, ev.SessionSubmitted)), None)
    if session is None:
        raise ValueError("no submission in the journal")
    count = 1
    for event in following:
        fold(session, event)
        count += 1
    return session, count
