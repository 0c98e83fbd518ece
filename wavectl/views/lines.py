"""One plain line for each event that matters to a person: `run --plain`, and `run` when stdout is no terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wavectl.cursor import Event
from wavectl.views.checklist import item_line
from wavectl.views.guards import finding_text, frozen_text, reaction_text, restored_text
from wavectl.views.text import Paint, first_line, one_line, pad
from wavectl.views.words import coloured, glyph
from waved.amounts import lasting

_NAME_WIDTH = 24


class Narrator:
    """Turns events into lines; remembers what later events refer to (whose run, since when)."""

    KINDS = (
        "session.submitted", "checklist.checked", "session.stop-requested", "session.held", "session.resumed",
        "session.retried", "session.ended", "wave.started", "wave.retried", "wave.ended", "check.ended", "run.starting",
        "run.started", "run.ended", "retry.scheduled", "assignment.ended", "finding.made", "finding.cleared",
        "reaction.started", "reaction.ended", "run.freeze-requested", "run.frozen", "run.thawing", "run.stalled",
        "restore.ended", "snapshot.taken", "alert.raised", "alert.sent", "preview.up", "preview.down",
        "provider.limited",
    )  # fmt: skip
    """Kinds of events that have something to say, or that later ones refer to."""

    def __init__(self, paint: Paint, names: int = _NAME_WIDTH) -> None:
        self._paint = paint
        self._names = names
        """Columns for who or what a line is about."""
        self._start: float | None = None
        self._runs: dict[str, dict[str, Any]] = {}
        self._started: dict[str, float] = {}
        self._took: dict[str, float] = {}
        """Seconds of the last run, by assignment."""
        self._tells: dict[str, Callable[[Event], str | None]] = {
            "session.submitted": self._submitted,
            "checklist.checked": lambda event: item_line(event["data"], paint),
            "session.stop-requested": lambda event: self._session("stopping", event),
            "session.held": lambda event: self._session("held", event),
            "session.resumed": lambda event: self._session("running", event),
            "session.retried": self._session_retried,
            "session.ended": lambda event: self._session(event["data"]["outcome"], event),
            "wave.started": self._wave,
            "wave.retried": self._wave_retried,
            "wave.ended": self._wave,
            "check.ended": self._check_ended,
            "run.starting": self._run_starting,
            "run.started": self._run_started,
            "run.ended": self._run_ended,
            "provider.limited": self._limited,
            "retry.scheduled": self._retry,
            "assignment.ended": self._assignment_ended,
            "finding.made": self._finding,
            "finding.cleared": self._cleared,
            "reaction.started": lambda event: self._guard("backing-off", "reaction", reaction_text(event["data"])),
            "reaction.ended": self._reaction_ended,
            "run.frozen": lambda event: self._of_run(event, frozen_text(event["data"])),
            "run.freeze-requested": lambda event: self._of_run(event, "is to stand still"),
            "run.thawing": lambda event: self._of_run(event, "goes on"),
            "run.stalled": lambda event: self._of_run(event, "shows no sign of progress"),
            "restore.ended": lambda event: self._guard(
                "passed" if event["data"]["ok"] else "failed", "rollback", restored_text(event["data"])
            ),
            "snapshot.taken": self._snapshot,
            "alert.raised": lambda event: self._guard("held", "alert", one_line(event["data"]["text"])),
            "alert.sent": self._alert_sent,
            "preview.up": lambda event: self._guard(
                "passed", "preview", f"answers at {one_line(event['data']['url'])}"
            ),
            "preview.down": lambda event: self._guard(
                "failed", "preview", f"is down: {first_line(event['data']['reason'])}"
            ),
        }

    def know(self, view: dict[str, Any]) -> None:
        """Learn from a session view what events before it said: when the session began, whose runs go on."""
        self._start = view["submitted"]
        for wave in view["waves"]:
            for assignment in wave["assignments"]:
                for run in assignment["runs"][-1:]:
                    if run["state"] != "ended":
                        names = {"assignment": assignment["key"], "agent": assignment["agent"], "purpose": "agent"}
                        self._runs.setdefault(run["run"], {**names, "run": run["run"], "attempt": run["attempt"]})
                        if run["started"] is not None:
                            self._started.setdefault(run["run"], run["started"])
        for one in view.get("responders", ()):
            if one["state"] != "ended":
                run = one["runs"][-1]
                names = {"assignment": "", "agent": one["agent"], "purpose": "responder", "reaction": one["reaction"]}
                self._runs.setdefault(run["run"], {**names, "run": run["run"], "attempt": run["attempt"]})

    def tell(self, event: Event) -> str | None:
        """The line for an event, with the time since the session was submitted; None when there is nothing to say."""
        if self._start is None:
            self._start = event["time"]
        tell = self._tells.get(event["kind"])
        text = tell(event) if tell else None
        if text is None:
            return None
        since = f"{max(0.0, event['time'] - self._start):.2f}s"
        return f"{self._paint(pad(since, 9, right=True), 'dim')}  {text}"

    def _line(self, word: str, name: str, text: str, reason: str = "") -> str:
        said = f"{glyph(word, self._paint)} {pad(one_line(name), self._names)}  {text}"
        return said + (f": {first_line(reason)}" if reason else "")

    def _submitted(self, event: Event) -> str:
        data = event["data"]
        waves = data["plan"].get("wave", [])
        agents = sum(len(wave.get("agent", ())) for wave in waves)
        name = data["plan"].get("session", {}).get("name", "")
        text = f"submitted as {event['session']}: {_count(len(waves), 'wave')}, {_count(agents, 'agent')}"
        return self._line("starting", name, f"{text}, on {one_line(data['workspace'])}")

    def _session(self, word: str, event: Event) -> str:
        return self._line(word, "session", coloured(word, self._paint), event["data"].get("reason", ""))

    def _guard(self, word: str, name: str, text: str) -> str:
        return self._line(word, name, text)

    def _of_run(self, event: Event, text: str) -> str:
        run = self._runs.get(event["data"]["run"], {})
        return self._line("held", run.get("assignment") or run.get("agent") or event["data"]["run"], text)

    def _finding(self, event: Event) -> str:
        data = event["data"]
        word = "failed" if data["severity"] == "critical" else "held"
        return self._line(word, f"finding {data['finding']}", finding_text(data))

    def _cleared(self, event: Event) -> str:
        data = event["data"]
        return self._line("passed", f"finding {data['finding']}", "cleared", data["reason"])

    def _reaction_ended(self, event: Event) -> str | None:
        data = event["data"]
        return None if data["ok"] else self._line("failed", f"reaction {data['reaction']}", "failed", data["detail"])

    def _snapshot(self, event: Event) -> str | None:
        data = event["data"]
        if data["error"]:
            return self._line("failed", f"snapshot {data['snapshot']}", "not taken", data["error"])
        if data["skipped_total"]:
            text = f"{_count(data['skipped_total'], 'file')} not kept"
            return self._line("held", f"snapshot {data['snapshot']}", text, data["skipped"][0])
        return None

    def _alert_sent(self, event: Event) -> str | None:
        data = event["data"]
        return None if data["ok"] else self._line("failed", f"alert by {data['target']}", "not sent", data["detail"])

    def _session_retried(self, event: Event) -> str:
        data = event["data"]
        return self._line("backing-off", "session", "again: " + ", ".join(data["assignments"]))

    def _wave(self, event: Event) -> str:
        data = event["data"]
        word = data.get("outcome", "running")
        said = self._paint(data.get("outcome", "started"), "bold")
        return self._line(word, f"wave {data['wave']}", said, data.get("reason", ""))

    def _wave_retried(self, event: Event) -> str:
        data = event["data"]
        again = ", ".join(data["assignments"])
        return self._line(
            "backing-off", f"wave {data['wave']}", f"gate failed, attempt {data['gate_attempt']}: {again}"
        )

    def _check_ended(self, event: Event) -> str | None:
        data = event["data"]
        if data["ok"] and data["name"] == "guards":
            return None  # every assignment has it; what guards find has lines of its own
        word = "passed" if data["ok"] else "failed"
        return self._line(word, data["name"] or "check", f"check {coloured(word, self._paint)}", data["detail"])

    def _run_starting(self, event: Event) -> None:
        data = event["data"]
        self._runs[data["run"]] = data

    def _run_started(self, event: Event) -> str | None:
        data = event["data"]
        self._started[data["run"]] = data["exec_time"]
        run = self._runs.get(data["run"], {})
        if run.get("purpose") not in ("agent", "responder"):
            return None
        again = f", attempt {run['attempt']}" if run["attempt"] > 1 else ""
        return self._line("running", _who(run), f"started (pid {data['pid']}){again}")

    def _run_ended(self, event: Event) -> str | None:
        data = event["data"]
        run = self._runs.pop(data["run"], None)
        started = self._started.pop(data["run"], None)
        took = data["end_time"] - started if started is not None and data["end_time"] else None
        if run is None:
            return None
        if run["purpose"] == "responder":
            good = data["outcome"] == "exited" and (
                data["exit_code"] == 0 if data["judged"] is None else data["judged"]
            )
            word = "succeeded" if good else "failed"
            said = coloured(word, self._paint) + (f" after {lasting(took)}" if took is not None else "")
            return self._line(word, _who(run), said, "" if good else data["reason"])
        if took is not None:
            # Said with what follows from it: the assignment's end, or its next attempt.
            self._took[run["assignment"]] = took
        return None

    def _responder_ended(self, run: dict[str, Any], data: dict[str, Any], took: float | None) -> str:
        judged = data.get("judged")
        good = data["outcome"] == "exited" and (data.get("exit_code") == 0 if judged is None else judged)
        word = "succeeded" if good else "failed"
        said = coloured(word, self._paint) + (f" after {lasting(took)}" if took is not None else "")
        return self._line(word, _who(run), said, "" if good else data["reason"])

    def _retry(self, event: Event) -> str:
        data = event["data"]
        wait = lasting(max(0.0, data["at"] - event["time"]))
        return self._line("backing-off", data["assignment"], f"attempt {data['attempt']} in {wait}", data["reason"])

    def _limited(self, event: Event) -> str:
        data = event["data"]
        wait = lasting(max(0.0, data["until"] - event["time"]))
        return self._line("held", one_line(data["provider"]), f"takes no calls for {wait}", data["reason"])

    def _assignment_ended(self, event: Event) -> str:
        data = event["data"]
        word = data["outcome"]
        took = self._took.pop(data["assignment"], None)
        said = coloured(word, self._paint) + (f" after {lasting(took)}" if took is not None else "")
        note = " (unverified)" if word == "succeeded" and not data["verified"] else ""
        return self._line(word, data["assignment"], said + note, data["reason"])


def _who(run: dict[str, Any]) -> str:
    """An assignment, or a responder with what has started it: "medic@r2"."""
    return run["assignment"] or f"{run['agent']}@{run['reaction']}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
