"""Telling people what the plan's `[[notify]]` names: a command, or a service through apprise (requirement M1, M8).

Addresses of services hold secrets: they are never logged, journalled or shown.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from waved.domain import events as ev
from waved.plan.guards import Notify
from waved.pool import tree

THREADS = 2
PATIENCE = 30.0
"""Seconds a notification may take."""
MOST_WAITING = 100
"""Notifications that may wait; further ones are reported as not sent."""
_NAME = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_SEVERITIES = ("info", "warning", "critical")


def wants(notify: Notify, severity: str, monitor: str) -> bool:
    """Whether this is told of a finding."""
    known = severity if severity in _SEVERITIES else "warning"
    enough = _SEVERITIES.index(known) >= _SEVERITIES.index(notify.severity)
    return enough and (not notify.monitors or monitor in notify.monitors)


def target_of(notify: Notify) -> str:
    """What a notification is called where it is shown: the program, or the kind of service."""
    if notify.command is not None:
        command = notify.command
        word = command.split()[0] if isinstance(command, str) and command.split() else command[0]
        return word.rpartition("/")[2]
    scheme, separator, _ = (notify.url or "").partition(":")
    return scheme if separator else "apprise"


class Notifier:
    """Sends on threads of its own; `sent` is called there with what came of it."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="waved-notify")
        self._waiting = 0

    def send(
        self, notify: Notify, alert: ev.AlertRaised, facts: Mapping[str, Any], folder: str, env: Mapping[str, str]
    ) -> ev.AlertSent:
        """Tell of one alert; blocks. `facts`: the finding's fields; `env`: what the session's agents see."""
        try:
            if notify.command is not None:
                problem = _run(notify.command, alert, facts, folder, env)
            else:
                problem = _post(notify.url or "", alert, env)
        except Exception as error:  # noqa: BLE001 — apprise's plug-ins raise what they like; their text may hold the address
            problem = f"failed ({type(error).__name__})"
        return ev.AlertSent(alert.session, alert.finding, target_of(notify), not problem, problem)

    def submit(self, job: Any) -> bool:  # noqa: ANN401 — any function without arguments
        """Have `job` run; False when too many wait."""
        if self._waiting >= MOST_WAITING:
            return False
        self._waiting += 1

        def counted() -> None:
            self._waiting -= 1
            job()

        try:
            self._executor.submit(counted)
        except RuntimeError:
            self._waiting -= 1
            return False
        return True

    def close(self) -> None:
        """Those that wait are dropped; one under way is left to end."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _run(
    command: str | list[str], alert: ev.AlertRaised, facts: Mapping[str, Any], folder: str, env: Mapping[str, str]
) -> str:
    """Run the command, the finding on its standard input; why it failed, or ""."""
    argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    variables = {
        f"WAVED_FINDING_{name.upper()}": str(facts.get(name, ""))
        for name in ("id", "monitor", "summary", "severity", "path", "line", "assignment")
    }
    try:
        process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=folder,
            env={**env, **variables, "WAVED_SESSION": alert.session, "WAVED_ALERT": alert.text},
        )  # fmt: skip
    except OSError as error:
        return f"cannot be started: {error.strerror}"
    try:
        _, said = process.communicate(json.dumps(facts).encode(), timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        tree.kill(process.pid)
        process.kill()
        process.communicate()
        return f"did not end within {PATIENCE:g} s"
    if process.returncode:
        last = said.decode(errors="replace").strip().splitlines()
        return f"ended with status {process.returncode}" + (f": {last[-1][:200]}" if last else "")
    return ""


def _post(url: str, alert: ev.AlertRaised, env: Mapping[str, str]) -> str:
    try:
        import apprise
    except ImportError:
        return "the library apprise is not installed: pip install 'waved[notify]'"
    missing = [name for name in names_in(url) if name not in env]
    if missing:
        return f"not in the environment: {', '.join('$' + name for name in missing)}"
    whole = _NAME.sub(lambda found: env[found[1] or found[2]], url)
    kinds = {"info": apprise.NotifyType.INFO, "critical": apprise.NotifyType.FAILURE}
    service = apprise.Apprise()
    if not service.add(whole):
        return "apprise knows no such address"
    title = f"waved: {alert.session}"
    done = service.notify(
        body=alert.text, title=title, notify_type=kinds.get(alert.severity, apprise.NotifyType.WARNING)
    )
    return "" if done else "the service did not take it"


def names_in(url: str) -> list[str]:
    """The environment variables an address names."""
    return [first or second for first, second in _NAME.findall(url)]
