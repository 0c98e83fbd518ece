"""What the service manager is told, and that nothing is due when nobody listens."""

from __future__ import annotations

import os
import time

from waved.service.notify import Manager


class Told:
    """A line that remembers."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def notify(self, state: str) -> None:
        self.messages.append(state)


def test_without_a_manager_nothing_is_due_and_nothing_is_said() -> None:
    manager = Manager({"WATCHDOG_USEC": "1000"})
    manager.ready()
    manager.status("x")
    manager.turn()
    assert manager.next_deadline() is None


def test_ready_starts_the_signs_of_life_which_come_three_times_a_period() -> None:
    told = Told()
    manager = Manager({"WATCHDOG_USEC": "60000", "WATCHDOG_PID": str(os.getpid())}, told)
    assert manager.next_deadline() is None
    manager.ready()
    assert told.messages == ["READY=1\nWATCHDOG=1\nWATCHDOG_USEC=60000"]
    due = manager.next_deadline()
    assert due is not None
    manager.turn()
    assert len(told.messages) == 1, "not due yet"
    time.sleep(max(0.0, due - time.clock_gettime(time.CLOCK_BOOTTIME)))
    manager.turn()
    assert told.messages[1:] == ["WATCHDOG=1"]
    again = manager.next_deadline()
    assert again is not None
    assert 0.02 <= again - due < 0.06


def test_a_watchdog_that_is_not_for_this_process_is_not_fed() -> None:
    for variables in ({}, {"WATCHDOG_USEC": "60000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}):
        told = Told()
        manager = Manager(variables, told)
        manager.ready()
        assert told.messages == ["READY=1"]
        assert manager.next_deadline() is None


def test_the_status_is_told_when_it_has_changed() -> None:
    told = Told()
    manager = Manager({}, told)
    for text in ("a", "a", "b"):
        manager.status(text)
    assert told.messages == ["STATUS=a", "STATUS=b"]


def test_an_upgrade_asks_for_patience_and_stopping_for_time() -> None:
    told = Told()
    manager = Manager({"WATCHDOG_USEC": "30000000"}, told)
    manager.upgrading()
    manager.stopping(2.5)
    assert told.messages == [
        "RELOADING=1\nSTATUS=another version takes over\nWATCHDOG_USEC=300000000",
        "STOPPING=1\nEXTEND_TIMEOUT_USEC=2500000",
    ]
