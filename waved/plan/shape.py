"""What pydantic finds wrong with a plan, said in the words of the person who wrote it."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from waved.plan.graph import Problem
from waved.plan.guards import PLUGIN, SHIPPED_KINDS, model_of
from waved.plan.locate import KeyPath
from waved.plan.models import Plan
from waved.plan.near import near
from waved.plan.quantities import NAME_PATTERN

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_KINDS = {
    "string_type": 'text in quotes, such as "…"',
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list: [ … ]",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}
_LIMITS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def problems(error: ValidationError, root: type[BaseModel] = Plan) -> list[Problem]:
    """One problem for each mistake pydantic saw in a document whose outermost table is `root`."""
    found = [_problem(detail, root) for detail in error.errors(include_url=False)]
    return list({(each.where, each.message): each for each in found}.values())


def _problem(detail: ErrorDetails, root: type[BaseModel]) -> Problem:
    where = _without_tag(tuple(detail["loc"]))
    kind, context, given = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "extra_forbidden":
        return _unknown_in_monitor(tuple(detail["loc"])) if where[:1] == ("monitor",) else _unknown_key(where, root)
    if kind == "missing":
        return _missing(where)
    if kind == "value_error":
        return Problem(where, str(context["error"]))
    if kind in _KINDS:
        return Problem(where, f"must be {_KINDS[kind]}; found {_shown(given, where)}")
    if kind in _LIMITS:
        limit, words = _LIMITS[kind]
        return Problem(where, f"must be {words} {context[limit]:g}; found {_shown(given, where)}")
    if kind == "literal_error":
        allowed = str(context["expected"]).replace("'", '"').replace(" or ", ", ")
        names = [part.strip(' "') for part in allowed.split(",")]
        hint = near(given, names) if isinstance(given, str) else ""
        return Problem(where, f"must be one of {allowed}; found {_shown(given, where)}", hint)
    if kind == "string_pattern_mismatch" and context.get("pattern") == NAME_PATTERN:
        message = f"{_shown(given, where)} is not a name"
        return Problem(where, message, "names are letters, digits, dots, dashes and underscores, at most 64 of them")
    if kind in ("too_short", "string_too_short"):
        return Problem(where, "is empty")
    return Problem(where, str(detail["msg"]).removeprefix("Value error, "))


def _without_tag(where: KeyPath) -> KeyPath:
    """pydantic names the kind of a monitor's table as if it were a key of it."""
    return (*where[:2], *where[3:]) if where[:1] == ("monitor",) and len(where) > 2 else where


def _unknown_key(where: KeyPath, root: type[BaseModel]) -> Problem:
    allowed = keys_at(where[:-1], root)
    hint = f"allowed: {', '.join(allowed)}" if allowed else ""
    close = near(str(where[-1]), allowed)
    return Problem(where, f"unknown key; {close}" if close else "unknown key", hint)


def _unknown_in_monitor(loc: KeyPath) -> Problem:
    """An unknown key in a monitor's table: what is allowed depends on its kind, which pydantic names in `loc`."""
    kind = str(loc[2])
    where = _without_tag(loc)
    inside = tuple(part for part in loc[3:-1] if isinstance(part, int) or not part.startswith("function"))
    found = _unknown_key((*inside, loc[-1]), model_of(kind))
    if kind != PLUGIN:
        return Problem(where, found.message, found.hint)
    hint = f"{found.hint}; settings of a plug-in's own go into [monitor.options]"
    return Problem(where, found.message, f"{hint}; kinds that ship: {', '.join(SHIPPED_KINDS)}")


def _missing(where: KeyPath) -> Problem:
    if where == ("session",):
        return Problem(where, "there is no [session] table", 'begin the plan with [session] and name = "…"')
    if where == ("wave",):
        return Problem(where, "there is no [[wave]]", "a plan has at least one wave, with at least one [[wave.agent]]")
    if where[-1] == "agent":
        return Problem(where, "this wave has no agent", "add [[wave.agent]] below its [[wave]]")
    return Problem(where, "is missing here")


def keys_at(where: KeyPath, root: type[BaseModel] = Plan) -> list[str]:
    """The keys allowed in the table at a key path, in the order of the models; empty for what is no such table."""
    models: list[type[BaseModel]] = [root]
    for part in where:
        if isinstance(part, int):
            continue
        models = [
            model
            for each in models
            for name, field in each.model_fields.items()
            if part in (field.alias, name)
            for model in _models_in(field.annotation)
        ]
    return [field.alias or name for model in models[:1] for name, field in model.model_fields.items()]


def _models_in(annotation: Any) -> list[type[BaseModel]]:  # noqa: ANN401 — an annotation may be any type form
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, types.UnionType, Annotated, list):
        return [model for each in get_args(annotation) for model in _models_in(each)]
    return []


def _shown(value: object, where: KeyPath) -> str:
    """A value as it stands in TOML, shortened; values of environment variables are never shown."""
    if "env" in where:
        return "something else"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, (str, bool)) else str(value)
    return text if len(text) <= 60 else text[:59] + "…"
