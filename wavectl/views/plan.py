"""How `wavectl plan show` draws a plan: its waves with what waits for what, and the expected timeline (O4, P1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from wavectl.views.text import Paint, cut, pad

if TYPE_CHECKING:
    from waved.plan.graph import Assignment, Graph
    from waved.plan.models import Agent, Check, Gate, Plan, Wave
    from waved.plan.timeline import Bar, Timeline

_MOST_BARS = 60
_BASIS = {
    "timeout": "half its timeout, as no `expect` is given",
    "assumed": "5m assumed, as neither `expect` nor `timeout` is given",
}
_MARK = {"expect": " ", "timeout": "~", "assumed": "?"}


def draw(plan: Plan, paint: Paint, width: int) -> list[str]:
    """The whole picture, as lines of at most `width` columns."""
    from waved.plan.graph import build
    from waved.plan.timeline import expected

    graph, timeline = build(plan), expected(plan)
    count = len(graph.assignments)
    told = f"{_many(len(plan.waves), 'wave')}, {_many(len({a.agent for a in graph.assignments.values()}), 'agent')}"
    if count > len({a.agent for a in graph.assignments.values()}):
        told += f", {count} assignments"
    lines = [f"{paint(plan.session.name, 'bold')}  {told}", ""]
    for index, wave in enumerate(plan.waves):
        lines += _wave(wave, graph, index, paint, width)
        lines.append(paint("  │", "dim") if index < len(plan.waves) - 1 else "")
    lines += draw_timeline(timeline, paint, width)
    return [cut(line, width) for line in lines]


def draw_timeline(timeline: Timeline, paint: Paint, width: int) -> list[str]:
    """The same assignments one after another, and in parallel, on one scale."""
    from waved.plan.quantities import format_duration

    before, after = format_duration(timeline.sequential), format_duration(timeline.parallel)
    lines = [f"{paint('one after another', 'bold')}  {before}"]
    lines += _bars(timeline.one_by_one, timeline.sequential, paint, width, "yellow")
    saved = paint(f"  {timeline.saved:.0%} faster", "green") if timeline.saved >= 0.005 else ""
    lines += ["", f"{paint('in parallel', 'bold')}  {after}{saved}"]
    lines += _bars(sorted(timeline.bars, key=lambda bar: bar.start), timeline.sequential, paint, width, "green")
    used = [basis for basis in _BASIS if any(bar.basis == basis for bar in timeline.bars)]
    return lines + ([""] if used else []) + [paint(f"  {_MARK[basis]} {_BASIS[basis]}", "dim") for basis in used]


def _wave(wave: Wave, graph: Graph, index: int, paint: Paint, width: int) -> Iterator[str]:
    from waved.plan.quantities import format_duration

    limits = [f"at most {format_duration(wave.timeout)}"] if wave.timeout else []
    limits += [] if wave.parallel else ["one at a time"]
    title = f"wave {index + 1}  {paint(wave.name, 'bold', 'cyan')}"
    yield f"{title}  {paint(', '.join(limits), 'dim')}".rstrip()
    agents = {agent.name: agent for agent in wave.agents}
    rows = list(_tree(graph, index))
    names = max(len(prefix) + len(key) for prefix, key, _ in rows)
    names = min(names, max(20, width // 2))
    for prefix, key, others in rows:
        assignment = graph.assignments[key]
        label = cut(prefix + key, names)
        detail = _detail(agents[assignment.agent], assignment, others)
        first, *more = wrap(detail, max(20, width - names - 4), break_on_hyphens=False)
        yield f"  {pad(label, names)}  {paint(first, 'dim')}"
        beside = prefix.replace("├▶", "│ ").replace("└▶", "  ").replace("●", " ")
        yield from (f"  {pad(beside, names)}  {paint(line, 'dim')}" for line in more)
    yield f"  {paint('gate', 'bold')}  {_gate(wave.gate, wave.agents)}"


def _tree(graph: Graph, index: int) -> Iterator[tuple[str, str, list[str]]]:
    """(lines of the tree, assignment, what else it waits for) of a wave; each hangs below its last requirement."""
    here = {key: number for number, key in enumerate(graph.waves[index])}
    depth: dict[str, int] = {}
    needed = {key: [each for each in graph.assignments[key].requires if each in here] for key in here}
    while len(depth) < len(here):
        for key in here:
            if key not in depth and all(each in depth for each in needed[key]):
                depth[key] = 1 + max((depth[each] for each in needed[key]), default=-1)
    below: dict[str, list[str]] = {}
    for key in here:
        if needed[key]:
            parent = max(needed[key], key=lambda each: (depth[each], here[each]))
            needed[key].remove(parent)
            below.setdefault(parent, []).append(key)
    roots = [key for key in here if depth[key] == 0]
    pending = [("", "● ", key) for key in reversed(roots)]
    while pending:
        indent, branch, key = pending.pop()
        yield indent + branch, key, needed[key]
        deeper = indent + {"● ": "  ", "└▶ ": "   ", "├▶ ": "│  "}[branch]
        children = below.get(key, [])
        for child in reversed(children):
            pending.append((deeper, "└▶ " if child == children[-1] else "├▶ ", child))


def _detail(agent: Agent, assignment: Assignment, others: Sequence[str]) -> str:
    words = [agent.program]
    if assignment.tasks and assignment.key == assignment.agent:
        words.append(("task: " if len(assignment.tasks) == 1 else "tasks: ") + ", ".join(assignment.tasks))
    if others:
        words.append("and after " + ", ".join(others))
    if agent.critical:
        words.append("critical")
    return " · ".join(words)


def _gate(gate: Gate, agents: Sequence[Agent]) -> str:
    checks = [output.path for agent in agents for output in agent.produces]
    checks += [output.path for output in gate.outputs]
    words = [_short(checks, "output")] if checks else []
    words += [_label(check) for check in gate.commands]
    if not words:
        return "all agents succeed (nothing is checked: unverified)"
    then = {"stop": "else stop", "continue": "else go on", "retry": f"else retry, {_times(gate.retries)}"}
    return " · ".join([*words, then[gate.on_failure]])


def _short(paths: Sequence[str], what: str) -> str:
    return paths[0] if len(paths) == 1 else _many(len(paths), what)


def _label(check: Check) -> str:
    return " ".join(check.label.split())


def _times(count: int) -> str:
    return "once" if count == 1 else "twice" if count == 2 else f"{count} times"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _bars(bars: Sequence[Bar], whole: float, paint: Paint, width: int, colour: str) -> Iterator[str]:
    from waved.plan.quantities import format_duration

    shown = bars[:_MOST_BARS]
    if not shown or whole <= 0:
        return
    names = min(max(len(bar.assignment) for bar in shown), max(12, width // 3))
    room = max(10, width - names - 13)
    for bar in shown:
        first = min(round(bar.start / whole * room), room - 1)
        last = max(first + 1, round(bar.end / whole * room))
        drawn = " " * first + "█" * (last - first)
        length = _MARK[bar.basis] + format_duration(bar.end - bar.start)
        yield f"  {pad(cut(bar.assignment, names), names)} |{paint(pad(drawn, room), colour)}| {length}"
    if len(bars) > len(shown):
        yield paint(f"  … and {len(bars) - len(shown)} more", "dim")
