"""Turns: who asks much waits for itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from waved.ipc.turns import BYTES, IN_FLIGHT, Turns


def test_clients_take_turns_and_each_keeps_its_order() -> None:
    turns: Turns[str] = Turns()
    for item in ("a1", "a2", "a3", "b1", "b2", "c1"):
        assert turns.put(item[0], item, 10)
    assert turns.take(2) == ["a1", "b1"]
    assert turns.put("d", "d1", 10)
    assert turns.take(10) == ["c1", "a2", "b2", "d1"]
    assert turns.take(10) == ["a3"]
    assert not turns


def test_a_flood_is_refused_and_makes_nobody_wait() -> None:
    turns: Turns[tuple[str, int]] = Turns()
    accepted = sum(turns.put("flood", ("flood", n), 100) for n in range(10_000))
    assert accepted == IN_FLIGHT
    assert turns.put("honest", ("honest", 0), 100)
    assert ("honest", 0) in turns.take(2)
    # What was handed out and not answered still counts.
    assert not turns.put("flood", ("flood", -1), 100)
    turns.done("flood")
    assert turns.put("flood", ("flood", -1), 100)


def test_large_requests_are_counted_by_their_size() -> None:
    turns: Turns[int] = Turns()
    assert turns.put("a", 1, BYTES)
    assert not turns.put("a", 2, 1)
    assert turns.take(1) == [1]
    assert turns.put("a", 2, 1), "what was handed out does not wait any more"


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=200))
def test_nothing_is_lost_or_doubled_and_nothing_is_kept_for_ever(steps: list[tuple[int, bool]]) -> None:
    turns: Turns[tuple[int, int]] = Turns()
    given_: list[tuple[int, int]] = []
    taken: list[tuple[int, int]] = []
    for number, (client, take) in enumerate(steps):
        if take:
            taken += turns.take(2)
        else:
            assert turns.put(client, (client, number), 1)
            given_.append((client, number))
    while turns:
        taken += turns.take(3)
    assert sorted(taken) == sorted(given_)
    for client in range(5):
        mine = [item for item in taken if item[0] == client]
        assert mine == sorted(mine)
    for client, _ in taken:
        turns.done(client)
    assert (turns._open, turns._sizes, turns._queues) == ({}, {}, {})
