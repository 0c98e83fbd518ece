"""Following a session in front of a person (`run`, `deploy`, `watch`): what is shown, Ctrl-C, the summary."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import click

from wavectl.absence import Absence
from wavectl.client import Client
from wavectl.cursor import Cursor, Event
from wavectl.outcomes import exit_status, is_settled
from wavectl.views.text import Paint, width
from waved.errors import ConflictError, ExitStatus, WavedError

View = dict[str, Any]
SUMMARY_WAIT = 2.0
"""Seconds the summary waits for the report, so that its checklist has it."""
REPORT_WAIT = 10.0
"""Seconds after it that it waits to say where the report is."""
_TAIL_LINES = 8


class Presenter(Protocol):
    """Who shows a session while it runs."""

    def wants_view(self, events: list[Event]) -> bool:
        """Whether `show` is to be given the session view with these new events."""

    def open(self) -> None:
        """Begin to show, or go on after `close`."""

    def close(self) -> None:
        """Leave the terminal alone."""

    def show(self, events: list[Event], view: View | None) -> None:
        """Show what is new."""

    def finish(self, view: View, client: Client) -> None:
        """Say how it ended."""


class PlainPresenter:
    """A line for each event that matters, then the summary."""

    def __init__(self) -> None:
        from wavectl.views.lines import Narrator

        self._narrator = Narrator(Paint.on())
        self._ended: list[str] = []
        """Waves that have ended, whose checklists are yet to be shown."""

    def wants_view(self, events: list[Event]) -> bool:
        """For the checklist of a wave that has ended."""
        return bool(self._ended) or any(event["kind"] == "wave.ended" for event in events)

    def open(self) -> None:
        """Nothing to prepare."""

    def close(self) -> None:
        """Nothing to put back."""

    def show(self, events: list[Event], view: View | None) -> None:
        """Print a line for each event that has something to say, and the checklist of a wave that has ended."""
        from wavectl.views.checklists import in_full, of_wave

        for event in events:
            line = self._narrator.tell(event)
            if line is not None:
                click.echo(line)
            if event["kind"] == "wave.ended":
                self._ended.append(event["data"]["wave"])
        if view is None:
            return
        for wave in dict.fromkeys(self._ended):
            if (ticked := of_wave(view, wave)) is not None:
                for line in in_full(ticked, Paint.on()):
                    click.echo(f"  {line}")
        self._ended.clear()

    def finish(self, view: View, client: Client) -> None:
        """Print the summary."""
        print_summary(view, client)


class LivePresenter:
    """A terminal: finished waves scroll away, the rest is drawn over and over; then the summary."""

    def __init__(self) -> None:
        from wavectl.views.live import LiveView

        self._live = LiveView(Paint.on())

    def wants_view(self, events: list[Event]) -> bool:  # noqa: ARG002 — as Presenter
        """Always: that is what is drawn."""
        return True

    def open(self) -> None:
        """Start drawing."""
        self._live.open()

    def close(self) -> None:
        """Stop drawing."""
        self._live.close()

    def show(self, events: list[Event], view: View | None) -> None:  # noqa: ARG002 — as Presenter
        """Draw the newer view."""
        if view is not None:
            self._live.show(view)

    def finish(self, view: View, client: Client) -> None:
        """Print the summary where the drawing was."""
        self._live.close()
        print_summary(view, client)


class JsonPresenter:
    """Each event as a line of JSON, and at last `{"kind": "summary", "session": …, "view": {…}}`."""

    def wants_view(self, events: list[Event]) -> bool:  # noqa: ARG002 — as Presenter
        """Never: events are all that is told."""
        return False

    def open(self) -> None:
        """Nothing to prepare."""

    def close(self) -> None:
        """Nothing to put back."""

    def show(self, events: list[Event], view: View | None) -> None:  # noqa: ARG002 — as Presenter
        """Print the events."""
        import json

        for event in events:
            click.echo(json.dumps(event, ensure_ascii=False))

    def finish(self, view: View, client: Client) -> None:  # noqa: ARG002 — as Presenter
        """Print the view."""
        import json

        click.echo(json.dumps({"kind": "summary", "session": view["session"], "view": view}, ensure_ascii=False))


def presenter_for(*, as_json: bool, plain: bool) -> Presenter:
    """The way to show a session that fits what stdout is."""
    if as_json:
        return JsonPresenter()
    if plain or not sys.stdout.isatty():
        return PlainPresenter()
    return LivePresenter()


def follow(client: Client, session: str, presenter: Presenter, ask: Callable[[], str] | None = None) -> ExitStatus:
    """Show a session until it has ended, is held with nothing running, or the person leaves; returns the exit status.

    `ask`: what to do on Ctrl-C ("detach", "stop" or "continue"); asks at the terminal by default.
    """
    cursor = Cursor(session)
    asking = ask or ask_at_terminal
    absence = Absence(client)
    try:
        while True:
            try:
                presenter.open()
                view = _to_the_end(client, cursor, presenter, absence)
                presenter.finish(view, client)
                return exit_status(view)
            except KeyboardInterrupt:
                answer = _answer(presenter, asking)
                if answer == "detach":
                    rejoin = f"wavectl watch {cursor.session}"
                    click.echo(f"detached: session {cursor.session} goes on; rejoin with `{rejoin}`", err=True)
                    return ExitStatus.DETACHED
                if answer == "stop":
                    with suppress(ConflictError):  # it ended while we asked
                        client.stop(cursor.session, reason="Ctrl-C")
    finally:
        presenter.close()


def _answer(presenter: Presenter, ask: Callable[[], str]) -> str:
    try:
        presenter.close()
        return ask()
    except KeyboardInterrupt:
        return "detach"


def _to_the_end(client: Client, cursor: Cursor, presenter: Presenter, absence: Absence) -> View:
    if cursor.after:  # not the first time: it may be over by now, and is to be drawn again in any case
        view = client.status(cursor.session, patience=client.reconnect)
        presenter.show([], view)
        if cursor.caught_up and (cursor.ended or cursor.held) and is_settled(view):
            return view
    for batch in client.batches(cursor):
        absence.over()
        view = {}
        if batch and cursor.caught_up and presenter.wants_view(batch):
            view = client.status(cursor.session, patience=client.reconnect)
        presenter.show(batch, view or None)
        if cursor.caught_up and (cursor.ended or cursor.held):
            view = client.status(cursor.session, patience=client.reconnect)
            if is_settled(view):
                return view
    return client.status(cursor.session, patience=client.reconnect)


def ask_at_terminal() -> str:
    """Ask what Ctrl-C is to mean; a second Ctrl-C, and no terminal to ask at, mean "detach"."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return "detach"
    answers = {"d": "detach", "s": "stop", "c": "continue"}
    with _single_keys():
        click.echo("\n[d]etach (the session goes on), [s]top it, or [c]ontinue to watch? ", nl=False, err=True)
        while key := os.read(sys.stdin.fileno(), 1):
            answer = answers.get(key.decode("ascii", "replace").lower())
            if answer:
                click.echo(answer, err=True)
                return answer
    return "detach"


@contextmanager
def _single_keys() -> Iterator[None]:
    """The terminal hands over each key at once, unseen. (click.getchar would throw away what was typed before.)"""
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)


def print_summary(view: View, client: Client) -> None:
    """The summary, with the last lines of output of what failed."""
    from wavectl.outputs import tail
    from wavectl.views.summary import MOST_FAILURES, failures_of, summary

    view = _with_report(view, client, SUMMARY_WAIT)
    tails: dict[str, list[str]] = {}
    folder = ""
    for failure in failures_of(view)[:MOST_FAILURES]:
        if failure["run"]:
            with suppress(WavedError):  # the output may be gone; the summary is not worth less for it
                tails[failure["run"]] = tail(client, view["session"], failure["run"], _TAIL_LINES)
    with suppress(WavedError):
        folder = f"{client.daemon_status()['state_dir']}/sessions/{view['session']}/runs"
    click.echo()
    for line in summary(view, Paint.on(), width(), tails, folder):
        click.echo(line)
    _name_report(view, client)


def _name_report(view: View, client: Client) -> None:
    """Where the report is. It is written right after the end, beside the daemon; an impatient person has Ctrl-C."""
    from wavectl.views.report import report_lines

    for line in report_lines(_with_report(view, client, REPORT_WAIT), Paint.on()):
        click.echo(line)


def _with_report(view: View, client: Client, seconds: float) -> View:
    """The view when the report is written; the same if none is, or it takes longer than this."""
    if not view.get("report") or view["report"]["state"] != "writing":
        return view
    params = {
        "session": view["session"], "kinds": ["report.written"], "after": view["last_seq"], "limit": 1, "wait": seconds,
    }  # fmt: skip
    with suppress(WavedError, KeyboardInterrupt):
        client.request("events.read", params, wait=seconds)
        return client.status(view["session"])
    return view
