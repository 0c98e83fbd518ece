"""Guards for random plans: monitors with ladders, responders, a preview, policies that roll back."""

from __future__ import annotations

from random import Random
from typing import Any

ACTIONS = (
    "alert", "restart-agent", "rollback-file", "rollback-agent", "rollback-wave", "stop-all", "start-agent", "hold",
)  # fmt: skip


def add_guards(rng: Random, plan: dict[str, Any]) -> None:
    """Add what a guarded plan may say."""
    kept = rng.random() < 0.9
    if not kept:
        plan["snapshots"] = {"enabled": False}
    if rng.random() < 0.5:
        plan["responder"] = [{"name": "helper", "command": ["fix"], "retries": rng.randint(0, 2)}]
    if rng.random() < 0.35:
        plan["preview"] = _preview(rng)
    plan["monitor"] = _monitors(rng, plan, kept=kept)
    if rng.random() < 0.4:
        plan["notify"] = [{"command": ["tell"], "severity": rng.choice(("info", "warning", "critical"))}]
    for wave in plan["wave"]:
        for agent in wave["agent"]:
            if rng.random() < 0.3:
                agent["owns"] = [rng.choice(("src/", "docs/", "src/a.ts"))]
            if kept and rng.random() < 0.2:
                agent["rollback"] = "on-failure"
        if kept and "gate" in wave and rng.random() < 0.3:
            wave["gate"]["on_failure"] = "rollback"


def _preview(rng: Random) -> dict[str, Any]:
    preview: dict[str, Any] = {"url": rng.choice(("http://localhost:5000/", "http://localhost:{port}/"))}
    if rng.random() < 0.8 or "{port}" in preview["url"]:
        preview["command"] = ["serve"]
    return preview


def _monitors(rng: Random, plan: dict[str, Any], *, kept: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    kinds = ["corruption", "file-size", "ownership", "progress", "timeouts", "file-changes", "command", "plugged"]
    if "preview" in plan:
        kinds.append("preview")
    for kind in kinds:
        if rng.random() < 0.6:
            continue
        monitor: dict[str, Any] = {"kind": kind}
        if kind == "file-size":
            monitor["paths"] = ["**"]
        if kind == "command":
            monitor.update(run=["look"], interval=rng.choice((2.0, 20.0)), timeout=5.0)
        if kind == "file-changes":
            monitor["interval"] = rng.choice((1.0, 30.0))
        if rng.random() < 0.2:
            monitor["waves"] = [rng.choice(plan["wave"])["name"]]
        if rng.random() < 0.75 or (kind == "corruption" and not kept):
            monitor["reactions"] = [_step(rng, plan, kept=kept) for _ in range(rng.randint(1, 3))]
        found.append(monitor)
    return found


def _step(rng: Random, plan: dict[str, Any], *, kept: bool) -> dict[str, Any]:
    allowed = [each for each in ACTIONS if kept or not each.startswith("rollback")]
    if "responder" not in plan:
        allowed.remove("start-agent")
    do = rng.sample(allowed, rng.choice((1, 1, 2, 3)))
    step: dict[str, Any] = {"do": do, "times": rng.choice((1, 1, 2))}
    if "start-agent" in do:
        step["agent"] = "helper"
    return step
