"""Failpoints: off costs nothing, rules say what happens at which pass, and docs and code name the same places."""

from __future__ import annotations

import errno
import re
import signal
import subprocess
import sys
import timeit
from pathlib import Path

import pytest

from waved import failpoints
from waved.errors import BadRequestError
from waved.failpoints import Failpoints

ROOT = Path(__file__).parents[3]


def test_without_the_variable_nothing_happens_and_it_costs_next_to_nothing() -> None:
    hit = failpoints.from_environment({})
    assert hit("worker.before-spawn") is None
    hundred_thousand = min(timeit.repeat(lambda: hit("worker.before-spawn"), number=100_000, repeat=5))
    assert hundred_thousand < 0.1, "more than a microsecond a pass"


def test_an_error_is_raised_at_the_pass_that_is_named_as_often_as_is_named() -> None:
    points = Failpoints("journal.before-commit=error:ENOSPC~2*2")
    raised = []
    for _ in range(6):
        try:
            points.hit("journal.before-commit")
            raised.append(0)
        except OSError as error:
            raised.append(error.errno or 0)
    assert raised == [0, 0, errno.ENOSPC, errno.ENOSPC, 0, 0]
    assert points.hit("journal.after-commit") is None


def test_kill_is_sigkill_and_is_written_down_before(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = (
        "from waved.failpoints import Failpoints\n"
        f"points = Failpoints('worker.*=kill~1', log={str(log)!r})\n"
        "points.hit('worker.after-arm')\npoints.hit('worker.after-claim')\nprint('alive')\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout == b""
    assert log.read_text().split()[1:] == ["worker.after-claim", "kill"]


def test_the_same_seed_makes_the_same_choices_in_the_same_process() -> None:
    def choices(seed: str) -> list[bool]:
        points, found = Failpoints("journal.before-commit=error@0.3", seed), []
        for _ in range(200):
            try:
                points.hit("journal.before-commit")
                found.append(False)
            except OSError:
                found.append(True)
        return found

    assert choices("7") == choices("7") != choices("8")
    assert 30 < sum(choices("7")) < 90


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("journal.before-comit=kill", "no failpoint"),
        ("journal.before-commit=explode", "no rule"),
        ("journal.before-commit", "no rule"),
        ("journal.before-commit=error:ENOSUCH", "no error number"),
    ],
)
def test_rules_that_cannot_be_read_are_refused(rules: str, said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        Failpoints(rules)


def test_every_failpoint_is_in_the_code_once_and_in_the_documentation() -> None:
    code = "".join(path.read_text() for path in (ROOT / "waved").rglob("*.py"))
    passed = re.findall(r'failpoints\.hit\("([a-z.-]+)"\)', code)
    assert set(passed) == set(failpoints.NAMES)
    documented = (ROOT / "docs" / "reliability.md").read_text()
    assert [name for name in failpoints.NAMES if f"`{name}`" not in documented] == []
