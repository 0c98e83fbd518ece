"""From a plan file to a plan, or to a list of everything that is wrong with it: file, line, key, what to do.

`wavectl` loads files with `load_plan`; the daemon judges what a client sent with `plan_from_json`. Neither raises
anything but PlanError.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from waved.errors import PlanError
from waved.plan import inline, shape, validate
from waved.plan.graph import Problem
from waved.plan.lint import lint
from waved.plan.locate import Locator, show
from waved.plan.models import Plan
from waved.plan.source import read_text

LONGEST = 4 * 1024 * 1024
"""Bytes of a plan file."""
MOST_PROBLEMS = 50
"""Problems told at once; more help nobody."""
_POSITION = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


@dataclass(frozen=True, slots=True)
class LoadedPlan:
    """A plan that can be run, with every file it names read in; `source` is the TOML text as it was written."""

    plan: Plan
    path: Path
    source: str

    def advice(self) -> list[Remark]:
        """All advice on the plan (requirements P1, P2), each with its place in the file, in the order of the file."""
        locator = Locator(self.source)
        found = [
            Remark(str(self.path), locator.line(each.where), 0, show(each.where), each.message, each.hint, each.kind)
            for each in lint(self.plan)
        ]
        return sorted(found, key=lambda remark: remark.line)


@dataclass(frozen=True, slots=True)
class Remark:
    """One problem of a plan file, or one piece of advice (which has a `kind`), with its place.

    `line` and `column` count from 1; 0 where there is none.
    """

    file: str
    line: int
    column: int
    key: str
    message: str
    hint: str = ""
    kind: str = ""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        text = f"{self.key}: {self.message}" if self.key else self.message
        return f"{place}: {text}{_hinted(self.hint)}"


def load_plan(path: Path, variables: Mapping[str, str] | None = None) -> LoadedPlan:
    """The plan of a file, its prompt files inlined; `variables` replace or add to `session.vars`.

    Raises PlanError whose `problems` lists all that is wrong, one line each.
    """
    loaded, remarks = examine(path, variables)
    if loaded is None:
        count = "1 problem" if len(remarks) == 1 else f"{len(remarks)} problems"
        raise PlanError(f"{path}: {count}", problems=tuple(str(remark) for remark in remarks))
    return loaded


def examine(path: Path, variables: Mapping[str, str] | None = None) -> tuple[LoadedPlan | None, list[Remark]]:
    """As `load_plan`, for those who want the problems with their places: (plan, []) or (None, problems)."""
    file = str(path)
    try:
        source = read_text(path, LONGEST, what="plan")
    except PlanError as error:
        return None, [Remark(file, 0, 0, "", error.message, error.hint)]
    if not source.strip():
        return None, [Remark(file, 0, 0, "", "the plan is empty", "`wavectl plan new` writes one to begin with")]
    try:
        data = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        return None, [_syntax_error(file, source, str(error))]
    except (RecursionError, ValueError) as error:
        # Not TOMLDecodeError: arrays nested by the thousand, integers of thousands of digits.
        return None, [Remark(file, 0, 0, "", f"cannot be read: {error}", "simplify the plan")]
    _add_variables(data, variables or {})
    plan, problems = _judge(data, path.parent)
    if plan is not None and not problems:
        return LoadedPlan(plan, path, source), []
    return None, _located(file, source, problems)


def plan_from_json(data: Mapping[str, Any]) -> Plan:
    """The plan a client sent, judged as if it were hostile; raises PlanError with all problems."""
    try:
        plan = Plan.model_validate(data)
        problems = [*validate.problems(plan), *inline.left_over(plan)]
    except ValidationError as error:
        problems = shape.problems(error)
    if not problems:
        return plan
    texts = tuple(f"{show(each.where)}: {each.message}{_hinted(each.hint)}" for each in problems[:MOST_PROBLEMS])
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    raise PlanError(f"the plan is wrong: {texts[0]}{more}", "`wavectl plan check` lists all problems", texts)


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """The plan as it goes over the wire and into the journal; `plan_from_json` reads it back."""
    dumped: dict[str, Any] = plan.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return dumped


def _judge(data: dict[str, Any], folder: Path) -> tuple[Plan | None, list[Problem]]:
    try:
        plan = Plan.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        return None, shape.problems(error)
    inlined, problems = inline.prompt_files(plan, folder)
    moved = {each.where for each in problems}
    problems += [each for each in validate.problems(inlined) if each.where not in moved]
    return inlined, [_at_file_key(plan, each) for each in problems]


def _at_file_key(plan: Plan, problem: Problem) -> Problem:
    """A problem in an inlined text belongs to the key that names its file."""
    file = inline.file_of(plan, problem.where)
    if file is None:
        return problem
    return Problem((*problem.where[:-1], f"{problem.where[-1]}_file"), f"{file}: {problem.message}", problem.hint)


def _add_variables(data: dict[str, Any], variables: Mapping[str, str]) -> None:
    session = data.get("session")
    if variables and isinstance(session, dict) and isinstance(session.setdefault("vars", {}), dict):
        session["vars"].update(variables)


def _located(file: str, source: str, problems: Iterable[Problem]) -> list[Remark]:
    locator = Locator(source)
    remarks = [
        Remark(file, locator.line(each.where), 0, show(each.where), each.message, each.hint) for each in problems
    ]
    remarks.sort(key=lambda remark: remark.line)
    if len(remarks) > MOST_PROBLEMS:
        more = f"and {len(remarks) - MOST_PROBLEMS} more problems"
        remarks[MOST_PROBLEMS:] = [Remark(file, 0, 0, "", more, "mend these first")]
    return remarks


def _syntax_error(file: str, source: str, text: str) -> Remark:
    found = _POSITION.search(text)
    message = _POSITION.sub("", text)
    if found is None:
        return Remark(file, 0, 0, "", message)
    lines = source.splitlines() or [""]
    line, column = (int(found[1]), int(found[2])) if found[1] else (len(lines), len(lines[-1]) + 1)
    shown = lines[line - 1].strip() if line <= len(lines) else ""
    if shown:
        message += f" in: {json.dumps(shown[:80], ensure_ascii=False)[1:-1]}"
    return Remark(file, line, column, "", f"not TOML: {message}", _syntax_hint(text))


def _syntax_hint(text: str) -> str:
    if text.startswith("Invalid value"):
        return 'text needs quotes: key = "value"'
    if text.startswith(("Cannot overwrite", "Cannot declare", "Cannot define", "Cannot mutate")):
        return "this key or table was given before; a list of tables is written [[wave]], with two brackets"
    return ""


def _hinted(hint: str) -> str:
    return f" ({hint})" if hint else ""
