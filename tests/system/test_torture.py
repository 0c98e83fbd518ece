"""Torture with real processes: a short one each time, a long one with `-m torture` (WAVED_TORTURE_KILLS kills).

WAVED_TORTURE_SEED replays the choices of an earlier one.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from tests.system.torture import DAEMON_POINTS, WORKER_POINTS, ZYGOTE_POINTS, Figures, Torture
from waved.pool import cgroup

SMOKE_KILLS = 10
SMOKE_SECONDS = 20.0
LONG_KILLS = int(os.environ.get("WAVED_TORTURE_KILLS", "1000"))


def seed() -> int:
    return int(os.environ.get("WAVED_TORTURE_SEED") or secrets.randbelow(10**9))


def check(figures: Figures) -> None:
    print(figures)
    assert not figures.problems, f"{figures}\n" + "\n".join(figures.problems[:50])


def has_groups() -> bool:
    return cgroup.find_home({}) is not None


def test_random_kills_lose_nothing(short_tmp: Path) -> None:
    torture = Torture(short_tmp, seed(), scrub=has_groups())
    figures = torture.run(SMOKE_KILLS, SMOKE_SECONDS)
    check(figures)
    assert figures.kills.total() >= 5
    assert figures.outcomes["exited"] > 0


@pytest.mark.torture
@pytest.mark.timeout(600)
def test_a_death_at_each_failpoint_loses_nothing(short_tmp: Path) -> None:
    torture = Torture(short_tmp, seed(), scrub=has_groups())
    figures = torture.run_at((*DAEMON_POINTS, *WORKER_POINTS, *ZYGOTE_POINTS))
    check(figures)
    assert figures.kills.total() >= len(DAEMON_POINTS)


@pytest.mark.torture
@pytest.mark.timeout(0)
@pytest.mark.parametrize("groups", ["groups", "marks"])
def test_a_thousand_random_kills_lose_nothing(short_tmp: Path, groups: str) -> None:
    if groups == "groups" and not has_groups():
        pytest.skip("no control group (v2) here that may be divided")
    environment = {cgroup.VARIABLE: "off"} if groups == "marks" else {}
    check(Torture(short_tmp, seed(), scrub=groups == "groups", environment=environment).run(LONG_KILLS))
