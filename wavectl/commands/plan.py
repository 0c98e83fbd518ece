"""`wavectl plan`: check plans, show what they will do, write one to begin with, print their schema."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from wavectl.commands.options import json_option, print_json

if TYPE_CHECKING:
    from waved.plan.load import LoadedPlan, Remark
    from waved.plan.models import Plan

_PLAN_WRONG = 65


@click.group("plan")
def command() -> None:
    """Check, show, or write plans."""


@command.command("check")
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Exit with 65 for advice too.")
@json_option
def check(files: tuple[Path, ...], strict: bool, as_json: bool) -> int:
    """Tell what is wrong with plans, and what could be better.

    Nothing is run. Exits with 65 when a plan is wrong; advice alone exits with 0.
    """
    from waved.plan.load import examine

    results: list[tuple[Path, LoadedPlan | None, list[Remark], list[Remark]]] = []
    for file in files:
        loaded, problems = examine(file)
        advice = loaded.advice() + _unknown_programs(loaded) if loaded else []
        results.append((file, loaded, problems, advice))
    if as_json:
        print_json({"plans": [_as_json(*result) for result in results]})
    else:
        for result in results:
            _print(*result)
    wrong = any(problems or (strict and advice) for _, _, problems, advice in results)
    return _PLAN_WRONG if wrong else 0


@command.command("show")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@json_option
def show(file: Path, as_json: bool) -> None:
    """Draw what waits for what, and the expected timeline: one after another, and in parallel."""
    from waved.plan.load import load_plan

    plan = load_plan(file).plan
    if as_json:
        print_json(_shown_as_json(plan))
        return
    from wavectl.views.plan import draw
    from wavectl.views.text import Paint, printable, width

    for line in draw(plan, Paint.on(), width(80)):
        click.echo(printable(line, colours=True))


def _complete_template(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from waved.plan.new import template_names

    return [CompletionItem(name) for name in template_names() if name.startswith(incomplete)]


@command.command("new")
@click.argument("file", metavar="[FILE]", default="plan.toml", type=click.Path(path_type=Path))
@click.option(
    "--template",
    "name",
    default="waves",
    metavar="NAME",
    shell_complete=_complete_template,
    help="waves (research, execution, quality; the default) or minimal.",
)
@json_option
def new(file: Path, name: str, as_json: bool) -> None:
    """Write a commented plan to FILE (plan.toml), which must not exist; "-" prints it."""
    from waved.plan.new import template, write_template

    if str(file) == "-":
        click.echo(template(name), nl=False)
        return
    write_template(name, file)
    if as_json:
        print_json({"file": str(file), "template": name})
    else:
        click.echo(f"wrote {file}; try `wavectl plan show {file}`, then `wavectl run {file}`")


@command.command("schema")
def schema() -> None:
    """Print the JSON schema of plans, for editors that complete from it."""
    import json

    from waved.plan.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _unknown_programs(loaded: LoadedPlan) -> list[Remark]:
    """Agent programs that are not known here; another machine may have the plug-in, so this is advice."""
    from waved.agents.registry import program_names
    from waved.plan.load import Remark
    from waved.plan.locate import Locator, show
    from waved.plan.near import near

    known = program_names()
    locator = Locator(loaded.source)
    found = []
    for index, wave in enumerate(loaded.plan.waves):
        for position, agent in enumerate(wave.agents):
            if agent.program not in known:
                where = ("wave", index, "agent", position, "use")
                message = f'no agent program "{agent.program}" is installed here'
                hint = near(agent.program, known) or f"there are: {', '.join(known)}"
                line = locator.line(where)
                found.append(Remark(str(loaded.path), line, 0, show(where), message, hint, "unknown-program"))
    return found


def _print(file: Path, loaded: LoadedPlan | None, problems: list[Remark], advice: list[Remark]) -> None:
    from wavectl.views.text import Paint, printable

    paint = Paint.on()
    for finding in problems:
        click.echo(f"{paint('error', 'red', 'bold')} {printable(str(finding))}")
    for finding in advice:
        click.echo(f"{paint('advice', 'yellow')} {printable(str(finding))}")
    if loaded is not None:
        agents = sum(len(wave.agents) for wave in loaded.plan.waves)
        told = f"{_many(len(loaded.plan.waves), 'wave')}, {_many(agents, 'agent')}"
        click.echo(f"{paint('ok', 'green', 'bold')} {printable(str(file))}: {told}")


def _many(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _as_json(file: Path, loaded: LoadedPlan | None, problems: list[Remark], advice: list[Remark]) -> dict[str, Any]:
    return {
        "file": str(file),
        "ok": loaded is not None,
        "problems": [asdict(each) for each in problems],
        "advice": [asdict(each) for each in advice],
    }


def _shown_as_json(plan: Plan) -> dict[str, Any]:
    from waved.plan.graph import build
    from waved.plan.timeline import expected

    graph, timeline = build(plan), expected(plan)
    bars = {bar.assignment: bar for bar in timeline.bars}
    waves = [
        {
            "name": wave.name,
            "assignments": [
                {
                    "key": key,
                    "agent": graph.assignments[key].agent,
                    "tasks": list(graph.assignments[key].tasks),
                    "requires": list(graph.assignments[key].requires),
                    "start": bars[key].start,
                    "end": bars[key].end,
                    "basis": bars[key].basis,
                }
                for key in keys
            ],
        }
        for wave, keys in zip(plan.waves, graph.waves, strict=True)
    ]
    return {
        "session": plan.session.name,
        "waves": waves,
        "sequential_seconds": timeline.sequential,
        "parallel_seconds": timeline.parallel,
    }
