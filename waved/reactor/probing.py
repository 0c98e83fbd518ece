"""Probing the preview (requirement M3): one thread a session that has one. It tells changes only."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from urllib.parse import urlsplit

from waved.plan.guards import Preview

STARTING_PAUSE = 0.1
"""Seconds between two probes of a preview that has not answered yet, at first; longer each time."""
DOWN_PAUSE = 2.0
"""The most that becomes, and the pause while it is down."""
MOST_READ = 64 * 1024
"""Bytes of the body that are read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a probe found. `problem` "": all is well."""

    seconds: float
    problem: str = ""


def probe(url: str, settings: Preview) -> Answer:
    """Ask once. Never raises, and returns within the timeout (name look-ups aside)."""
    began = time.monotonic()
    due = began + settings.timeout
    try:
        problem = _ask(url, settings, due)
    except TimeoutError:
        problem = f"no whole answer within {settings.timeout:g} s"
    except (OSError, http.client.HTTPException, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Answer(time.monotonic() - began, problem[:300])


def _ask(url: str, settings: Preview, due: float) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"{url} is no http address"
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=settings.timeout)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"User-Agent": "waved", "Connection": "close"})
        _allow(connection, due)
        response = connection.getresponse()
        well = response.status in settings.status if settings.status else response.status < 400
        if not well:
            return f"answered {response.status} {response.reason}".strip()
        body = b""
        while len(body) < MOST_READ:
            _allow(connection, due)
            piece = response.read1(MOST_READ - len(body))
            if not piece:
                break
            body += piece
        if settings.match and not re.search(settings.match, body.decode(errors="replace")):
            return f"its body does not match {settings.match!r}"
    finally:
        connection.close()
    return ""


def _allow(connection: http.client.HTTPConnection, due: float) -> None:
    """What is left of the time is what the next step may take."""
    left = due - time.monotonic()
    if left <= 0:
        raise TimeoutError
    if connection.sock is not None:
        connection.sock.settimeout(left)


class Prober:
    """Probes until closed. `tell(up, seconds, reason)` is called, on its thread, when the answer changes."""

    def __init__(self, settings: Preview, tell: Callable[[bool, float, str], None]) -> None:
        self._settings = settings
        self._tell = tell
        self._url = ""
        self._woken = Event()
        self._closed = False
        self._fresh = False
        self._thread: Thread | None = None

    def begin(self, url: str) -> None:
        """It has been started anew, or its address is known now: tell how it is, whatever was told before."""
        self._url = url
        self._fresh = True
        self._woken.set()
        if self._thread is None:
            self._thread = Thread(target=self._run, name="waved-preview", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop; a probe under way is not waited for, and what it finds is not told."""
        self._closed = True
        self._woken.set()

    def _run(self) -> None:
        told: str | None = None
        pause = STARTING_PAUSE
        while not self._closed:
            self._woken.clear()
            if self._fresh:
                self._fresh, told, pause = False, None, STARTING_PAUSE
            answer = self._probe(was_up=told == "")
            if self._closed or self._fresh:
                continue
            if told is None or answer.problem != told:
                told = answer.problem
                self._tell(not told, answer.seconds, told)
            pause = self._settings.interval if not told else min(pause * 2, DOWN_PAUSE, self._settings.interval)
            self._woken.wait(pause)

    def _probe(self, *, was_up: bool) -> Answer:
        """What counts: one that was well is down only after so many failures in a row."""
        answer = probe(self._url, self._settings)
        for _ in range(self._settings.failures - 1 if was_up else 0):
            if not answer.problem or self._closed:
                break
            self._woken.wait(min(STARTING_PAUSE, self._settings.interval))
            answer = probe(self._url, self._settings)
        return answer
