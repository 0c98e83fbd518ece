"""Journals of other versions are migrated, damaged ones put aside, none is overwritten.

`tests/fixtures/journal` holds a journal of every released schema, made by a real daemon (waves, retries, a gate, a lost
run), and the views it must fold to. They are never made anew.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from waved.domain import events as ev
from waved.domain.history import Wanted
from waved.domain.view import summary, view
from waved.errors import ResourceError
from waved.journal import salvage
from waved.journal.schema import MIGRATIONS, SCHEMA
from waved.journal.store import Journal, JournalError
from waved.masking import Masks
from waved.reactor.sessions import Sessions, replay

FROZEN = Path(__file__).parents[2] / "fixtures" / "journal"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def frozen(schema: int, path: Path) -> dict[str, dict[str, object]]:
    """Put the frozen journal of a schema at `path`; returns the views it must fold to."""
    shutil.copy(FROZEN / f"schema-{schema}.sqlite", path)
    views: dict[str, dict[str, object]] = json.loads((FROZEN / f"schema-{schema}.views.json").read_text())
    return views


def added_since(then: object, now: object) -> object:
    """`now` without the keys that views have got since: what was there must be there, unchanged."""
    if isinstance(then, dict) and isinstance(now, dict):
        return {key: added_since(then[key], now[key]) for key in now if key in then}
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        return [added_since(*pair) for pair in zip(then, now, strict=True)]
    return now


def dump(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def test_there_is_a_frozen_journal_of_every_schema_but_the_newest() -> None:
    kept = {int(item.stem.partition("-")[2]) for item in FROZEN.glob("schema-*.sqlite")}
    assert kept >= set(range(1, SCHEMA))


@pytest.mark.parametrize("schema", range(1, SCHEMA))
def test_a_journal_of_an_older_schema_opens_and_folds_to_the_same_views(path: Path, schema: int) -> None:
    expected = frozen(schema, path)
    events = dump(path, "SELECT * FROM events ORDER BY seq")
    with closing(Journal(path)) as journal:
        found = {name: view(replay(journal.of_session(name)), 0.0) for name in expected}
        assert {entry.session for entry in journal.sessions()} == set(expected)
        assert [entry.ended > 0 for entry in journal.sessions()] == [
            found[entry.session]["state"] == "ended" for entry in journal.sessions()
        ]
        assert [tuple(row) for row in journal.all()] == events
    assert json.loads(json.dumps(added_since(expected, found))) == expected
    assert {item["outcome"] for item in expected.values()} == {"succeeded", "failed", ""}
    assert dump(path.with_name(f"{path.name}.schema-{schema}.bak"), "SELECT * FROM events ORDER BY seq") == events


def test_a_migrated_journal_has_the_tables_of_a_new_one(path: Path, tmp_path: Path) -> None:
    frozen(1, path)
    Journal(path).close()
    fresh = tmp_path / "fresh.sqlite"
    Journal(fresh).close()
    tables = "SELECT type, name, replace(replace(sql, char(10), ''), ' ', '') FROM sqlite_master ORDER BY name"
    assert dump(path, tables) == dump(fresh, tables)


def test_a_migration_that_fails_leaves_the_journal_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen(1, path)
    before = dump(path, "SELECT name, sql FROM sqlite_master ORDER BY name")

    def broken(database: sqlite3.Connection) -> None:
        MIGRATIONS[1](database)
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("waved.journal.schema.MIGRATIONS", (MIGRATIONS[0], broken))
    with pytest.raises(JournalError, match="disk is full"):
        Journal(path)
    assert dump(path, "SELECT name, sql FROM sqlite_master ORDER BY name") == before
    monkeypatch.undo()
    with closing(Journal(path)) as journal:
        assert len(journal.sessions()) == 3
    assert path.with_name(path.name + ".schema-1.2.bak").exists(), "the first copy is not overwritten"


def test_what_has_its_default_is_not_written_and_comes_back(path: Path) -> None:
    events: list[ev.Event] = [
        ev.RunEnded("s", "s/a#1", "exited", 0, seq=1),
        ev.RunEnded("s", "s/a#2", "signalled", None, 9, "why", 1.5, 3, 4, "tail", ["7 sh"], 0.0, 0, seq=2),
        ev.RunStarting("s", "s/a#3", "w", timeout=0.0, tasks=[], seq=3),
    ]
    with closing(Journal(path)) as journal:
        journal.append(events)
        assert list(journal.of_session("s")) == events
        assert next(set(row.fields()) for row in journal.all()) == {"run", "outcome", "exit_code"}
        assert [row.event() for row in journal.all()] == events


# --- damaged --------------------------------------------------------------------------------------------------------


def one_session(journal: Journal, name: str, fillers: int = 0) -> None:
    """A session with as many events that change nothing, held at its end."""
    plan = {"session": {"name": name}, "wave": [{"name": "w", "agent": [{"name": "a", "command": "true"}]}]}
    events: list[ev.Event] = [ev.SessionSubmitted(name, plan, "/w")]
    events += [ev.SessionResumed(name, "x" * 200) for _ in range(fillers)]
    for number, event in enumerate(events, journal.last_seq + 1):
        event.seq, event.time = number, float(number)
    journal.append(events)


def spoil(path: Path, first: int, last: int) -> None:
    """Overwrite pages of a database."""
    content = bytearray(path.read_bytes())
    content[first * 4096 : last * 4096] = b"\xff" * ((last - first) * 4096)
    path.write_bytes(content)


def test_what_is_no_database_is_put_aside_and_named(path: Path) -> None:
    before = b"this is no database, but it may be somebody's" * 100
    path.write_bytes(before)
    with closing(Journal(path)) as journal:
        [problem] = journal.problems()
        assert journal.sessions() == []
        one_session(journal, "new")
    [aside] = salvage.those_aside(path)
    assert str(aside) in problem
    assert aside.read_bytes() == before
    with closing(Journal(path)) as journal:
        assert journal.problems() == [problem], "until somebody moved the file away"
        assert [entry.session for entry in journal.sessions()] == ["new"]
        aside.unlink()
        assert journal.problems() == []


def test_what_can_be_read_of_a_damaged_journal_goes_on_and_what_was_torn_is_named(path: Path) -> None:
    with closing(Journal(path)) as journal:
        one_session(journal, "first", 20)
        journal.append([ev.SessionEnded("first", "succeeded", seq=journal.last_seq + 1)])
        one_session(journal, "torn", 2000)
        one_session(journal, "last", 20)
        highest = journal.last_seq
    pages = path.stat().st_size // 4096
    spoil(path, pages // 2, pages // 2 + 6)
    salvage.mark(path)
    with closing(Journal(path)) as journal:
        assert journal.last_seq > highest, "a number that a client has seen is never given again"
        sessions = Sessions(journal, Masks())
        sessions.recover()
        assert set(sessions.live) == set(), "what went on when events were lost is not trusted"
        assert set(sessions.unreadable) == {"torn", "last"}
        assert "were lost" in sessions.unreadable["torn"]
        assert summary(sessions.get("first"))["outcome"] == "succeeded"
        assert len(journal.read(limit=5000)) > 1000
    assert len(salvage.those_aside(path)) == 1


def test_damage_found_while_writing_is_remembered_for_the_next_start(path: Path) -> None:
    with closing(Journal(path)) as journal:
        one_session(journal, "s", 5)
    [(page,)] = dump(path, "SELECT rootpage FROM sqlite_master WHERE name = 'events_by_session'")
    assert isinstance(page, int)
    spoil(path, page - 1, page)
    with closing(Journal(path)) as journal, pytest.raises(ResourceError, match="damaged"):
        one_session(journal, "t")
    with closing(Journal(path)) as journal:
        one_session(journal, "t")
        assert [entry.session for entry in journal.sessions()] == ["s", "t"]


@pytest.mark.parametrize("stage", ["salvaging", "salvaged"])
def test_an_interrupted_rescue_is_finished_by_the_next_start(
    path: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Journal(path)) as journal:
        one_session(journal, "s")
        journal.append([ev.SessionEnded("s", "succeeded", seq=journal.last_seq + 1)])
    salvage.mark(path)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(salvage, "put_aside" if stage == "salvaging" else "finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        salvage.start_anew(path)
    monkeypatch.undo()
    with closing(Journal(path)) as journal:
        assert [entry.session for entry in journal.sessions()] == ["s"]
    assert len(salvage.those_aside(path)) == 1


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("data", b"\xc1\xc1", "damaged"),
        ("data", b"\x93\x01\x02\x03", "no map"),
        ("data", b"\x80", "damaged"),
        ("kind", "run.teleported", "does not know: run.teleported"),
    ],
)
def test_a_damaged_row_costs_its_own_session_alone(path: Path, column: str, value: object, said: str) -> None:
    with closing(Journal(path)) as journal:
        one_session(journal, "good", 5)
        one_session(journal, "bad", 5)
        journal.append([ev.SessionHeld("bad", "why", seq=journal.last_seq + 1)])
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"UPDATE events SET {column} = ? WHERE seq = (SELECT max(seq) FROM events)", (value,))
        database.commit()
    with closing(Journal(path)) as journal:
        sessions = Sessions(journal, Masks())
        sessions.recover()
        assert set(sessions.live) == {"good"}
        assert said in sessions.unreadable["bad"]
        assert [item["session"] for item in sessions.find(Wanted(), 10)] == ["good"]


def test_lists_show_ended_sessions_as_they_were_kept(path: Path) -> None:
    expected = frozen(1, path)
    with closing(Journal(path)) as journal:
        folded = Sessions(journal, Masks())
        folded.recover()
        first = folded.find(Wanted(), 10)
        kept = Sessions(journal, Masks())
        kept.recover()
        assert kept.find(Wanted(), 10) == first
        ended = [item["session"] for item in first if item["state"] == "ended"]
        assert all(journal.summary(name) is not None for name in ended)
        assert {item["session"] for item in first} == set(expected)
