"""A guard that is asked before it has begun: a restore that was cut off is done again by a daemon just started."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import pytest

from waved.domain.state import Session
from waved.errors import ResourceError
from waved.monitors.base import Site
from waved.reactor.guard import Guard


class Engine:
    """Finds good what does not say `const const`."""

    def start(self) -> None: ...
    def judge(self, token: str) -> None: ...
    def set_running(self, running: object) -> None: ...
    def close(self) -> None: ...

    def is_good(self, monitor: str, path: str, data: bytes) -> bool:
        return b"const const" not in data


class Plan:
    monitors = ()


class Live:
    """All that a guard asks of a session here."""

    plan = Plan()
    id = "s"
    phase = "checking"


def guard() -> Guard:
    session = cast("Session", Live())
    return Guard(session, lambda event: None, lambda call: call(), lambda session: None)


def test_no_version_is_called_good_before_somebody_can_say(tmp_path: Path) -> None:
    asked, answers = guard(), []
    thread = threading.Thread(target=lambda: answers.append(asked.is_good("corruption", "a.ts", b"const const")))
    thread.start()
    assert answers == []
    make: Any = lambda *_: Engine()  # noqa: E731 — the reactor's own is a function as short
    asked.watch(make, Site(tmp_path, tmp_path))
    thread.join(10)
    assert answers == [False]
    assert asked.is_good("corruption", "a.ts", b"const a")


def test_without_monitors_nobody_can_say(tmp_path: Path) -> None:
    asked = guard()

    def make(*_: object) -> Engine:
        raise OSError("no more threads")

    asked.watch(cast("Any", make), Site(tmp_path, tmp_path))
    with pytest.raises(ResourceError, match=r"a\.ts is good: files are not watched: OSError: no more threads"):
        asked.is_good("corruption", "a.ts", b"")
