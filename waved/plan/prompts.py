"""Prompt templates: what may stand in them, and the whole prompt an agent receives (requirement O8).

Runs in workers, which are forked from a zygote that has this module imported: it needs Jinja2 and nothing more of the
project than the errors. The templates come from the plan's author, but what is put into them comes from agents and
files, so they run in Jinja's sandbox. docs/prompts.md describes the variables.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, UndefinedError, meta, nodes
from jinja2.sandbox import SandboxedEnvironment

from waved.errors import PlanError
from waved.plan.near import near

FINDING_FIELDS = ("monitor", "summary", "severity", "subject", "path", "line", "assignment", "evidence")
"""What a responder's prompt may say of the finding it was started for."""
VARIABLES: dict[str, tuple[str, ...]] = {
    "session": ("name", "id", "folder"),
    "wave": ("name", "index"),
    "agent": ("name", "domain", "owns", "produces", "program"),
    "attempt": (),
    "tasks": (),
    "failure": (),
    "vars": (),
    "workspace": (),
    "results": (),
    "finding": FINDING_FIELDS,
}
"""What a template may name, each with its fields (none: it has no fixed ones)."""
LONGEST = 1024 * 1024
"""Characters of one template."""


class _Undefined(StrictUndefined):
    """An unknown name; its error says which names there are."""

    @property
    def _undefined_message(self) -> str:
        name = str(self._undefined_name)
        if isinstance(self._undefined_obj, Mapping):
            known: Collection[str] = [str(key) for key in self._undefined_obj]
            found = f'nothing here is called "{name}"'
        elif name in VARIABLES or isinstance(self._undefined_obj, (str, int, float, list, tuple)):
            return str(super()._undefined_message)
        else:
            known, found = VARIABLES, f'"{name}" is unknown'
        return f"{found}; {near(name, known) or 'known: ' + (', '.join(known) or 'none')}"


class _Environment(SandboxedEnvironment):
    """Jinja's sandbox, in which `vars.items` is the plan's variable of that name and not a method of dict."""

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401 — Jinja's own signature
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


_environment = _Environment(undefined=_Undefined, autoescape=False, keep_trailing_newline=True)


def check(
    template: str, variables: Collection[str] | None = None, *, word: bool = False, responder: bool = False
) -> str | None:
    """What is wrong with a template, for a person (None: nothing): its syntax, unknown names, unknown fields.

    `variables` are the names of the plan's own `vars`, where they are known. `word`: it is a word of a command line,
    which may name the whole `prompt` as well. `responder`: it is of a `[[responder]]`, which is told of a `finding`.
    """
    if len(template) > LONGEST:
        return f"the template is longer than {LONGEST} characters"
    if "{" not in template:
        return None
    try:
        tree = _environment.parse(template)
        named = [name for name in VARIABLES if responder or name != "finding"]
        known = {*named, *_environment.globals, *(["prompt"] if word else [])}
        unknown = sorted(meta.find_undeclared_variables(tree) - known)
    except TemplateSyntaxError as error:
        return f"line {error.lineno} of the template: {error.message}"
    except TemplateError as error:
        return f"the template: {error.message}"
    except RecursionError:
        return "the template is nested too deeply"
    for tag in tree.find_all((nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)):
        return f"line {tag.lineno} of the template: other templates cannot be included; use `instructions`"
    if unknown:
        lines = {node.name: node.lineno for node in reversed(list(tree.find_all(nodes.Name)))}
        name = unknown[0]
        if name == "finding":
            return f"line {lines.get(name, 1)} of the template: only the prompt of a [[responder]] is told of a finding"
        hint = near(name, named) or f"known: {', '.join(named)}"
        return f'line {lines.get(name, 1)} of the template: "{name}" is unknown; {hint}'
    return _unknown_field(tree, variables)


def render(template: str, context: Mapping[str, object]) -> str:
    """The text of a template; raises PlanError naming the line and, for an unknown name, what is known."""
    if "{" not in template:
        return template
    try:
        return _compiled(template).render(context)
    except TemplateSyntaxError as error:
        raise PlanError(f"line {error.lineno} of the template: {error.message}") from None
    except Exception as error:  # noqa: BLE001 — a template's expressions may raise anything: all are the template's fault
        line = _line_of(error)
        what = str(error) if isinstance(error, (UndefinedError, TemplateError)) else f"{type(error).__name__}: {error}"
        raise PlanError(f"line {line} of the template: {what}" if line else f"the template: {what}") from None


def compose(
    *,
    instructions: list[str],
    prompt: str,
    tasks: list[dict[str, Any]],
    context: Mapping[str, object],
    failure: str,
    resumed: bool = False,
) -> str:
    """The whole prompt an agent receives: instructions, its own prompt, its tasks, and why the last attempt failed.

    One that is `resumed` is told so first: it has read most of this before.

    All but `failure` are templates. A task is `{name, domain, prompt}`; its prompt is rendered first, so the agent's
    template sees it rendered. Tasks are listed after the prompt unless the template writes them out itself (it names
    `tasks` and a `.prompt`), the failure unless some template names `failure`. Raises PlanError saying which template
    is wrong.
    """
    values = {**context, "failure": failure}
    rendered = []
    for task in tasks:
        shown = _render_part(
            f'the prompt of task "{task["name"]}"', task.get("prompt") or "", {**values, "tasks": tasks}
        )
        rendered.append({**task, "prompt": shown.strip()})
    values["tasks"] = rendered
    parts = [_RESUMED] if resumed else []
    parts += [_render_part("the instructions", text, values) for text in instructions]
    parts.append(_render_part("the prompt", prompt, values))
    if "finding" in context and not any("finding" in _names(template) for template in [*instructions, prompt]):
        parts.append(_finding_section(context["finding"]))
    if rendered and not _lists_tasks(prompt):
        parts.append(_task_list(rendered))
    templates = [*instructions, prompt, *(task.get("prompt") or "" for task in tasks)]
    if failure and not any("failure" in _names(template) for template in templates):
        parts.append(_failure_section(failure, context))
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


_RESUMED = """# You are going on with your own session

What you have done so far stands, and you may build on it. What follows is your task, as it was given to you before."""


def _render_part(what: str, template: str, values: Mapping[str, object]) -> str:
    try:
        return render(template, values)
    except PlanError as error:
        raise PlanError(f"{what}: {error.message}") from None


def _task_list(tasks: list[dict[str, Any]]) -> str:
    lines = ["# Your task" if len(tasks) == 1 else f"# Your {len(tasks)} tasks"]
    for number, task in enumerate(tasks, start=1):
        title = f"## {number}. {task['name']}"
        lines += ["", f"{title} ({task['domain']})" if task.get("domain") else title]
        if task["prompt"]:
            lines += ["", task["prompt"]]
    return "\n".join(lines)


def _finding_section(finding: object) -> str:
    """What a responder is to see to, where its own words do not say."""
    known: Mapping[str, object] = finding if isinstance(finding, Mapping) else {}
    place = f"{known.get('path')}:{known.get('line')}" if known.get("line") else str(known.get("path") or "")
    lines = ["# What was found", "", f"{known.get('monitor', '')}: {known.get('summary', '')}".strip()]
    if place:
        lines += ["", f"Where: {place}"]
    if known.get("evidence"):
        lines += ["", str(known["evidence"])]
    return "\n".join(lines)


def _failure_section(failure: str, context: Mapping[str, object]) -> str:
    attempt = context.get("attempt")
    heading = "# The attempt before this one failed"
    if isinstance(attempt, int) and attempt > 1:
        heading = f"# This is attempt {attempt}: the one before failed"
    return f"{heading}\n\n{failure.strip()}\n\nFind the cause and mend it; work that is already right can stay."


@lru_cache(maxsize=256)
def _compiled(template: str) -> Template:
    return _environment.from_string(template)


@lru_cache(maxsize=256)
def _names(template: str) -> frozenset[str]:
    if "{" not in template:
        return frozenset()
    return frozenset(meta.find_undeclared_variables(_environment.parse(template)))


def _lists_tasks(template: str) -> bool:
    if "tasks" not in _names(template):
        return False
    return any(node.attr == "prompt" for node in _environment.parse(template).find_all(nodes.Getattr))


def _unknown_field(tree: nodes.Template, variables: Collection[str] | None) -> str | None:
    """A field such as `session.nam` that will not be there when the template is rendered."""
    assigned = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "store"}
    for name, field, line in _fields(tree):
        known: Collection[str] = VARIABLES.get(name, ())
        if name == "vars" and variables is not None:
            known = sorted(variables)
        elif not known:
            continue
        if name not in assigned and field not in known:
            hint = near(field, known) or f"known: {', '.join(f'{name}.{each}' for each in known) or 'none'}"
            return f'line {line} of the template: "{name}.{field}" is unknown; {hint}'
    return None


def _fields(tree: nodes.Template) -> Iterator[tuple[str, str, int]]:
    """Each `name.field` and `name["field"]` in a template, with its line, but for those that are only tested for."""
    tested = {id(test.node) for test in tree.find_all(nodes.Test) if test.name in ("defined", "undefined")}
    tested |= {id(each.node) for each in tree.find_all(nodes.Filter) if each.name in ("default", "d")}
    for by_dot in tree.find_all(nodes.Getattr):
        if id(by_dot) not in tested and isinstance(by_dot.node, nodes.Name):
            yield by_dot.node.name, by_dot.attr, by_dot.lineno
    for by_key in tree.find_all(nodes.Getitem):
        if id(by_key) not in tested and isinstance(by_key.node, nodes.Name):
            key = by_key.arg
            if isinstance(key, nodes.Const) and isinstance(key.value, str):
                yield by_key.node.name, key.value, by_key.lineno


def _line_of(error: BaseException) -> int | None:
    """The line of the template where an error arose: Jinja maps its compiled code back in the traceback."""
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
