"""What is expected to start next: nothing depends on it but how soon that starts."""

from __future__ import annotations

from typing import Any

from tests.unit.domain.driving import Driver, agent, one_wave
from waved.reactor.forecast import after, first_of_wave, most_to_follow


def driver(first: list[dict[str, Any]], second: list[dict[str, Any]], **wave: Any) -> Driver:
    plan = one_wave(*first, **wave)
    return Driver({**plan, "wave": [*plan["wave"], {"name": "later", "agent": second}]})


def names(count: int, prefix: str = "a") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def test_as_many_follow_as_the_next_wave_starts_with() -> None:
    second = [*(agent(name) for name in names(5, "b")), agent("z", needs=["b0"])]
    session = driver([agent("a")], second).session
    assert most_to_follow(session) == len(first_of_wave(session, 1)) == 5


def test_as_many_follow_as_wait_in_the_wave_and_may_run_at_once() -> None:
    waiting = [agent(name, needs=["a0"]) for name in names(9, "b")]
    assert most_to_follow(driver([agent("a0"), *waiting], [agent("z")]).session) == 9
    assert most_to_follow(driver([agent("a0"), *waiting], [agent("z")], session={"max_parallel": 4}).session) == 4


def test_nothing_follows_the_last_wave_or_an_end() -> None:
    drive = driver([agent("a")], [agent("z")])
    drive.ends("a#1")
    assert most_to_follow(drive.session) == 0
    drive.ends("z#1")
    assert most_to_follow(drive.session) == 0
    assert first_of_wave(drive.session, 2) == []


def test_what_requires_a_run_that_has_begun_is_made_ready_and_what_requires_a_failure_is_not() -> None:
    drive = driver([agent("a"), agent("b"), agent("c", needs=["a"]), agent("d", needs=["a", "b"])], [agent("z")])
    assert [node.key for node in after(drive.session, ["a", "b"])] == ["c", "d"]
    drive.fails("b#1")
    assert [node.key for node in after(drive.session, ["a"])] == ["c"]
