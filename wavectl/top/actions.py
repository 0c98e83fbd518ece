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


def _standing(row: Row) -> str:
    return "done" if row.word == "succeeded" else row.word


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _whom(names: list[str]) -> str:
    """One by its name, several by how many they are."""
    return f"agent {one_line(names[0])}" if len(names) == 1 else _count(len(names), "agent")


def _named(names: list[str]) -> str:
    shown = ", ".join(map(one_line, names[:_MOST_NAMED]))
    return shown + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")


def of_agent(key: str, view: View, row: Row) -> Dialog | None:
    """What that key has done to one agent."""
    if row.responds:
        return _of_responder(key, view, row)
    still = [one for one in _open(view) if one["assignment"] == row.key]
    match key:
        case "s":
            return stop_agent(view, row)
        case "r":
            return retry(view, [row])
        case "f":
            return freeze(view, [row])
        case "a":
            return approve(view, still, row.key)
        case "b":
            return rollback(view, row.key, next((one for one in still if one["path"]), None))
    return None


def _of_responder(key: str, view: View, row: Row) -> Dialog | None:
    """It belongs to a reaction, which starts and ends it; what it was started for can be approved."""
    name = next((one["finding"] for one in view.get("responders", ()) if one["key"] == row.key), "")
    if key == "a":
        still = [one for one in _open(view) if one["finding"] == name]
        return (
            approve(view, still) if still else nothing("nothing to approve", f"{name or row.at} is not open any more")
        )
    if key in ("s", "r", "f", "b"):
        why = "a reaction has started it, and only the reaction starts and ends it: S stops the session"
        return nothing(f"{row.key} is no agent of a wave", f"{row.at}", why)
    return None


def of_wave(key: str, view: View, rows: list[Row]) -> Dialog | None:
    """What that key has done to a wave with these agents."""
    if not rows:
        return None
    match key:
        case "s":
            return stop_session(view)
        case "r":
            return retry(view, rows)
        case "f":
            return freeze(view, rows)
        case "a":
            names = {row.key for row in rows}
            return approve(view, [one for one in _open(view) if one["assignment"] in names], f"wave {rows[0].wave}")
    return rollback(view, "", None)


def _open(view: View) -> list[dict[str, Any]]:
    return [one for one in view.get("findings", ()) if one["cleared"] is None]


def stop_session(view: View) -> Dialog:
    """The session, or what a list shows of it."""
    name = f"{one_line(view['name'])} ({view['session']})"
    if view["state"] == "ended":
        return nothing(f"session {name} has ended", f"outcome: {view['outcome']}")
    agents = view["agents"]
    running, waiting = agents["running"], agents["waiting"]
    said = [
        *([f"{_count(running, 'running agent')} {_are(running)} ended, whole process trees"] if running else []),
        *([f"{_count(waiting, 'waiting agent')} {_are(waiting)} not started"] if waiting else []),
    ]
    lines = [f"{'; '.join(said) or 'Nothing more is started'}. What was changed stays in the workspace."]
    return _ask(
        f"stop session {name}?", lines, "session.stop", {"session": view["session"], "agent": "", "reason": ""},
        f"stopping session {name}",
    )  # fmt: skip


def stop_agent(view: View, row: Row) -> Dialog:
    """One agent."""
    if row.word not in _LIVE and row.word not in ("waiting", "ready", "backing-off"):
        how = f"{row.word}: {row.at}" if row.at and row.at != row.word else row.word
        again = (("r", "run it again", retry(view, [row])),) if row.word in FAILING else ()
        return Dialog(f"{row.key} has ended", (how,), choices=again, bad=True)
    what = "its whole process tree is ended" if row.word in _LIVE else "it will not be started"
    lines = [f"{row.key} is {row.word}: {what}, and it counts as stopped. What it changed stays; b brings files back."]
    params = {"session": view["session"], "agent": row.key, "reason": ""}
    return _ask(f"stop agent {row.key}?", lines, "session.stop", params, f"stopping agent {row.key}")


def retry(view: View, rows: list[Row]) -> Dialog:
    """These, as far as they did not succeed; none given: all that failed."""
    failed = [row for row in rows if row.word in FAILING or row.word == "skipped"]
    if not failed:
        if len(rows) == 1:
            again = "only what has failed, was stopped or skipped is run again"
            return nothing("nothing to retry", f"{rows[0].key} is {_standing(rows[0])}: {again}")
        return nothing("nothing to retry", "nothing has failed, was stopped or skipped")
    names = [row.key for row in failed]
    one = len(names) == 1
    them = f"They start again: {_named(names)}. What failed is in their prompts."
    lines = ["It starts again; what failed is in its prompt." if one else them]
    if view["state"] == "ended":
        wave = "its wave" if one else "their wave"
        lines.append(f"The session has ended: it is opened again at {wave}, and goes on from there.")
    params = {"session": view["session"], "agents": names if len(rows) == 1 else []}
    return _ask(f"run {_whom(names)} again?", lines, "session.retry", params, f"again: {_named(names)}")


def freeze(view: View, rows: list[Row]) -> Dialog:
    """Freeze what runs; thaw instead when a person has frozen it. One row: that agent; more: all of them."""
    still = [row for row in rows if row.by_person]
    if still:
        names = [row.key for row in still]
        params = {"session": view["session"], "agents": names}
        return _ask(
            f"thaw {_whom(names)}?", [f"{_named(names)} go{'es' if len(names) == 1 else ''} on."],
            "session.thaw", params, f"thawed: {_named(names)}",
        )  # fmt: skip
    running = [row for row in rows if row.word in ("running", "starting")]
    if not running:
        return nothing("nothing to freeze", f"{rows[0].key} is {rows[0].word}" if len(rows) == 1 else "nothing runs")
    names = [row.key for row in running]
    again, their = ("f", "Its own time limit stands") if len(names) == 1 else ("F", "Their own time limits stand")
    lines = [f"All processes of {_named(names)} stand still until {again} is pressed again.",
             f"{their} still too; those of wave and session go on."]  # fmt: skip
    params = {"session": view["session"], "agents": names}
    return _ask(f"freeze {_whom(names)}?", lines, "session.freeze", params, f"frozen: {_named(names)}")


def approve_all(view: View) -> Dialog:
    """Everything that is open."""
    return approve(view, _open(view))


def approve_one(view: View, found: dict[str, Any]) -> Dialog:
    """The finding that is chosen."""
    if found["cleared"] is not None:
        return nothing("nothing to approve", f"{found['finding']} was cleared")
    return approve(view, [found])


def approve(view: View, still: list[dict[str, Any]], whose: str = "") -> Dialog:
    """What was found is as it should be. `still`: these open findings; `whose` they are, for when there are none."""
    if not still:
        others = len(_open(view))
        more = f"{_count(others, 'finding')} of others: 3 shows them, A approves all" if others and whose else ""
        said = f"no finding of {one_line(whose)} is open" if whose and others else "no finding is open"
        return nothing("nothing to approve", *filter(None, [said, more]))
    lines = [f"{one['finding']} {finding_text(one)}" for one in still[:_MOST_NAMED]]
    if len(still) > _MOST_NAMED:
        lines.append(f"… and {len(still) - _MOST_NAMED} more")
    it, are, their = ("It", "counts", "its") if len(still) == 1 else ("They", "count", "their")
    lines += ["", f"{it} {are} as right: {their} monitor is silent until the file changes again."]
    if view["state"] == "held":
        lines.append("The session is held; it goes on if it is held for nothing else.")
    session = view["session"]
    every = [{"session": session, "finding": one["finding"]} for one in still]
    named = still[0]["finding"] if len(still) == 1 else _count(len(still), "finding")
    if len(still) == len(_open(view)) > 1:
        every = [{"session": session, "finding": ""}]
        named = _count(view["open_findings"], "finding")  # of very many the view has not all
    params, *rest = every
    action = Action("session.approve", params, f"approved: {named}", tuple(rest))
    return Dialog(f"approve {named}?", tuple(lines), Wish("do", action=action))


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
