"""What is told once, and when it is over."""

from __future__ import annotations

from waved.monitors.base import GUARD, MOST_EVIDENCE, Sighting, Verdict
from waved.monitors.judging import Hindrance, Result
from waved.monitors.ledger import Ledger, shortened
from waved.workspace.attribution import Writer

NOBODY = Writer("", "", "")
FAULT = Verdict("a.ts:1: wrong", "critical", 1, "evidence", "key", at_once=True)


def bad(digest: bytes = b"1") -> Result:
    return Result("corruption", "a.ts", FAULT, digest)


GOOD = Result("corruption", "a.ts", None, b"0")


def test_each_content_is_told_once_and_its_end_once() -> None:
    ledger = Ledger()
    first = ledger.judged(bad(), Writer("front", "r1", "it owns the path"))
    assert first is not None
    assert (first.assignment, first.run, first.subject, first.line) == ("front", "r1", "a.ts", 1)
    assert ledger.judged(bad(), NOBODY) is None
    assert ledger.judged(bad(b"2"), NOBODY) is not None
    assert len(ledger.open) == 1
    over = ledger.judged(GOOD, NOBODY)
    assert over is not None
    assert over.cleared
    assert ledger.judged(GOOD, NOBODY) is None
    assert ledger.open == ()
    assert ledger.judged(bad(), NOBODY) is not None


def test_what_a_person_approved_is_not_told_until_the_file_changes() -> None:
    ledger = Ledger()
    ledger.judged(bad(), NOBODY)
    ledger.approve("corruption", "a.ts")
    assert ledger.open == ()
    ledger.changed("a.ts")
    assert ledger.judged(bad(), NOBODY) is None
    assert ledger.judged(bad(b"2"), NOBODY) is not None
    assert ledger.judged(bad(), NOBODY) is not None


def test_sightings_without_content_are_approved_until_the_path_changes() -> None:
    ledger = Ledger()
    seen = Sighting("ownership", "b wrote a", subject="a", path="a")
    assert ledger.told(seen) == seen
    assert ledger.told(seen) is None
    ledger.approve("ownership", "a")
    assert ledger.told(seen) is None
    ledger.changed("a")
    assert ledger.told(seen) == seen
    over = Sighting("ownership", "over", subject="a", cleared=True)
    assert ledger.told(over) == over
    assert ledger.told(over) is None


def test_hindrances_are_told_once_and_are_not_open() -> None:
    ledger = Ledger()
    said = ledger.hindered(Hindrance("a.txt", "(a+)+$"))
    assert said is not None
    assert said.monitor == GUARD
    assert said.summary == 'the pattern "(a+)+$" takes too long on a.txt: it was given up'
    assert ledger.hindered(Hindrance("a.txt", "(a+)+$")) is None
    assert ledger.hindered(Hindrance("a.txt", "")) is not None
    assert ledger.open == ()


def test_evidence_has_its_limit() -> None:
    assert shortened("short") == "short"
    assert len(shortened("é" * 5000).encode()) <= MOST_EVIDENCE
