"""Random plans for the torture: agents that behave badly in known ways, and what their sessions have to end with."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AGENT = r"""
# sh agent.sh BASE KIND SECONDS FAILURES CODE: what an agent does, written down for the comparison at the end.
base=$1 kind=$2 seconds=$3 failures=$4 code=$5
echo "$WAVED_RUN $$" >> "$base/ledger"
read -r stat < /proc/$$/stat
echo "$WAVED_RUN $stat" >> "$base/processes"
hidden="sh $base/hidden.sh $base $WAVED_RUN"
case $kind in
    stubborn) trap '' TERM ;;
    loud) head -c 300000 /dev/zero ;;
    marked) (setsid $hidden > /dev/null 2>&1 &) ;;
    scrubbed) (setsid env -i $hidden > /dev/null 2>&1 < /dev/null &) ;;
    forking) (trap '' TERM; while :; do (exec sleep 1) & sleep 0.02; done) > /dev/null 2>&1 & ;;
esac
sleep "$seconds"
before=$(grep -c "^${WAVED_RUN%#*}#" "$base/truth")
[ "$before" -lt "$failures" ] || code=0
echo "$WAVED_RUN $code" >> "$base/truth"
exit "$code"
"""
HIDDEN = r"""
# sh hidden.sh BASE RUN: a process that left its session, its terminal and (scrubbed) its environment.
trap '' TERM HUP INT
read -r stat < /proc/$$/stat
echo "$2 $stat" >> "$1/processes"
exec sleep 300
"""
LOUD_BYTES = 300_000
KINDS = ("plain", "plain", "plain", "stubborn", "loud", "marked", "scrubbed", "forking")
UNMARKED = "scrubbed"
"""The kind of which only a control group can find what it leaves, once every ancestor of it was killed."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A plan, and what its session ends with if no run of it is lost."""

    plan: dict[str, Any]
    outcome: str
    assignments: dict[str, str]
    kinds: dict[str, str]
    """How each assignment behaves."""


def write_programs(base: Path) -> None:
    """Put the agents' programs and empty files for what they write down into `base`."""
    (base / "agent.sh").write_text(AGENT)
    (base / "hidden.sh").write_text(HIDDEN)
    for name in ("ledger", "processes", "truth"):
        (base / name).touch()


def draw(rng: random.Random, name: str, base: Path, kinds: tuple[str, ...] = KINDS) -> Drawn:
    """A plan of one to three waves; most succeed."""
    outcomes: dict[str, str] = {}
    behaviour: dict[str, str] = {}
    waves: list[dict[str, Any]] = []
    outcome = "succeeded"
    for number in range(rng.choice((1, 2, 2, 3))):
        agents: list[dict[str, Any]] = []
        names: list[str] = []
        for index in range(rng.randint(1, 4)):
            agent = _agent(rng, f"{'abc'[number]}{index}", base, names, outcomes, behaviour, kinds)
            names.append(agent["name"])
            agents.append(agent)
        wave: dict[str, Any] = {"name": f"w{number}", "agent": agents}
        if rng.random() < 0.4:
            command = ["sh", str(base / "agent.sh"), str(base), "plain", f"{rng.uniform(0, 0.1):.2f}", "0", "0"]
            wave["gate"] = {"commands": [{"run": command, "name": "check"}]}
        waves.append(wave)
        if any(outcomes[agent["name"]] != "succeeded" for agent in agents):
            outcome = "failed"
            break
    session = {"name": name, "leftover_grace": "50ms", "stop_grace": "300ms", "on_lost": rng.choice(POLICIES)}
    return Drawn({"session": session, "wave": waves}, outcome, outcomes, behaviour)


POLICIES = ("hold", "hold", "retry", "fail")


def _agent(
    rng: random.Random,
    name: str,
    base: Path,
    earlier: list[str],
    outcomes: dict[str, str],
    behaviour: dict[str, str],
    kinds: tuple[str, ...],
) -> dict[str, Any]:
    kind, seconds = rng.choice(kinds), rng.uniform(0.0, 0.8)
    failures, code, retries, timeout = 0, 0, 0, ""
    chance = rng.random()
    expected = "succeeded"
    if chance < 0.25:
        failures, code, retries = 1, rng.randint(1, 250), rng.randint(1, 2)
    elif chance < 0.29:
        failures, code, expected = 9, rng.randint(1, 250), "failed"
    elif chance < 0.33:
        seconds, timeout, expected = 60.0, f"{rng.randint(100, 600)}ms", "timed-out"
    agent: dict[str, Any] = {
        "name": name,
        "command": ["sh", str(base / "agent.sh"), str(base), kind, f"{seconds:.2f}", str(failures), str(code)],
        "retries": retries,
        "backoff": f"{rng.randint(1, 200)}ms",
    }
    if timeout:
        agent["timeout"] = timeout
    if earlier and rng.random() < 0.4:
        needed = rng.choice(earlier)
        agent["needs"] = [needed]
        if outcomes[needed] != "succeeded":
            expected = "skipped"
    outcomes[name], behaviour[name] = expected, kind
    return agent
