"""The `[report]` table: what is written down when a session has ended (requirement C3)."""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from waved.plan.base import Model
from waved.plan.quantities import Word

if TYPE_CHECKING:
    from waved.plan.models import Plan

Form = Literal["html", "md", "json"]
FORMATS: tuple[Form, ...] = ("html", "md", "json")
NAME = "waved-report"
"""In the workspace: a name that no agent's work has."""
CHANGE_LOG = "change_log.md"


class ReportSettings(Model):
    """What is written at the end of a session ([report.md](report.md)). Nothing is written outside these places."""

    enabled: bool = True
    """false: neither report nor change log is written; `wavectl report` makes one when asked."""
    folder: Word | None = None
    """The folder of the workspace that gets the report; the session's `folder` if not given, none if there is none."""
    formats: list[Form] = Field(default_factory=lambda: list(FORMATS))
    """Which of `waved-report.html`, `.md` and `.json` are written there."""
    change_log: Word | None = None
    """The change log that gets an entry ("change_log.md" for one beside the code); `change_log.md` in the session's
    `folder` if not given; "" for none."""

    @field_validator("folder", "change_log")
    @classmethod
    def _inside(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = value.split("/")
        if value.startswith("/") or ".." in parts or any(part == ".git" for part in parts):
            raise ValueError(f'"{value}" must be a path in the workspace, and not in `.git`')
        return value


def files_in_workspace(plan: Plan) -> dict[str, str]:
    """By format: where the report is written, relative to the workspace. Nothing without a folder for it."""
    settings = plan.report
    folder = _plain(settings.folder if settings.folder is not None else plan.session.folder or "")
    if not settings.enabled or not folder:
        return {}
    return {form: f"{folder}/{NAME}.{form}" for form in FORMATS if form in settings.formats}


def change_log_of(plan: Plan) -> str:
    """The change log, relative to the workspace; "" for none."""
    settings = plan.report
    if not settings.enabled:
        return ""
    if settings.change_log is not None:
        return _plain(settings.change_log)
    folder = _plain(plan.session.folder or "")
    return f"{folder}/{CHANGE_LOG}" if folder else ""


def report_files(plan: Plan) -> frozenset[str]:
    """The files of the workspace that are waved's alone: the report of a session of this plan."""
    return frozenset(files_in_workspace(plan).values())


def own_files(plan: Plan) -> frozenset[str]:
    """All that waved itself writes into: the report and the change log."""
    log = change_log_of(plan)
    return report_files(plan) | ({log} if log else set())


def own_patterns(plan: Plan) -> tuple[str, ...]:
    """`report_files`, as path patterns that match nothing else."""
    return tuple(glob.escape(path) for path in sorted(report_files(plan)))


def _plain(path: str) -> str:
    return "/".join(part for part in path.split("/") if part not in ("", "."))
