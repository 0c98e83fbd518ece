"""What is read from the folders of runs, whatever an agent may have put there (C3)."""

from __future__ import annotations

import os
from pathlib import Path

from tests.unit.domain.driving import agent
from waved.domain import events as ev
from waved.domain.fold import begin, fold
from waved.domain.state import Session
from waved.report import gather


def session_of(*runs: str) -> Session:
    session = begin(
        ev.SessionSubmitted("s", {"session": {"name": "s"}, "wave": [{"name": "w", "agent": [agent("a")]}]}, "/w")
    )
    fold(session, ev.WaveStarted("s", "w"))
    for number, run in enumerate(runs, 1):
        fold(session, ev.RunStarting("s", run, "w", agent="a", assignment="a", attempt=number))
        fold(session, ev.RunStarted("s", run, 7, 1.0))
        fold(session, ev.RunEnded("s", run, "exited", 0, end_time=2.0, output_bytes=10))
    return session


def test_the_last_attempt_tells(tmp_path: Path) -> None:
    for attempt in (1, 2):
        folder = tmp_path / f"a.{attempt}"
        folder.mkdir()
        (folder / "prompt.md").write_text(f"attempt {attempt}")
        (folder / "output").write_text("x" * 6_000 + f"\nlast line of {attempt}\n")
    session = session_of("s/a#1", "s/a#2")
    assert gather.prompts(session, tmp_path) == {"s/a#2": "attempt 2"}
    assert gather.tails(session, tmp_path) == {"s/a#2": "last line of 2\n"}


def test_links_pipes_and_nothing_tell_nothing(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("not for anybody")
    (tmp_path / "a.1").mkdir()
    (tmp_path / "a.2").mkdir()
    (tmp_path / "a.1" / "prompt.md").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "a.2" / "prompt.md")
    session = session_of("s/a#1", "s/a#2")
    assert gather.prompts(session, tmp_path) == {}
    assert gather.tails(session, tmp_path) == {"s/a#2": ""}
