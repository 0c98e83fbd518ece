"""The plan reference, generated from the models.

python -m waved.plan.reference > docs/plan.md            the whole page
python -m waved.plan.reference docs/monitors/*.md        the keys of a monitor, in pages that have a place for them
"""

from __future__ import annotations

import json
import re
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from waved.plan import base, goals, guards, limits, models, reporting
from waved.plan.described import described
from waved.plan.quantities import (
    NAME_PATTERN,
    Duration,
    Glob,
    MemorySize,
    Name,
    OutputLimit,
    Pattern,
    Size,
    VariableName,
    Word,
    format_duration,
)
from waved.plan.reference_examples import EXAMPLES
from waved.plan.schema import without_sources

_INTRODUCTION = """\
# The plan file

A plan is a TOML file: a session, its waves in order, and in each wave the agents that start together, their tasks and
the gate that must hold before the next wave. `wavectl plan new` writes one to begin with, `wavectl plan check` tells
what is wrong with one and what could be better, `wavectl plan show` draws it, and `wavectl plan schema` prints the
JSON schema that editors complete from (`#:schema ./plan.schema.json` in the first line, for editors with Taplo).

Durations are text such as `"90s"`, `"10m"` or `"1h30m"` (units: ms, s, m, h, d), or a number of seconds; at most a
year. Sizes are `100`, `"2KB"` or `"1.5MB"` (1 KB is 1024 bytes). Names are letters, digits, dots, dashes and
underscores, at most 64; names of agents, tasks and waves are each unique in the plan. Path patterns are relative to
the workspace: `*`, `**`, `?`, `[a-z]`, `{a,b}`; a pattern that ends in `/` means everything in that folder, and none
leads outside. Prompts, instructions, `args` and the words of a `command` list are templates:
[prompts.md](prompts.md).

The [tutorial](tutorial.md) begins with a plan of a few lines; one that uses most of this page is
[parallel-deployment.toml](examples/parallel-deployment.toml).

*This page is generated from the models in `waved/plan/`: `python -m waved.plan.reference > docs/plan.md`.*
"""
_TABLES: tuple[tuple[str, type[BaseModel]], ...] = (
    ("[session]", models.SessionSettings),
    ("[[wave]]", models.Wave),
    ("[[wave.agent]]", models.Agent),
    ("[[wave.task]]", models.Task),
    ("[[responder]]", models.Agent),
    ("gate", models.Gate),
    ("an entry of gate.commands", models.Check),
    ("an entry of produces or gate.outputs", models.Output),
    ("env", base.Environment),
    ("budget", limits.Budget),
    ("resources", limits.Resources),
    ("sandbox", limits.Sandbox),
    ("[session.patience]", limits.Patience),
    ("[session.documentation]", limits.Documentation),
    ("[goals]", goals.Goals),
    ("[snapshots]", guards.Snapshots),
    ("[preview]", guards.Preview),
    *((f'[[monitor]] kind = "{kind}"', guards.model_of(kind)) for kind in guards.SHIPPED_KINDS),
    ("[[monitor]] of a kind that a plug-in adds", guards.PluginMonitor),
    ("an entry of reactions", guards.Step),
    ("[[notify]]", guards.Notify),
    ("[report]", reporting.ReportSettings),
)
_SUMMARIES = {
    "[[responder]]": "An agent that a reaction starts (`start-agent`): an extractor, an investigator. It has the keys "
    "of [`[[wave.agent]]`](#waveagent); its prompt may speak of `finding` ([guards](guards.md#responders)).",
}
"""Where a model's own words are about another table."""
_NAMED = {
    Duration: "duration",
    Size: "size",
    OutputLimit: "size",
    MemorySize: "size",
    Name: "name",
    Glob: "path pattern",
    Word: "text",
    VariableName: "variable name",
    base.CommandLine: "list of words or shell string",
    models.OutputSpec: "path pattern or table",
    models.CheckSpec: "command or table",
    limits.SandboxSpec: '"workspace", "none", or table',
    guards.StepSpec: "action, list of actions, or table",
    Pattern: "regular expression",
    limits.Money: "amount of money",
    Any: "value",
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
}


_HEAD = ("| key | value | default | meaning |", "|---|---|---|---|")
_END = "<!-- end of keys -->"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table, in words; texts are Markdown."""

    name: str
    kind: str
    default: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a plan: what it is for, its keys in the order of the models, and a part of a plan that has it."""

    title: str
    summary: str
    keys: tuple[Key, ...]
    example: str


def tables() -> Iterator[Table]:
    """All tables of a plan."""
    for title, model in _TABLES:
        summary = _SUMMARIES.get(title) or _words(model.__doc__)
        yield Table(title, summary, tuple(_keys(model)), EXAMPLES[title].strip())


def introduction() -> str:
    """What stands before the tables, from the first paragraph on, in Markdown."""
    return _INTRODUCTION.partition("\n\n")[2]


def reference() -> str:
    """The whole page."""
    contents = "Tables: " + ", ".join(f"[`{title}`](#{_anchor(title)})" for title, _ in _TABLES) + ".\n"
    parts = [_INTRODUCTION, contents]
    for table in tables():
        rows = [_row(key) for key in table.keys]
        shown = "\n".join([*_HEAD, *rows])
        parts.append(f"## `{table.title}`\n\n{table.summary}\n\n```toml\n{table.example}\n```\n\n{shown}\n")
    return "\n".join(parts)


def with_keys(page: str) -> str:
    """A page with the keys of the monitors it names in `<!-- keys of KIND -->`, as they are now."""

    def table(found: re.Match[str]) -> str:
        rows = [_row(key) for key in _keys(guards.model_of(found[1])) if key.name != "kind"]
        return "\n".join([found[0].partition("\n")[0], *_HEAD, *rows, _END])

    return re.sub(rf"<!-- keys of ([\w-]+) -->\n(?:.*?\n)??{_END}", table, page, flags=re.DOTALL)


def _words(text: str | None) -> str:
    return without_sources(" ".join((text or "").split()))


def _keys(model: type[BaseModel]) -> Iterator[Key]:
    meanings = described(model)
    for name, field in model.model_fields.items():
        kind = _kind(_annotation(field)) + _bounds(field)
        yield Key(field.alias or name, kind, _default(field), _words(meanings.get(name)))


def _row(key: Key) -> str:
    cells = [f"`{key.name}`", key.kind, key.default, key.meaning]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _bounds(field: FieldInfo) -> str:
    """The least and the most a plain number may be; quantities with units have their own words."""
    annotation = _annotation(field)
    if _kind(annotation) not in ("whole number", "number"):
        return ""
    parts = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    limits = [limit for part in parts for limit in getattr(part, "__metadata__", ())]
    words = {"ge": "at least", "gt": "more than", "le": "at most"}
    said = [(words[each], getattr(limit, each)) for each in words for limit in limits if hasattr(limit, each)]
    return "".join(f", {what} {value:,}" for what, value in said)


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z. _-]", "", title.lower()).replace(".", "").replace(" ", "-")


def _annotation(field: FieldInfo) -> Any:  # noqa: ANN401 — an annotation may be any type form
    # pydantic takes Annotated apart; put together again, it is one of the named kinds.
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def _kind(annotation: Any) -> str:  # noqa: ANN401 — an annotation may be any type form
    for known, text in _NAMED.items():
        if annotation == known:
            return text
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind_of_annotated(annotation)
    if origin in (Union, types.UnionType):
        return _kind(Union[tuple(each for each in arguments if each is not type(None))])  # noqa: UP007 — built at run time
    if origin is Literal:
        return " or ".join(f'`"{each}"`' for each in arguments)
    if origin is list:
        kind = _kind(arguments[0])
        return f"list of {kind}" if kind.startswith("table: ") else f"list of {_plural(kind)}"
    if origin is dict:
        return f"table of {_plural(_kind(arguments[1]))}"
    for title, model in _TABLES:
        if annotation is model:
            return f"table: [`{title}`](#{_anchor(title)})"
    raise TypeError(f"no words for {annotation}")


def _kind_of_annotated(annotation: Any) -> str:  # noqa: ANN401 — an annotation may be any type form
    bare, *metadata = get_args(annotation)
    if NAME_PATTERN in repr(metadata):
        return "name"
    for known, text in _NAMED.items():
        if (
            get_origin(known) is Annotated
            and get_args(known)[0] == bare
            and set(map(repr, get_args(known)[1:])) & set(map(repr, metadata))
        ):
            return text
    return _kind(bare)


def _plural(kind: str) -> str:
    return re.sub(r"\b(text|name|pattern|table|command)\b", r"\1s", kind)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or value is None or value in ("", [], {}) or isinstance(value, BaseModel):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return f"`{json.dumps(value)}`"
    if isinstance(value, float) and _kind(_annotation(field)) == "duration":
        return f'`"{format_duration(value)}"`'
    if isinstance(value, int) and value >= 1024**2:
        return f'`"{value // 1024**3}GB"`' if value % 1024**3 == 0 else f'`"{value // 1024**2}MB"`'
    return f'`"{value}"`' if isinstance(value, str) else f"`{value:g}`"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(with_keys(Path(name).read_text(encoding="utf-8")), encoding="utf-8")
    if not sys.argv[1:]:
        sys.stdout.write(reference())
