"""`wavectl logs`: what agents (and the checks of gates) printed, of several at once in the order they printed it."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from wavectl.commands.options import complete_session, connect, json_option, session_and_agents

if TYPE_CHECKING:
    from wavectl.activity import Teller
    from wavectl.client import Client
    from wavectl.outputs import Line, RunOutput

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
"""Seconds between looks for new output: short while there is some, longer when nothing comes."""


@click.command(name="logs")
@click.argument("words", nargs=-1, metavar="[SESSION] [AGENT]", shell_complete=complete_session)
@click.option("--follow", "-f", is_flag=True, help="Go on until the session has ended.")
@click.option("--attempt", type=click.IntRange(min=1), metavar="N", help="Of this attempt (default: the last).")
@click.option("--stdout", "only", flag_value="stdout", help="Only standard output.")
@click.option("--stderr", "only", flag_value="stderr", help="Only standard error.")
@click.option("--timestamps", "-t", is_flag=True, help="Before each line, when it was printed.")
@click.option("--lines", "as_lines", is_flag=True, help="What agent programs printed, line by line, not made readable.")
@click.option("--raw", is_flag=True, help="The bytes as they were printed: no names, nothing made safe for terminals.")
@click.option("--tail", "last", type=click.IntRange(min=0), metavar="N", help="Only the last N lines of each.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    words: tuple[str, ...],
    follow: bool,
    attempt: int | None,
    only: str | None,
    timestamps: bool,
    as_lines: bool,
    raw: bool,
    last: int | None,
    as_json: bool,
) -> None:
    """Show what the agents of SESSION (the newest if not given) printed, or one AGENT (assignment, check) of it."""
    if len(words) > 2:
        raise click.UsageError("at most one session and one agent", ctx)
    if raw and (timestamps or as_json):
        raise click.UsageError("--raw goes with neither --timestamps nor --json", ctx)
    from wavectl.outputs import BOTH, STDERR, STDOUT

    client = connect(ctx)
    view, agents = session_and_agents(client, words)
    streams = {"stdout": frozenset({STDOUT}), "stderr": frozenset({STDERR})}.get(only or "", BOTH)
    chosen = Chosen(view["session"], agents[0] if agents else "", attempt, streams, follow)
    chosen.told = not (as_lines or raw or as_json)
    chosen.must_exist(view)
    if raw:
        printer: Printer = RawPrinter()
    elif as_json:
        printer = JsonPrinter()
    else:
        printer = LinePrinter(chosen.labels(view), timestamps=timestamps)
    _show(client, view, chosen, printer, last)


@dataclass(slots=True)
class Chosen:
    """Whose output is wanted."""

    session: str
    agent: str
    attempt: int | None
    streams: frozenset[int]
    follow: bool
    told: bool = False
    """What agent programs print is made readable."""
    seen: set[str] = field(default_factory=set)

    def runs(self, view: dict[str, Any]) -> list[tuple[str, str]]:
        """(label, run id) of each run wanted and not returned before."""
        found = []
        for label, names, runs in _everyone(view):
            if self.agent and self.agent not in names:
                continue
            wanted = runs
            if self.attempt is not None:
                wanted = [run for run in runs if run["attempt"] == self.attempt]
            elif not self.seen.intersection(run["run"] for run in runs):
                wanted = runs[-1:]
            for run in wanted:
                if run["run"] not in self.seen:
                    self.seen.add(run["run"])
                    found.append((label, run["run"]))
        return found

    def labels(self, view: dict[str, Any]) -> list[str]:
        """Every label that can come up."""
        return [label for label, names, _ in _everyone(view) if not self.agent or self.agent in names]

    def must_exist(self, view: dict[str, Any]) -> None:
        """Raises NotFoundError, with a near match, when nobody is called so."""
        if not self.agent or self.labels(view):
            return
        from difflib import get_close_matches

        from waved.errors import NotFoundError

        names = [name for _, some, _ in _everyone(view) for name in some]
        near = get_close_matches(self.agent, names, n=1)
        hint = f'did you mean "{near[0]}"?' if near else "its agents: " + ", ".join(dict.fromkeys(names[:12]))
        raise NotFoundError(f'session {self.session} has no agent or check "{self.agent}"', hint)


def _everyone(view: dict[str, Any]) -> list[tuple[str, tuple[str, ...], list[dict[str, Any]]]]:
    """(label, names it answers to, runs) of every assignment, check and responder of a session."""
    found: list[tuple[str, tuple[str, ...], list[dict[str, Any]]]] = []
    for wave in view["waves"]:
        gates = []
        for assignment in wave["assignments"]:
            found.append((assignment["key"], (assignment["key"], assignment["agent"]), assignment["runs"]))
            gates.append((assignment["gate"], (assignment["agent"],)))
        for gate, owners in [*gates, (wave["gate"], ())]:
            for check in gate["checks"] if gate else ():
                if check["run"]:
                    run = {"run": check["run"], "attempt": 1}
                    found.append((check["name"], (check["name"], check["run"], *owners), [run]))
    found += [(one["key"], (one["key"], one["agent"]), one["runs"]) for one in view.get("responders", ())]
    return found


class Printer:
    """Who prints; `raw` ones get pieces, others lines."""

    raw = False

    def line(self, label: str, run: str, line: Line) -> None:
        """Print a line."""

    def piece(self, data: bytes) -> None:
        """Print bytes."""


class RawPrinter(Printer):
    """Bytes as they are."""

    raw = True

    def piece(self, data: bytes) -> None:
        """Write, at once."""
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


class JsonPrinter(Printer):
    """One object a line: {agent, run, time, stream, text}; stream: stdout, stderr, or waved (about missing output)."""

    def line(self, label: str, run: str, line: Line) -> None:
        """Print it."""
        import json

        stream = {0: "waved", 2: "stderr"}.get(line.stream, "stdout")
        item = {"agent": label, "run": run, "time": line.time, "stream": stream, "text": line.text}
        click.echo(json.dumps(item, ensure_ascii=False))


class LinePrinter(Printer):
    """Lines for a person: each agent's name before its lines when there are several, in its own colour."""

    def __init__(self, labels: list[str], *, timestamps: bool) -> None:
        from wavectl.views.text import PALETTE, Paint

        self._paint = Paint.on()
        self._timestamps = timestamps
        self._named = len(set(labels)) > 1
        self._width = min(24, max(map(len, labels), default=0))
        self._colours = {label: PALETTE[number % len(PALETTE)] for number, label in enumerate(dict.fromkeys(labels))}

    def line(self, label: str, run: str, line: Line) -> None:  # noqa: ARG002 — as Printer
        """Print it; control codes other than colours (on a terminal with colours) are taken out."""
        from wavectl.views.text import cut, one_line, pad, printable

        text = printable(line.text, colours=self._paint.enabled)
        if "\x1b" in text:
            text += "\x1b[0m"  # a colour the agent left open must not run on into the next line
        before = ""
        if self._timestamps:
            stamp = time.strftime("%H:%M:%S", time.localtime(line.time)) + f".{int(line.time % 1 * 1000):03d}"
            before = self._paint(stamp, "dim") + " "
        if self._named:
            name = pad(cut(one_line(label), self._width), self._width)
            before += self._paint(f"{name} |", self._colours.get(label, "")) + " "
        click.echo(before + text)


def _show(client: Client, view: dict[str, Any], chosen: Chosen, printer: Printer, last: int | None) -> None:
    from wavectl.outputs import merged

    outputs = _open(client, view, chosen, last)
    labels = {output.run: label for label, output in outputs}
    if printer.raw:
        for _, output in outputs:
            _drain(labels[output.run], output, printer)
    else:
        for run, line in merged({output.run: output for _, output in outputs}):
            printer.line(labels[run], run, line)
    if chosen.follow:
        _follow(client, view, chosen, printer, outputs)
    elif not printer.raw:
        for label, output in outputs:
            for line in output.rest():
                printer.line(label, output.run, line)


def _open(client: Client, view: dict[str, Any], chosen: Chosen, last: int | None) -> list[tuple[str, RunOutput]]:
    from wavectl.outputs import RunOutput, tail_offset

    patience = client.reconnect if chosen.follow else 0.0
    return [
        (
            label,
            RunOutput(
                client, chosen.session, run, streams=chosen.streams, patience=patience,
                teller=_teller(view, run) if chosen.told else None,
                offset=0 if last is None else tail_offset(client, chosen.session, run, last),
            ),
        )
        for label, run in chosen.runs(view)
    ]  # fmt: skip


def _teller(view: dict[str, Any], run: str) -> Teller | None:
    """Who tells what the agent program of that run prints; None for a plain command or a check."""
    from wavectl.views.used import everyone

    for one in everyone(view):
        if one["program"] != "command" and any(each["run"] == run for each in one["runs"]):
            from wavectl.activity import teller_for

            return teller_for(one["program"], view["workspace"])
    return None


def _follow(
    client: Client, view: dict[str, Any], chosen: Chosen, printer: Printer, outputs: list[tuple[str, RunOutput]]
) -> None:
    """Print what comes, of new runs too, until the session has ended and all is printed."""
    from wavectl.cursor import Cursor

    cursor = Cursor.at(view)
    pause = _SHORTEST_PAUSE
    over = view["state"] == "ended"
    while True:
        outputs = [(label, output) for label, output in outputs if not output.ended]
        came = [_drain(label, output, printer) for label, output in outputs]
        if over and all(output.ended or output.drained for _, output in outputs):
            return
        pause = _SHORTEST_PAUSE if any(came) else min(pause * 1.5, _LONGEST_PAUSE)
        # With nothing to read the daemon itself is waited for: a new run is an event.
        waiting = pause if outputs else 20.0
        reply = client.request("events.read", cursor.question(waiting), wait=waiting, patience=client.reconnect)
        if cursor.take(reply["events"], more=reply["more"]):
            view = client.status(chosen.session, patience=client.reconnect)
            outputs += _open(client, view, chosen, None)
            over = view["state"] == "ended"


def _drain(label: str, output: RunOutput, printer: Printer) -> bool:
    """Print all there is of one run; True if there was something."""
    came = False
    while True:
        if printer.raw:
            pieces = output.pieces()
            if said := output.missing():
                click.echo(said, err=True)
            for _, _, data in pieces:
                printer.piece(data)
            came = came or bool(pieces)
        else:
            lines = output.lines()
            for line in lines:
                printer.line(label, output.run, line)
            came = came or bool(lines)
        if output.drained or output.ended:
            return came
