"""What the service manager is told: ready, status, alive, stopping (sd_notify(3)).

Without `$NOTIFY_SOCKET` nothing is told and nothing is due: a daemon that no manager watches never wakes for this.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol

import sdnotify

from waved.pool.linux import boot_seconds

UPGRADE_PATIENCE = 300.0
"""Seconds without a sign of life while another version takes over: it may have a journal to migrate."""
MARGIN = 3
"""Signs of life in one watchdog period."""


class Line(Protocol):
    """Where notifications go."""

    def notify(self, state: str) -> None:
        """Send one message."""


class Manager:
    """The line to the service manager of this daemon. Used by the reactor's thread alone.

    `environ`: where the manager left its variables. They stay there: an upgraded daemon, which is the same process,
    needs them again.
    """

    def __init__(self, environ: Mapping[str, str] | None = None, line: Line | None = None) -> None:
        env = os.environ if environ is None else environ
        self._line = line or (sdnotify.SystemdNotifier() if env.get("NOTIFY_SOCKET") else None)
        self._period = self._watchdog_of(env) if self._line is not None else 0.0
        self._alive_due: float | None = None
        self._status = ""

    @staticmethod
    def _watchdog_of(env: Mapping[str, str]) -> float:
        """Seconds within which the manager wants a sign of life; 0: it wants none (sd_watchdog_enabled(3))."""
        wanted, whose = env.get("WATCHDOG_USEC", ""), env.get("WATCHDOG_PID", "")
        if not wanted.isdigit() or (whose and whose != str(os.getpid())):
            return 0.0
        return int(wanted) / 1e6

    def _tell(self, *fields: str) -> None:
        if self._line is not None:
            self._line.notify("\n".join(fields))

    def ready(self) -> None:
        """The sockets answer. Signs of life are due from now on."""
        fields = ["READY=1"]
        if self._period:
            # The version before us may have asked for patience.
            fields += ["WATCHDOG=1", f"WATCHDOG_USEC={self._period * 1e6:.0f}"]
            self._alive_due = boot_seconds() + self._period / MARGIN
        self._tell(*fields)

    def status(self, text: str) -> None:
        """What `systemctl status` shows; sent when it has changed."""
        if text != self._status:
            self._status = text
            self._tell(f"STATUS={text}")

    def turn(self) -> None:
        """The reactor has made a turn: a sign of life, when one is due."""
        if self._alive_due is not None and (now := boot_seconds()) >= self._alive_due:
            self._alive_due = now + self._period / MARGIN
            self._tell("WATCHDOG=1")

    def next_deadline(self) -> float | None:
        """When the reactor has to make a turn for the watchdog's sake (seconds since boot); None: it has not to."""
        return self._alive_due

    def upgrading(self) -> None:
        """Another version takes over in this process; its `ready` ends this."""
        fields = ["RELOADING=1", "STATUS=another version takes over"]
        if self._period:
            fields.append(f"WATCHDOG_USEC={max(self._period, UPGRADE_PATIENCE) * 1e6:.0f}")
        self._tell(*fields)

    def stopping(self, seconds: float) -> None:
        """The daemon is ending, which may take so many seconds from now on; may be said again."""
        self._tell("STOPPING=1", f"EXTEND_TIMEOUT_USEC={seconds * 1e6:.0f}")
