"""What an agent's own words say about other agents' files: the paths that its prompt, arguments and command name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from waved.plan import globs
from waved.plan.graph import spread_tasks
from waved.plan.models import Agent, Plan, Wave

_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n\s*\n")
_PATH = re.compile(r"[\w.@~+-]*[\w*?\[\]{},/@~+-]*/[\w.*?\[\]{},/@~+-]*|\b[\w-]+\.[A-Za-z]\w{0,5}\b")
# "Leave server/ alone" names a path that the agent is told to keep away from.
_KEEP_AWAY = re.compile(
    r"\b(?:not|never|don['’]t|do not|without|except|avoid|leave|ignore|nothing|outside|instead of|rather than)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What one agent says it touches, and what its words name."""

    agent: Agent
    position: int
    owns: tuple[str, ...]
    produces: tuple[str, ...]
    text: str
    paths: frozenset[str]

    @property
    def declared(self) -> tuple[str, ...]:
        """All patterns the agent owns or produces."""
        return self.owns + self.produces


def scopes(plan: Plan, wave: Wave) -> list[Scope]:
    """The scope of each agent of a wave, in the order written."""
    taken = spread_tasks(wave)
    found = []
    for position, agent in enumerate(wave.agents):
        words = [agent.command] if isinstance(agent.command, str) else list(agent.command or ())
        prompts = [task.prompt for task in wave.tasks if taken.get(task.name) == agent.name]
        text = "\n\n".join([agent.prompt, *prompts, *agent.args, *words])
        produces = tuple(output.path for output in agent.produces)
        shared = f"{plan.session.instructions}\n{wave.instructions}"
        found.append(Scope(agent, position, tuple(agent.owns), produces, text + "\n" + shared, _paths(text)))
    return found


def overlapping(ones: Iterable[str], others: Iterable[str]) -> tuple[str, str] | None:
    """The first two patterns that some path could match both; a folder's name stands for what is in it."""
    others = list(others)
    for one in ones:
        for other in others:
            if any(globs.overlap(a, b) for a in _with_contents(one) for b in _with_contents(other)):
                return one, other
    return None


def named(reader: Scope, patterns: Iterable[str]) -> str | None:
    """The first path in a reader's words that one of the patterns covers; patterns without a word cover too much."""
    for pattern in patterns:
        if not re.search(r"\w", pattern):
            continue
        for path in sorted(reader.paths):
            if pattern.startswith(path.rstrip("/") + "/"):
                return path
            if globs.problem(path) is None and any(globs.overlap(path, each) for each in _with_contents(pattern)):
                return path
    return None


def linked(one: Scope, other: Scope) -> bool:
    """Whether something in the plan says that two agents depend on each other or change the same paths."""
    if overlapping(one.declared, other.declared):
        return True
    return any(
        named(reader, writer.declared) is not None
        or re.search(rf"(?<![\w-]){re.escape(writer.agent.name)}(?![\w-])", reader.text) is not None
        or re.search(r"\{[{%][^}]*\bresults\b", reader.text) is not None
        for reader, writer in ((one, other), (other, one))
    )


def may_depend(one: Scope, other: Scope) -> bool:
    """As `linked`, and also where the plan tells too little: neither paths nor different domains."""
    told = bool(one.declared and other.declared)
    told = told or bool(one.agent.domain and other.agent.domain and one.agent.domain != other.agent.domain)
    return not told or linked(one, other)


def _paths(text: str) -> frozenset[str]:
    return frozenset(_each_path(_TEMPLATE.sub(" … ", text)))


def _each_path(text: str) -> Iterator[str]:
    for sentence in _SENTENCE.split(text):
        if "://" in sentence:
            sentence = re.sub(r"\S+://\S+", " ", sentence)  # noqa: PLW2901 — the sentence without its addresses
        if _KEEP_AWAY.search(sentence):
            continue
        for found in _PATH.findall(sentence):
            path = found.rstrip(".,").removeprefix("./")
            if path.strip("/*."):
                yield path


def _with_contents(pattern: str) -> Iterator[str]:
    yield pattern
    last = pattern.rstrip("/").rpartition("/")[2]
    if not re.search(r"[*?\[{]", last):
        yield globs.names_folder(pattern)
