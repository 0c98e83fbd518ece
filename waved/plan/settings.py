"""Settings of a plan that do nothing, or not what they seem to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from waved.plan.advice import Advice
from waved.plan.limits import sandbox_of
from waved.plan.locate import KeyPath
from waved.plan.mentions import overlapping
from waved.plan.models import Agent, Check, Gate, Plan, Wave
from waved.plan.prompts import VARIABLES
from waved.plan.quantities import format_duration

# Only waved's own names: docker's and Go's `{{.Names}}` in a shell string is as it should be.
_BRACES = re.compile(r"\{\{-?\s*(?:" + "|".join(VARIABLES) + r")\b")


def advice(plan: Plan) -> Iterator[Advice]:
    """All such advice."""
    for index, wave in enumerate(plan.waves):
        yield from _of_wave(plan, wave, index)


def _of_wave(plan: Plan, wave: Wave, index: int) -> Iterator[Advice]:
    yield from _gate_settings(wave.gate, ("wave", index, "gate"))
    for position, agent in enumerate(wave.agents):
        where: KeyPath = ("wave", index, "agent", position)
        if not (agent.timeout or wave.timeout or plan.session.timeout):
            message = f'nothing ends "{agent.name}" if it hangs'
            yield Advice(where, "no-timeout", message, "give the agent, the wave or the session a `timeout`")
        if agent.timeout and wave.timeout and agent.timeout > wave.timeout:
            limits = f"{format_duration(agent.timeout)} is longer than the wave's {format_duration(wave.timeout)}"
            yield Advice((*where, "timeout"), "long-timeout", limits, "the wave's ends it first: shorten one")
        if agent.expect and agent.timeout and agent.expect > agent.timeout:
            message = f"expected to take {format_duration(agent.expect)}, but ended after"
            yield Advice(
                (*where, "expect"), "short-timeout", f"{message} {format_duration(agent.timeout)}", "raise `timeout`"
            )
        if agent.retries == 0 and "backoff" in agent.model_fields_set:
            yield Advice((*where, "backoff"), "no-retries", "`backoff` does nothing without `retries`", "set `retries`")
        yield from _without_network(plan, agent, (*where, "sandbox"))
        if agent.gate is not None:
            yield from _gate_settings(agent.gate, (*where, "gate"))
        yield from _braces(agent, where)
        produced = [output.path for output in agent.produces]
        for number, path in enumerate(produced):
            if agent.owns and not overlapping([path], agent.owns):
                message = f'"{agent.name}" must produce {path}, which is not among the paths it owns'
                yield Advice((*where, "produces", number), "not-owned", message, "add it to `owns`")


def _without_network(plan: Plan, agent: Agent, where: KeyPath) -> Iterator[Advice]:
    box = sandbox_of(plan.session.sandbox, agent.sandbox)
    if box is not None and not box["network"] and agent.command is None:
        message = f'"{agent.name}" cannot reach its model: its sandbox has no network'
        yield Advice(
            where,
            "no-network",
            message,
            "leave out `network = false`: not even a model on this machine can be reached",
        )


def _gate_settings(gate: Gate, where: KeyPath) -> Iterator[Advice]:
    if gate.on_failure == "retry" and gate.retries == 0:
        yield Advice((*where, "retries"), "no-retries", '`on_failure = "retry"` with 0 retries is "stop"', "raise it")
    if gate.on_failure != "retry" and "retries" in gate.model_fields_set:
        message = f'`retries` does nothing with `on_failure = "{gate.on_failure}"`'
        yield Advice((*where, "retries"), "no-retries", message, 'set `on_failure = "retry"`')
    for number, check in enumerate(gate.commands):
        yield from _check_settings(check, (*where, "commands", number))


def _check_settings(check: Check, where: KeyPath) -> Iterator[Advice]:
    if check.junit is None and "min_pass_rate" in check.model_fields_set:
        message = "`min_pass_rate` does nothing without `junit`"
        yield Advice((*where, "min_pass_rate"), "no-junit", message, "name the JUnit XML files the command writes")
    words = check.run if isinstance(check.run, list) else [check.run]
    if any(_BRACES.search(word) for word in words):
        message = "a check's command is not a template: {{ … }} stays as it is"
        yield Advice((*where, "run"), "not-a-template", message, "use a WAVED_… variable in a shell string")


def _braces(agent: Agent, where: KeyPath) -> Iterator[Advice]:
    if isinstance(agent.command, str) and _BRACES.search(agent.command):
        message = "a shell string is not a template: {{ … }} stays as it is"
        hint = 'use "$WAVED_SESSION", "$WAVED_AGENT", …; or write the command as a list'
        yield Advice((*where, "command"), "not-a-template", message, hint)
