"""What an agent's own words say about other agents' files: the paths that its prompt, arguments and command name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from waved.plan import globs
from waved.plan.graph import spread_tasks
from waved.plan.models import Agent, Plan, Wave

_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_RESULTS = re.compile(r"\{[{%][^}]*\bresults\b")
_WORD = re.compile(r"[\w.-]+")
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
    words: frozenset[str]
    """All words of its prompt, instructions, arguments and command."""
    reads_results: bool
    """Its templates look at what ended before."""
    paths: frozenset[str]
    """The paths its own words name, as patterns."""

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
        everything = f"{text}\n{shared}"
        words_of = frozenset(word.strip(".-") for word in _WORD.findall(everything))
        reads = _RESULTS.search(everything) is not None
        found.append(Scope(agent, position, tuple(agent.owns), produces, words_of, reads, _paths(text)))
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
            if any(globs.overlap(path, each) for each in _with_contents(pattern)):
                return path
    return None


def neighbours(found: Sequence[Scope]) -> list[tuple[Scope, Scope]]:
    """Pairs (each in both orders) of which one's words or paths could lie among what the other declares.

    A wave of hundreds has very many pairs, nearly all of which are told apart by where their paths begin.
    """
    declared: dict[tuple[str, ...], set[int]] = {}
    told: dict[tuple[str, ...], set[int]] = {}
    for number, scope in enumerate(found):
        for pattern in scope.declared:
            declared.setdefault(globs.head(pattern), set()).add(number)
        for pattern in (*scope.declared, *scope.paths):
            told.setdefault(globs.head(pattern), set()).add(number)
    pairs: set[tuple[int, int]] = set()
    for ones, others in ((declared, told), (told, declared)):
        for head, members in ones.items():
            for length in range(len(head) + 1):
                met = others.get(head[:length], ())
                pairs.update((one, other) for one in members for other in met if one != other)
    pairs |= {(other, one) for one, other in pairs}
    return [(found[one], found[other]) for one, other in sorted(pairs)]


def linked(one: Scope, other: Scope) -> bool:
    """Whether something in the plan says that two agents depend on each other or change the same paths."""
    if overlapping(one.declared, other.declared):
        return True
    return any(
        named(reader, writer.declared) is not None
        or writer.agent.name.strip(".-") in reader.words
        or reader.reads_results
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
            if path.strip("/*.") and globs.problem(path) is None:
                yield path


def _with_contents(pattern: str) -> Iterator[str]:
    yield pattern
    last = pattern.rstrip("/").rpartition("/")[2]
    if not re.search(r"[*?\[{]", last):
        yield globs.names_folder(pattern)
