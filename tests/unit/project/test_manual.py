"""The manual pages are what their sources say, hold each command, option, key and exit status, and are well written."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.documents import ROOT
from wavectl.cli import cli as wavectl
from waved import settings
from waved.daemon import main as waved
from waved.errors import ExitStatus
from waved.plan import models

MAN = ROOT / "docs" / "man"
PAGES = ("wavectl.1", "waved.8", "waved-plan.5")


def text_of(page: str) -> str:
    """A page as a reader sees it, without the escapes for characters and fonts."""
    text = re.sub(r"\\f[BIR]|\\&", "", (MAN / page).read_text())
    for written, shown in (
        (r"\-", "-"),
        (r"\(aq", "'"),
        (r"\(dq", '"'),
        (r"\(ga", "`"),
        (r"\(ha", "^"),
        (r"\(ti", "~"),
    ):
        text = text.replace(written, shown)
    return text.replace(r"\e", "\\")


def every_command(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            sub = command.get_command(ctx, name)
            if sub is not None and not sub.hidden:
                yield from every_command(sub, f"{path} {name}")


def test_the_pages_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, MAN / "build.py", "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("page", "program"), [("wavectl.1", wavectl), ("waved.8", waved)], ids=["wavectl", "waved"])
def test_each_command_and_option_is_there(page: str, program: click.Command) -> None:
    text = text_of(page)
    for path, command in every_command(program, page.partition(".")[0]):
        part = text if " " not in path else text[text.index(f'.SS "{path} ') :]
        part = part.partition("\n.SS ")[0]
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert [name for name in (*option.opts, *option.secondary_opts) if name not in part] == [], path


def test_each_exit_status_is_there() -> None:
    text = text_of("wavectl.1")
    part = text[text.index('.SH "EXIT STATUS"') : text.index('.SH "ENVIRONMENT"')]
    assert [status for status in ExitStatus if f".TP\n{int(status)}\n" not in part] == []


def test_each_key_is_there() -> None:
    text = text_of("waved.8")
    tables = {
        "log": settings.LogSettings,
        "metrics": settings.MetricsSettings,
        "traces": settings.TracesSettings,
        "retention": settings.RetentionSettings,
    }
    keys = [key for key in settings.Settings.model_fields if key not in tables]
    keys += [f"{name}.{key}" for name, model in tables.items() for key in model.model_fields]
    assert [key for key in keys if f".TP\n{key} (" not in text] == []
    text = text_of("waved-plan.5")
    for model in (models.SessionSettings, models.Wave, models.Agent, models.Task, models.Gate, models.Check):
        missing = [name for name, field in model.model_fields.items() if f".TP\n{field.alias or name} (" not in text]
        assert missing == [], model


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
@pytest.mark.parametrize("page", PAGES)
def test_mandoc_has_nothing_to_say(page: str) -> None:
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", MAN / page], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""
    shown = subprocess.run(["mandoc", "-T", "ascii", MAN / page], capture_output=True, text=True, check=True).stdout
    assert "](" not in re.sub(".\b", "", shown), "a link is left as Markdown"


def test_the_pages_are_three() -> None:
    assert sorted(PAGES) == sorted(path.name for path in Path(MAN).iterdir() if path.suffix[1:].isdigit())
