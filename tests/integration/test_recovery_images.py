"""Images of sessions that go on, with a real daemon: killed around each step of making one, and with damaged ones.

Whatever becomes of an image, the state after the next start is the one that all events add up to, and nothing is
started twice.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.live import Daemon, agent_of, plan_of, processes_of, wait_for, wave_of
from waved import failpoints
from waved.domain.view import view
from waved.journal.rows import events_of
from waved.journal.salvage import read_only
from waved.reactor.imaging import VARIABLE
from waved.reactor.sessions import replay

AGENTS = 6


@pytest.fixture
def often(short_tmp: Path) -> Iterator[Daemon]:
    """A daemon, not started yet, that makes an image every few events."""
    daemon = Daemon(short_tmp)
    daemon.environment[VARIABLE] = "8"
    daemon.environment[failpoints.LOG] = str(short_tmp / "passed")
    try:
        yield daemon
    finally:
        daemon.environment.pop(failpoints.VARIABLE, None)
        daemon.end()
    wait_for(lambda: not processes_of(short_tmp), 10, lambda: f"left behind: {processes_of(short_tmp)}")


def plan() -> dict[str, Any]:
    """Agents that end at once, one that fails at first, one that waits for a file, and a wave after them."""
    note = "echo $WAVED_AGENT >> ../ledger"
    quick = [agent_of(f"a{number}", note) for number in range(AGENTS)]
    again = agent_of("again", f"{note}; [ $(grep -c again ../ledger) = 2 ]", retries=1, backoff="10ms")
    waits = agent_of("waits", f"{note}; while [ ! -e go ]; do sleep 0.02; done", gate={"commands": ["true"]})
    return plan_of(wave_of("first", *quick, again, waits), wave_of("second", agent_of("last", note)))


def logged(daemon: Daemon, what: str) -> list[dict[str, Any]]:
    """What the daemon logged of a kind, in all its lives."""
    lines = daemon.log.read_text().splitlines()
    return [found for line in lines if line.startswith("{") and (found := json.loads(line))["event"] == what]


def passed(daemon: Daemon, point: str) -> bool:
    """Whether something died at a failpoint."""
    path = Path(daemon.environment[failpoints.LOG])
    return path.exists() and point in path.read_text()


def rows(daemon: Daemon) -> list[tuple[Any, ...]]:
    """The images the journal knows."""
    with closing(read_only(daemon.state / "journal.sqlite")) as database:
        return database.execute("SELECT session, seq, events, file FROM images").fetchall()


def files(daemon: Daemon) -> set[str]:
    """The images there are."""
    folder = daemon.state / "images"
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def truth(daemon: Daemon, session: str) -> dict[str, Any]:
    """The session's view, with every event folded here."""
    with closing(read_only(daemon.state / "journal.sqlite")) as database:
        return comparable(view(replay(events_of(database, session)), 0.0))


def shown(daemon: Daemon, session: str) -> dict[str, Any]:
    """The session's view as the daemon has it."""
    return comparable(daemon.view(session))


def comparable(found: dict[str, Any]) -> dict[str, Any]:
    """A view without what depends on the time it is asked for."""
    kept: dict[str, Any] = json.loads(json.dumps({**found, "now": 0, "metrics": 0}))
    return kept


def finish(daemon: Daemon, session: str, workspace: Path) -> None:
    """Let the session end; it ends as it would have, each agent was started as often as it should."""
    (workspace / "go").touch()
    ended = daemon.settled(session)
    assert (ended["state"], ended["outcome"]) == ("ended", "succeeded")
    ledger = sorted((workspace.parent / "ledger").read_text().split())
    assert ledger == sorted([*(f"a{number}" for number in range(AGENTS)), "again", "again", "waits", "last"])
    with closing(read_only(daemon.state / "journal.sqlite")) as database:
        numbers = [row[0] for row in database.execute("SELECT seq FROM events ORDER BY seq")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert rows(daemon) == []
    wait_for(lambda: not files(daemon), 10, lambda: f"images are left: {files(daemon)}")


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("image.before-write", marks=pytest.mark.torture),
        "image.after-write",
        pytest.param("image.before-commit", marks=pytest.mark.torture),
        "image.after-commit",
    ],
)
def test_a_death_around_an_image_changes_nothing(often: Daemon, workspace: Path, point: str) -> None:
    often.environment[failpoints.VARIABLE] = f"{point}=kill"
    often.start()
    session = often.submit(plan(), workspace)
    wait_for(lambda: passed(often, point), what=often.log.read_text)
    assert often.process is not None
    if point.endswith("write"):
        wait_for(lambda: logged(often, "image.not-made"))
        assert often.process.poll() is None, "the death of an imager is not the daemon's"
        often.kill()
    else:
        often.process.wait(30)
    assert len(rows(often)) == (point == "image.after-commit")
    often.environment[failpoints.VARIABLE] = ""
    often.start()
    [*_, restored] = logged(often, "session.restored")
    assert (restored["imaged"] > 0) == (point == "image.after-commit")
    wait_for(lambda: shown(often, session) == truth(often, session))
    finish(often, session, workspace)
    assert logged(often, "defect") == []


def test_a_killed_daemon_goes_on_from_its_image(often: Daemon, workspace: Path) -> None:
    often.start()
    session = often.submit(plan(), workspace)
    wait_for(lambda: len(truth(often, session)["waves"][0]["assignments"]) == AGENTS + 2 and rows(often))
    for _ in range(3):
        often.kill()
        often.start()
        [*_, restored] = logged(often, "session.restored")
        assert restored["imaged"] > 0
        wait_for(lambda: shown(often, session) == truth(often, session))
        assert files(often) >= {row[3] for row in rows(often)}
    assert logged(often, "image.unused") == []
    finish(often, session, workspace)


def spoil(daemon: Daemon, how: str) -> None:
    """Do something to the image."""
    [(_, seq, _, name)] = rows(daemon)
    path = daemon.state / "images" / name
    content = path.read_bytes()
    if how == "cut off":
        path.write_bytes(content[:-10])
    elif how == "one bit":
        path.write_bytes(content[:20] + bytes([content[20] ^ 4]) + content[21:])
    elif how == "missing":
        path.unlink()
    with closing(sqlite3.connect(daemon.state / "journal.sqlite")) as database, database:
        if how == "other code":
            database.execute("UPDATE images SET code = 'other'")
        elif how == "other number":
            database.execute("UPDATE images SET seq = ?", (seq - 1,))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        pytest.param("cut off", "is damaged", marks=pytest.mark.torture),
        ("one bit", "is damaged"),
        pytest.param("missing", "cannot be read", marks=pytest.mark.torture),
        ("other code", "other code"),
        pytest.param("other number", "other", marks=pytest.mark.torture),
    ],
)
def test_an_image_that_cannot_be_used_is_named_and_every_event_is_folded(
    often: Daemon, workspace: Path, how: str, said: str
) -> None:
    often.start()
    session = often.submit(plan(), workspace)
    wait_for(lambda: logged(often, "image.made"))
    often.kill()
    spoil(often, how)
    often.start()
    [unused] = logged(often, "image.unused")
    assert unused["session"] == session
    assert said in unused["problem"]
    assert logged(often, "session.restored")[-1]["imaged"] == 0
    wait_for(lambda: shown(often, session) == truth(often, session))
    finish(often, session, workspace)
