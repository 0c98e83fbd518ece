"""Writing a report down: into the session's own folder, and where the plan says in the workspace."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from waved.masking import Mask
from waved.plan.reporting import change_log_of, files_in_workspace, own_files
from waved.report import change_log, placing
from waved.report.asking import Answer, kept_path
from waved.report.build import Told
from waved.report.rendering import RENDERERS, is_ours


class Writer:
    """Writes one report. `make` makes it as plain values, everything masked."""

    def __init__(self, told: Told, folder: Path, make: Callable[[], dict[str, Any]], mask: Mask) -> None:
        self._told = told
        self._folder = folder
        self._make = make
        self._mask = mask
        self._root = Path(told.session.workspace)

    def write(self) -> Answer:
        """Everything there is to be written; what cannot be is told, and hinders nothing else."""
        answer = Answer()
        report = self._make()
        self._change_log(report, answer)
        _complete(report, answer)
        pages = {form: render(report).encode("utf-8", "replace") for form, render in RENDERERS.items()}
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for form, page in pages.items():
                _keep(kept_path(self._folder, form), page)
            answer.kept = True
        except OSError as error:
            answer.errors.append(f"{self._folder} cannot be written: {error.strerror}")
        for form, path in files_in_workspace(self._told.session.plan).items():
            try:
                placing.put(self._root, path, pages[form], lambda found, form=form: is_ours(form, found))  # type: ignore[misc]
                answer.files.append(path)
            except placing.PlacingError as error:
                answer.errors.append(str(error))
        return answer

    def _change_log(self, report: dict[str, Any], answer: Answer) -> None:
        path = change_log_of(self._told.session.plan)
        if not path:
            return
        entry = entry_of(report, own_files(self._told.session.plan))

        def changed(before: bytes) -> bytes:
            text = before.decode("utf-8", "surrogateescape")
            return change_log.updated(text, entry).encode("utf-8", "surrogateescape")

        try:
            placing.change(self._root, path, changed)
            answer.change_log = path
        except placing.PlacingError as error:
            answer.errors.append(str(error))


def entry_of(report: dict[str, Any], own: frozenset[str] = frozenset()) -> change_log.Entry:
    """What the change log says of a session."""
    totals = report["totals"]
    agents = totals["agents"]
    summary = f"{agents['succeeded']} of {agents['total']} agents succeeded"
    if totals["tests"]["ran"]:
        summary += f", {totals['tests']['passed']} of {totals['tests']['ran']} tests passed"
    if totals["rollbacks"]:
        summary += f", {totals['rollbacks']} rollback{'' if totals['rollbacks'] == 1 else 's'}"
    files = []
    for each in report["changes"]["files"]:
        if each["path"] in own:
            continue
        lines = "" if each["added"] is None else f"+{each['added']} −{each['removed'] or 0}"
        who = ", ".join(each["agents"][:3])
        files.append(change_log.Line(each["path"], each["kind"], ", ".join(filter(None, [lines, who]))))
    date = time.strftime("%Y-%m-%d", time.localtime(report["ended"] or report["made"]))
    return change_log.Entry(
        report["session"], report["name"], date, report["outcome"], f"{summary}.", tuple(files)
    )  # fmt: skip


def _complete(report: dict[str, Any], answer: Answer) -> None:
    """Of the checklist of completion: what is only known now. Whoever reads the report sees that it was written."""
    known = {"report": ("ticked", "this document")}
    if answer.change_log:
        known["change-log"] = ("ticked", answer.change_log)
    elif answer.errors:
        known["change-log"] = ("unticked", "; ".join(answer.errors))
    for checklist in report["checklists"]:
        if checklist["checklist"] != "completion":
            continue
        for item in checklist["items"]:
            if item["item"] in known and item["state"] in ("open", "unticked"):
                item["state"], item["evidence"] = known[item["item"]]


def _keep(path: Path, content: bytes) -> None:
    """Write a file of our own whole or not at all: what was there stays until all is on the disk. Raises OSError."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        # On a full disk a part of it would keep others from writing.
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
