"""`list` with filters, `prune`, `export`: what is asked of the daemon, what is shown, and what is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result
from fake_daemon import FakeDaemon

from wavectl.cli import main
from wavectl.moments import duration, moment, size
from wavectl.views.pruning import pruning_lines
from wavectl.views.text import Paint

Run = Callable[..., Result]
PLAIN = Paint(False)


def asked(daemon: FakeDaemon, method: str) -> dict[str, Any]:
    return [params for name, params in daemon.asked if name == method][-1]


def test_a_list_is_narrowed_by_the_daemon(daemon: FakeDaemon, wavectl: Run, tmp_path: Path) -> None:
    wavectl(
        "list", "--state", "ended", "--outcome", "failed", "--name", "shop-*", "--workspace", str(tmp_path),
        "--since", "2026-01-02", "--until", "1h", "--limit", "7",
    )  # fmt: skip
    params = asked(daemon, "session.list")
    assert params["since"] == datetime(2026, 1, 2).timestamp()
    assert abs(params["until"] - (time.time() - 3600)) < 60
    del params["since"], params["until"]
    assert params == {
        "limit": 7, "state": "ended", "outcome": "failed", "name": "shop-*", "workspace": str(tmp_path.resolve()),
    }  # fmt: skip
    wavectl("list")
    assert asked(daemon, "session.list") == {"limit": 50, "state": ""}, "an older daemon understands that, too"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "--since", "yesterday"], "neither a date"),
        (["list", "--state", "dead"], "not one of"),
        (["list", "--limit", "0"], "range"),
        (["prune"], "give a rule"),
        (["prune", "s1", "--max-age", "3d"], "not both"),
        (["prune", "--max-age", "long"], "not a duration"),
        (["prune", "--max-size", "much"], "is not a size"),
        (["prune", "--max-sessions", "-1"], "range"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    shown = capsys.readouterr()
    assert left.value.code == 2
    assert shown.err.startswith("error: ")
    assert said in shown.err


def test_times_and_sizes_are_read_as_people_write_them() -> None:
    assert duration("1h30m") == 5400
    assert size("10GB") == 10 * 1024**3
    assert moment("2026-11-20T10:30:00+00:00") == 1795170600
    assert abs(moment("2d") - (time.time() - 2 * 86400)) < 60
    with pytest.raises(click.BadParameter):
        moment("2026-13-45")


def found(count: int, *, dry: bool, kept: int | None = 3) -> dict[str, Any]:
    one = {"outcome": "succeeded", "workspace": "/w", "name": "n", "ended": 0.0, "bytes": 2048, "why": "age"}
    sessions = [{"session": f"s{number}", **one} for number in range(count)]
    return {"dry": dry, "sessions": sessions, "bytes": 2048 * count, "kept": kept}


def test_a_dry_run_says_that_nothing_was_done() -> None:
    lines = pruning_lines(found(2, dry=True), PLAIN)
    assert lines[-1] == "2 sessions would go (4.0 KB), 3 that have ended stay. Nothing was done: --yes does it"
    assert pruning_lines(found(1, dry=False, kept=None), PLAIN)[-1] == "1 session pruned (2.0 KB)"
    assert pruning_lines(found(0, dry=True), PLAIN) == ["nothing to prune"]


def test_of_very_many_the_last_are_named() -> None:
    lines = pruning_lines(found(1000, dry=True), PLAIN)
    assert len(lines) < 60
    assert any("950 that ended earlier" in line for line in lines)


def test_pruning_is_a_dry_run_unless_it_is_wanted(daemon: FakeDaemon, wavectl: Run) -> None:
    wavectl("prune", "--max-age", "30d", "--max-size", "1GB")
    assert asked(daemon, "session.prune") == {"sessions": [], "dry": True, "max_age": 30 * 86400, "max_size": 1024**3}
    done = wavectl("prune", "a", "b", "--yes", "--json")
    assert asked(daemon, "session.prune") == {"sessions": ["a", "b"], "dry": False}
    assert json.loads(done.stdout)["sessions"] == []
