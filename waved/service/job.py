"""Why systemd stops the service: for good, or to start it again at once (`systemctl restart`).

The signal and the environment of both are the same. The difference is the type of the job that systemd is carrying out
for the unit (org.freedesktop.systemd1(5), "Job Objects"): `stop` or `restart`. After a crash there is none.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

VARIABLE = "WAVED_UNIT"
"""The unit's name, set by the unit itself."""
STARTING_AGAIN = frozenset({"restart", "try-restart"})
"""Jobs after which the service runs again."""
_PATIENCE = 5.0
"""Seconds for systemd to answer; it does in milliseconds."""


def kind_of_job(environ: Mapping[str, str] | None = None) -> str:
    """`stop`, `restart`, … of the job under way for this daemon's unit; "" for none, or when nobody can be asked.

    Blocks for some milliseconds: for a helper thread.
    """
    env = os.environ if environ is None else environ
    unit = env.get(VARIABLE, "")
    if not unit:
        return ""
    return kind_in(_ask(env, "--full", "--plain", "--no-legend", "--no-pager", "list-jobs"), unit)


def property_of_unit(name: str, environ: Mapping[str, str] | None = None) -> str:
    """A property of this daemon's unit; "" when it is not set, not known to this systemd, or nobody can be asked."""
    env = os.environ if environ is None else environ
    unit = env.get(VARIABLE, "")
    return _ask(env, "show", "--value", "--property", name, unit).strip() if unit else ""


def _ask(env: Mapping[str, str], *words: str) -> str:
    """What systemctl prints; "" when it fails."""
    command = ["systemctl", *(["--user"] if "MANAGERPID" in env else []), *words]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def kind_in(listed: str, unit: str) -> str:
    """The type of a unit's job in the lines of `systemctl list-jobs`: number, unit, type, state."""
    for line in listed.splitlines():
        words = line.split()
        if len(words) >= 3 and words[1] == unit:
            return words[2]
    return ""
