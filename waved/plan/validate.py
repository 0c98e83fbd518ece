"""Everything that makes a plan impossible to run, beyond the shape the models judge: the graph and the templates."""

from __future__ import annotations

from collections.abc import Iterator

from waved.plan import check_guards, graph, prompts
from waved.plan.graph import Problem
from waved.plan.locate import KeyPath
from waved.plan.models import Agent, Plan


def problems(plan: Plan) -> list[Problem]:
    """All problems of a plan whose shape is right; empty when it can be run (O4, O8)."""
    found = [*graph.problems(plan), *check_guards.problems(plan)]
    for where, template in templates(plan):
        word, responder = "command" in where or "args" in where, where[0] == "responder"
        wrong = prompts.check(template, plan.session.vars, word=word, responder=responder)
        if wrong is not None:
            found.append(Problem(where, wrong))
    return found


def templates(plan: Plan) -> Iterator[tuple[KeyPath, str]]:
    """Every template of a plan with its key: instructions, prompts, `args` and the words of command lists."""
    yield ("session", "instructions"), plan.session.instructions
    for index, wave in enumerate(plan.waves):
        yield ("wave", index, "instructions"), wave.instructions
        for position, agent in enumerate(wave.agents):
            yield from _agent_templates(agent, ("wave", index, "agent", position))
        for position, task in enumerate(wave.tasks):
            yield ("wave", index, "task", position, "prompt"), task.prompt
    for index, responder in enumerate(plan.responders):
        yield from _agent_templates(responder, ("responder", index))


def _agent_templates(agent: Agent, where: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    yield (*where, "prompt"), agent.prompt
    for number, word in enumerate(agent.args):
        yield (*where, "args", number), word
    if isinstance(agent.command, list):
        for number, word in enumerate(agent.command):
            yield (*where, "command", number), word
