"""What makes a plan's guards impossible: unknown names, ladders that lead nowhere, restores without snapshots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points

from waved.plan.graph import Problem
from waved.plan.guards import SHIPPED_KINDS, CorruptionMonitor, Monitor, PluginMonitor, ProgressMonitor, Step
from waved.plan.locate import KeyPath
from waved.plan.models import Agent, Plan
from waved.plan.near import near

RESERVED = ("reactions", "snapshots", "budget", "guards")
"""Names of monitors that are waved's own."""
_RESTORES = ("rollback-file", "rollback-agent", "rollback-wave")
_NOT_FOR_RESPONDERS = ("needs", "domain", "produces", "gate", "critical", "rollback")


def problems(plan: Plan) -> list[Problem]:
    """All of them."""
    return [*_monitors(plan), *_responders(plan), *_preview(plan), *_notify(plan), *_snapshots(plan)]


# --- monitors -----------------------------------------------------------------------------------------------------


def _monitors(plan: Plan) -> Iterator[Problem]:
    waves = [wave.name for wave in plan.waves]
    agents = [agent.name for wave in plan.waves for agent in wave.agents]
    seen: set[str] = set()
    for index, monitor in enumerate(plan.monitors):
        where: KeyPath = ("monitor", index)
        label = monitor.label
        key = (*where, "name" if monitor.name else "kind")
        if label in seen:
            yield Problem(key, f'a second monitor named "{label}"', 'give this one a name: name = "…"')
        if label in RESERVED:
            yield Problem(key, f'"{label}" is a monitor of waved\'s own', "give this one another name")
        seen.add(label)
        for number, name in enumerate(monitor.waves):
            yield from _unknown((*where, "waves", number), "wave", name, waves, "waves of this plan")
        if isinstance(monitor, ProgressMonitor):
            for number, name in enumerate(monitor.agents):
                yield from _unknown((*where, "agents", number), "agent", name, agents, "agents of this plan")
        if isinstance(monitor, PluginMonitor):
            yield from _kind(monitor, where)
        if monitor.kind == "preview" and plan.preview is None:
            hint = 'add [preview] with url = "http://localhost:…"'
            yield Problem((*where, "kind"), "there is no [preview] to watch", hint)
        for number, step in enumerate(monitor.reactions or ()):
            yield from _step(plan, step, (*where, "reactions", number))


def _kind(monitor: PluginMonitor, where: KeyPath) -> Iterator[Problem]:
    """A kind that nothing is known of and that looks like a slip of the pen."""
    close = near(monitor.kind, SHIPPED_KINDS)
    if close and not entry_points(group="waved.monitors", name=monitor.kind):
        hint = f"kinds that ship: {', '.join(SHIPPED_KINDS)}; plug-ins add others (entry points waved.monitors)"
        yield Problem((*where, "kind"), f'no monitor of kind "{monitor.kind}"; {close}', hint)


def _step(plan: Plan, step: Step, where: KeyPath) -> Iterator[Problem]:
    known = [responder.name for responder in plan.responders]
    if "start-agent" in step.do and step.agent is None:
        hint = f'say which: {{ do = "start-agent", agent = "…" }} ({_listed("responders", known)})'
        yield Problem(where, "`start-agent` without `agent`", hint)
    elif step.agent is not None and "start-agent" not in step.do:
        yield Problem((*where, "agent"), "`agent` does nothing without `start-agent`", 'add "start-agent" to `do`')
    elif step.agent is not None:
        yield from _unknown((*where, "agent"), "[[responder]]", step.agent, known, "responders")


def _unknown(where: KeyPath, kind: str, name: str, known: Sequence[str], what: str) -> Iterator[Problem]:
    if name not in known:
        yield Problem(where, f'no {kind} "{name}" in this plan', near(name, known) or _listed(what, known))


def _listed(what: str, known: Sequence[str]) -> str:
    more = ", …" if len(known) > 12 else ""
    return f"{what}: {', '.join(known[:12]) or 'none'}{more}"


# --- the rest -----------------------------------------------------------------------------------------------------


def _responders(plan: Plan) -> Iterator[Problem]:
    agents = {agent.name for wave in plan.waves for agent in wave.agents}
    seen: set[str] = set()
    for index, responder in enumerate(plan.responders):
        where: KeyPath = ("responder", index)
        name = responder.name
        if name in agents:
            hint = "runs and logs are called by it: give this one another name"
            yield Problem((*where, "name"), f'an agent is named "{name}" as well', hint)
        if name in seen:
            yield Problem((*where, "name"), f'a second responder named "{name}"', "give this one another name")
        seen.add(name)
        if not responder.prompt and not responder.prompt_file and responder.program != "command":
            message = f'responder "{name}" has no prompt'
            hint = "give it a `prompt`, which may speak of {{ finding.summary }}, {{ finding.path }}, …"
            yield Problem(where, message, hint)
        for key in _NOT_FOR_RESPONDERS:
            if key in responder.model_fields_set:
                yield Problem((*where, key), f"`{key}` means nothing for a responder", "remove it")


def _preview(plan: Plan) -> Iterator[Problem]:
    preview = plan.preview
    if preview is None:
        return
    where: KeyPath = ("preview", "url")
    if not preview.url.startswith(("http://", "https://")):
        yield Problem(where, "is no address to probe", 'write it as "http://localhost:5000/"')
    if "{port}" in preview.url and preview.command is None:
        hint = "give it a `command`, which finds the port in $PORT; or write the port that is used"
        yield Problem(where, "`{port}` is a port that waved leases, and nothing is started on it", hint)
    if preview.url.count("{port}") > 1:
        yield Problem(where, "`{port}` stands in it twice", "one port is leased")


def _notify(plan: Plan) -> Iterator[Problem]:
    labels = [monitor.label for monitor in plan.monitors]
    for index, notify in enumerate(plan.notify):
        where: KeyPath = ("notify", index)
        if notify.command is None and notify.url is None:
            yield Problem(where, "tells nobody", "give it `command` or `url`")
        if notify.command is not None and notify.url is not None:
            yield Problem(where, "has both `command` and `url`", "write two [[notify]] tables")
        for number, name in enumerate(notify.monitors):
            if name not in RESERVED:
                yield from _unknown((*where, "monitors", number), "monitor", name, labels, "monitors of this plan")


def _snapshots(plan: Plan) -> Iterator[Problem]:
    """What would bring files back, though none are kept."""
    if plan.snapshots.enabled:
        return
    hint = "remove `enabled = false` from [snapshots], or this"
    for index, monitor in enumerate(plan.monitors):
        yield from _restores(monitor, ("monitor", index), hint)
    for index, wave in enumerate(plan.waves):
        where: KeyPath = ("wave", index)
        if wave.gate.on_failure == "rollback":
            yield Problem((*where, "gate", "on_failure"), "nothing can be rolled back: no snapshots are taken", hint)
        for number, agent in enumerate(wave.agents):
            yield from _agent(agent, (*where, "agent", number), hint)


def _agent(agent: Agent, where: KeyPath, hint: str) -> Iterator[Problem]:
    message = "nothing can be rolled back: no snapshots are taken"
    if agent.rollback != "never":
        yield Problem((*where, "rollback"), message, hint)
    if agent.gate is not None and agent.gate.on_failure == "rollback":
        yield Problem((*where, "gate", "on_failure"), message, hint)


def _restores(monitor: Monitor, where: KeyPath, hint: str) -> Iterator[Problem]:
    if monitor.reactions is None and isinstance(monitor, CorruptionMonitor):
        message = "what it does if `reactions` are not given restores files, and no snapshots are taken"
        yield Problem(where, message, 'say what is done instead: reactions = ["alert"]')
    for number, step in enumerate(monitor.reactions or ()):
        named = [action for action in step.do if action in _RESTORES]
        if named:
            message = f"`{named[0]}` has nothing to go back to: no snapshots are taken"
            yield Problem((*where, "reactions", number), message, hint)
