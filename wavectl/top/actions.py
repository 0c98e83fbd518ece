"""What a person can have done, and what is said before: each question names what will happen, to whom."""

from __future__ import annotations

from typing import Any

from wavectl.top.looking import Action, Dialog, Wish
from wavectl.top.rows import FAILING, Row
from wavectl.views.guards import finding_text
from wavectl.views.text import one_line

View = dict[str, Any]
_MOST_NAMED = 8
_LIVE = frozenset({"running", "starting", "frozen", "stopping", "checking"})


def nothing(title: str, *lines: str) -> Dialog:
    """It makes no sense, and why."""
    return Dialog(title, lines, bad=True)


def _ask(title: str, lines: list[str], method: str, params: dict[str, Any], said: str) -> Dialog:
    return Dialog(title, tuple(lines), Wish("do", action=Action(method, params, said)))


def _named(names: list[str]) -> str:
    shown = ", ".join(map(one_line, names[:_MOST_NAMED]))
    return shown + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")


def stop_session(view: View) -> Dialog:
    """The session, or what a list shows of it."""
    name = f"{one_line(view['name'])} ({view['session']})"
    if view["state"] == "ended":
        return nothing(f"session {name} has ended", f"outcome: {view['outcome']}")
    agents = view["agents"]
    lines = [
        f"{agents['running']} running agents are ended, whole process trees; {agents['waiting']} waiting ones are not "
        "started. What they changed stays in the workspace."
    ]
    return _ask(
        f"stop session {name}?", lines, "session.stop", {"session": view["session"], "agent": "", "reason": ""},
        f"stopping session {name}",
    )  # fmt: skip


def stop_agent(view: View, row: Row) -> Dialog:
    """One agent."""
    if row.word not in _LIVE and row.word not in ("waiting", "ready", "backing-off"):
        return nothing(f"{row.key} has ended", f"it {row.word}; r runs it again" if row.word in FAILING else row.word)
    what = "its whole process tree is ended" if row.word in _LIVE else "it will not be started"
    lines = [f"{row.key} is {row.word}: {what}, and it counts as stopped. What it changed stays; b brings files back."]
    params = {"session": view["session"], "agent": row.key, "reason": ""}
    return _ask(f"stop agent {row.key}?", lines, "session.stop", params, f"stopping agent {row.key}")


def retry(view: View, rows: list[Row]) -> Dialog:
    """These, as far as they did not succeed; none given: all that failed."""
    failed = [row for row in rows if row.word in FAILING or row.word == "skipped"]
    if not failed:
        whose = rows[0].key if len(rows) == 1 else "nothing"
        return nothing("nothing to retry", f"{whose} has failed, was stopped or skipped")
    names = [row.key for row in failed]
    lines = [f"Started again, with what failed in their prompt: {_named(names)}."]
    if view["state"] == "ended":
        lines.append("The session has ended: it is opened again at their wave, and what follows it runs again.")
    params = {"session": view["session"], "agents": names if len(rows) == 1 else []}
    return _ask(f"run {_count(len(names), 'agent')} again?", lines, "session.retry", params, f"again: {_named(names)}")


def freeze(view: View, rows: list[Row]) -> Dialog:
    """Freeze what runs; thaw instead when a person has frozen it. One row: that agent; more: all of them."""
    still = [row for row in rows if row.by_person]
    if still:
        names = [row.key for row in still]
        params = {"session": view["session"], "agents": names}
        return _ask(
            f"thaw {_count(len(names), 'agent')}?", [f"They go on where they stood: {_named(names)}."],
            "session.thaw", params, f"thawed: {_named(names)}",
        )  # fmt: skip
    running = [row for row in rows if row.word in ("running", "starting")]
    if not running:
        return nothing("nothing to freeze", f"{rows[0].key} is {rows[0].word}" if len(rows) == 1 else "nothing runs")
    names = [row.key for row in running]
    lines = [f"All processes of {_named(names)} stand still until they are thawed (f or F again).",
             "Their own time limit stands still too; those of wave and session go on."]  # fmt: skip
    params = {"session": view["session"], "agents": names}
    return _ask(f"freeze {_count(len(names), 'agent')}?", lines, "session.freeze", params, f"frozen: {_named(names)}")


def approve(view: View, finding: str) -> Dialog:
    """What was found is as it should be; `finding` "": all that is open."""
    still = [one for one in view.get("findings", ()) if one["cleared"] is None and finding in ("", one["finding"])]
    if not still:
        return nothing("nothing to approve", f"{finding} was cleared" if finding else "no finding is open")
    lines = [f"{one['finding']} {finding_text(one)}" for one in still[:_MOST_NAMED]]
    if len(still) > _MOST_NAMED:
        lines.append(f"… and {len(still) - _MOST_NAMED} more")
    lines += ["", "They count as right: their monitor is silent until the file changes again."]
    if view["state"] == "held":
        lines.append("The session is held; it goes on if it is held for nothing else.")
    params = {"session": view["session"], "finding": finding}
    return _ask(f"approve {_count(len(still), 'finding')}?", lines, "session.approve", params, "approved")


def resume(view: View) -> Dialog:
    """A held session goes on."""
    if view["state"] != "held":
        return nothing("the session is not held", f"it is {view['state']}")
    lines = [
        f"It is held: {one_line(view['reason'])}",
        "What was lost counts as failed; what is frozen for this goes on.",
    ]
    return _ask("let the session go on?", lines, "session.resume", {"session": view["session"]}, "the session goes on")


def rollback(view: View, agent: str, finding: dict[str, Any] | None) -> Dialog:
    """What can be rolled back; the daemon is asked then what that would change."""
    session = view["session"]

    def wish(scope: str, *targets: str) -> Wish:
        params = {"session": session, "scope": scope, "targets": [*targets], "snapshot": ""}
        what = {"wave": "the wave", "session": "the session"}.get(scope, " ".join(targets))
        return Wish("dry", action=Action("session.rollback", params, f"rolled back: {what}"))

    choices: list[tuple[str, str, Wish | Dialog]] = []
    if finding is not None and finding["path"]:
        choices.append(("f", f"the file {one_line(finding['path'])}", wish("file", finding["path"])))
    if agent:
        choices.append(("a", f"all that {one_line(agent)} changed since its run began", wish("agent", agent)))
    if view["wave"] and view["state"] != "ended":
        choices.append(("w", f"all since wave {one_line(view['wave'])} began", wish("wave", view["wave"])))
    choices.append(("s", "all since the session began", wish("session")))
    lines = ("What it would change is said before anything is done.",)
    return Dialog("roll back", lines, choices=tuple(choices))


def rollback_question(action: Action, plan: dict[str, Any]) -> Dialog:
    """What a rollback would do, as the daemon said (`dry`)."""
    scope, targets = action.params["scope"], ", ".join(map(one_line, action.params["targets"]))
    what = "the session" if scope == "session" else f"{scope} {targets}"
    if not plan["total"]:
        return nothing(f"roll back {what}", "nothing differs from that snapshot" + _to(plan))
    lines = [f"{_count(plan['total'], 'file')} would go back{_to(plan)}:"]
    lines += [f"  {one_line(path)}" for path in plan["files"][:10]]
    if plan["total"] > 10:
        lines.append(f"  … and {plan['total'] - 10} more")
    if plan["live"]:
        lines.append("Agents that may write there stand still meanwhile; those whose work goes back start again.")
    lines.append("What is there now is kept first: `wavectl snapshots restore` brings it back.")
    return Dialog(f"roll back {what}?", tuple(lines), Wish("do", action=action))


def _to(plan: dict[str, Any]) -> str:
    return f" to {one_line(plan['to'])}" if plan.get("to") else ""


def told(action: Action, reply: dict[str, Any]) -> str:
    """What is said when it was done."""
    if reply.get("failed"):
        return f"{len(reply['failed'])} files could not be brought back: {one_line(str(reply['failed'][0]))}"
    if reply.get("reactions"):
        return f"rollback begun: {', '.join(reply['reactions'])}"
    return action.said


def refused(message: str, hint: str) -> Dialog:
    """The daemon would not."""
    return Dialog("not done", tuple(one_line(text) for text in (message, hint) if text), bad=True)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
