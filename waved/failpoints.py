"""Named places where a test has this process die, wait or fail: before and after each durable write and each send.

Off unless the environment variable WAVED_FAILPOINTS is set when the process starts; `hit` is then a function that does
nothing. `docs/reliability.md` lists the names. Rules are separated by commas:

    NAME=ACTION[:VALUE][~SKIP][*COUNT][@PROBABILITY]

    journal.before-commit=kill~12      SIGKILL to itself at the 13th pass
    worker.before-spawn=delay:0.2*3    wait 0.2 s, the first three times
    worker.*=kill@0.01                 at each pass of any of these, with a probability of 1 %
    record.before-write=error:ENOSPC   raise that OSError

A process that is forked inherits the passes that were counted so far. Probabilities come from WAVED_FAILPOINTS_SEED and
the process id. What acted is appended to the file that WAVED_FAILPOINTS_LOG names, before it acts: "pid name action".
"""

from __future__ import annotations

import errno
import os
import random
import re
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from waved.errors import BadRequestError

VARIABLE = "WAVED_FAILPOINTS"
SEED = "WAVED_FAILPOINTS_SEED"
LOG = "WAVED_FAILPOINTS_LOG"
ACTIONS = ("kill", "delay", "error")

NAMES = (
    "journal.before-commit",
    "journal.in-transaction",
    "journal.after-commit",
    "image.before-write",
    "image.after-write",
    "image.before-commit",
    "image.after-commit",
    "report.before-writing",
    "prune.after-intent",
    "prune.in-events",
    "prune.after-events",
    "prune.after-folder",
    "submit.before-environment",
    "submit.after-environment",
    "reactor.turn",
    "server.before-reply",
    "server.after-reply",
    "followers.before-publish",
    "pool.before-arm",
    "pool.before-release",
    "pool.between-releases",
    "pool.after-release",
    "pool.before-stop",
    "pool.after-stop",
    "pool.before-freeze",
    "pool.after-freeze",
    "guard.before-snapshot",
    "guard.after-snapshot",
    "guard.before-restore",
    "guard.after-restore",
    "recovery.before-adopt",
    "recovery.after-adopt",
    "zygote.before-fork",
    "zygote.after-fork",
    "zygote.before-orphans",
    "zygote.after-orphans",
    "worker.before-claim",
    "worker.after-claim",
    "worker.after-arm",
    "worker.after-armed",
    "worker.before-spawn",
    "worker.after-spawn",
    "worker.after-started",
    "worker.before-listen",
    "worker.after-accept",
    "worker.before-freeze",
    "worker.after-frozen",
    "worker.before-kill",
    "worker.before-exit-record",
    "worker.in-exit-record",
    "worker.after-exit-record",
    "worker.after-ended",
)
"""Every failpoint there is: nothing else can be named in a rule."""

_RULE = re.compile(
    r"(?P<name>[a-z.*-]+)=(?P<action>[a-z]+)(?::(?P<value>[A-Z0-9.]+))?"
    r"(?:~(?P<skip>\d+))?(?:\*(?P<count>\d+))?(?:@(?P<probability>[0-9.]+))?"
)


@dataclass(slots=True)
class _Rule:
    name: str
    action: str
    value: str
    skip: int
    count: int | None
    probability: float


class Failpoints:
    """The rules of this process. Raises BadRequestError for rules that cannot be read."""

    def __init__(self, rules: str, seed: str = "", log: str = "") -> None:
        self._rules = [_parse(text.strip()) for text in rules.split(",") if text.strip()]
        self._seed = seed
        self._log = log
        self._random = random.Random()  # noqa: S311 — chance for tests
        self._random_of = 0

    def hit(self, name: str) -> None:
        """Pass the place called `name`: act as the first rule for it that is due says."""
        for rule in self._rules:
            if not fnmatchcase(name, rule.name) or rule.count == 0:
                continue
            if rule.skip:
                rule.skip -= 1
                continue
            if rule.probability < 1 and self._chance() >= rule.probability:
                continue
            if rule.count is not None:
                rule.count -= 1
            self._act(name, rule)
            return

    def _chance(self) -> float:
        if self._random_of != os.getpid():
            self._random_of = os.getpid()
            self._random = random.Random(f"{self._seed}:{self._random_of}")  # noqa: S311 — chance for tests
        return self._random.random()

    def _act(self, name: str, rule: _Rule) -> None:
        if self._log:
            fd = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            os.write(fd, f"{os.getpid()} {name} {rule.action}\n".encode())
            os.close(fd)
        if rule.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif rule.action == "delay":
            time.sleep(float(rule.value or "0.1"))
        else:
            number = getattr(errno, rule.value or "EIO")
            raise OSError(number, f"{os.strerror(number)} (failpoint {name})")


def _parse(text: str) -> _Rule:
    found = _RULE.fullmatch(text)
    if found is None or found["action"] not in ACTIONS:
        raise BadRequestError(f"{VARIABLE}: {text!r} is no rule", "e.g. journal.before-commit=kill~12")
    if not any(fnmatchcase(name, found["name"]) for name in NAMES):
        raise BadRequestError(f"{VARIABLE}: no failpoint {found['name']!r}", "known: " + ", ".join(NAMES))
    if found["action"] == "error" and found["value"] and not hasattr(errno, found["value"]):
        raise BadRequestError(f"{VARIABLE}: {text!r} names no error number", "e.g. error:ENOSPC")
    return _Rule(
        name=found["name"],
        action=found["action"],
        value=found["value"] or "",
        skip=int(found["skip"] or 0),
        count=None if found["count"] is None else int(found["count"]),
        probability=float(found["probability"] or 1),
    )


def _nothing(_name: str) -> None:
    """What `hit` is when no failpoint is set."""


def from_environment(environ: Mapping[str, str] | None = None) -> Callable[[str], None]:
    """What `hit` is for these environment variables."""
    env = os.environ if environ is None else environ
    rules = env.get(VARIABLE, "")
    return Failpoints(rules, env.get(SEED, ""), env.get(LOG, "")).hit if rules else _nothing


hit: Callable[[str], None] = from_environment()
"""Pass a failpoint: `failpoints.hit("journal.before-commit")`. Chosen once, when the process starts."""
