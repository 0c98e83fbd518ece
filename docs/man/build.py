"""Writes the manual pages waved(8), wavectl(1) and waved-plan(5) beside this file.

    python docs/man/build.py            writes them
    python docs/man/build.py --check    exit status 1 if one is not what would be written

What they say comes from where the help comes from: the commands and options of click, the models of plans and of the
configuration file, and the tables of docs/wavectl.md and docs/operations.md.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import commands
from roff import Writer

from wavectl.cli import cli as wavectl
from waved.daemon import main as waved
from waved.plan import reference
from waved.version import __version__

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent
_DATE = "2026-11-28"
"""Of the last change that is worth telling; shown at the foot of each page."""
_SOURCE = f"waved {__version__}"
_MANUAL = "waved manual"
_SEE = "The documents that come with waved say more; they are in docs/ of its source."


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the first table below a heading of a document. Raises ValueError if there is none."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    lines = [line for line in found[1].splitlines() if line.startswith("|")] if found else []
    if len(lines) < 3:
        raise ValueError(f"{page} has no table below {heading!r}")
    rows = [re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in lines[2:]]
    return [[cell.replace("\\|", "|").strip() for cell in row] for row in rows]


def wavectl_page() -> str:
    """wavectl(1)."""
    writer = Writer("wavectl", 1, _DATE, _SOURCE, _MANUAL)
    _name(writer, "wavectl", "run fleets of coding agents in waves, and look after them")
    writer.line("**wavectl** [*options*] *command* [*arguments*]")
    writer.section("DESCRIPTION")
    writer.paragraph(
        "`wavectl` is how a person or a script talks to waved(8), the daemon that runs coding agents on a repository "
        "as a plan says, see waved-plan(5). `wavectl run` starts a private daemon when none answers.",
        first=True,
    )
    writer.paragraph(
        "*SESSION* is an id, a unique prefix of one, or a session's name (its newest session); without it the newest "
        "session is meant. Where *AGENT* may follow, an agent's name alone means that of the newest session."
    )
    writer.paragraph("Every command takes `--help`.")
    writer.section("OPTIONS")
    commands.options(writer, wavectl)
    writer.section("COMMANDS")
    for path, command in commands.tree(wavectl, "wavectl"):
        commands.described(writer, command, path)
    writer.section("EXIT STATUS")
    writer.table((f"**{status}**", meaning) for status, meaning in table("wavectl.md", "Exit statuses"))
    writer.section("ENVIRONMENT")
    writer.table(table("wavectl.md", "Environment"))
    writer.section("EXAMPLES")
    for number, (text, code) in enumerate(_EXAMPLES):
        writer.paragraph(text, first=number == 0)
        writer.code(code)
    _see_also(writer, "waved(8), waved-plan(5)")
    return writer.text


_EXAMPLES = (
    ("Write a plan, look at it, run it:", "wavectl plan new\nwavectl plan show plan.toml\nwavectl run plan.toml"),
    ("Two agents at once, without a plan:", "wavectl deploy lint='ruff check .' fix:claude='Fix the failing tests'"),
    ("Leave it running, come back later:", "wavectl run --detach plan.toml\nwavectl status\nwavectl wait"),
)


def waved_page() -> str:
    """waved(8)."""
    writer = Writer("waved", 8, _DATE, _SOURCE, _MANUAL)
    _name(writer, "waved", "daemon that runs coding agents in waves, in parallel, under guard")
    writer.line("**waved** [*options*]")
    writer.section("DESCRIPTION")
    writer.paragraph(
        "`waved` runs sessions: the agents of a plan, wave by wave, each with its whole process tree, and judges what "
        "they did. It is controlled with wavectl(1). A private daemon is started by `wavectl run` when it is needed; "
        "`wavectl service install` makes it a service of systemd(1).",
        first=True,
    )
    writer.paragraph(
        "Everything that happens is an event, written to a journal before it is acted on. Agents outlive a crash of "
        "the daemon and are adopted by the next one."
    )
    writer.section("OPTIONS")
    commands.options(writer, waved)
    writer.section("CONFIGURATION FILE")
    writer.paragraph(
        "`/etc/waved/waved.toml` for the system service, `~/.config/waved/waved.toml` for one's own; one file counts, "
        "nothing is merged. Keys, their defaults and what they mean:",
        first=True,
    )
    for key, default, meaning in table("operations.md", "Configuration file"):
        writer.item(f"{key} (default: {default})", meaning)
    writer.section("SIGNALS")
    writer.table(table("operations.md", "Signals"))
    writer.section("ENVIRONMENT")
    writer.table(table("operations.md", "The daemon's environment"))
    writer.section("FILES")
    writer.table(table("operations.md", "Files"))
    writer.section("EXIT STATUS")
    writer.table((f"**{status}**", meaning) for status, meaning in table("operations.md", "Exit statuses of waved"))
    _see_also(writer, "wavectl(1), waved-plan(5), systemd.exec(5), journalctl(1)")
    return writer.text


def plan_page() -> str:
    """waved-plan(5)."""
    writer = Writer("waved-plan", 5, _DATE, _SOURCE, _MANUAL)
    writer.section("NAME")
    writer.line("waved-plan - the file that says which agents run, in which waves, under which guards")
    writer.section("DESCRIPTION")
    for number, part in enumerate(reference.introduction().strip().split("\n\n")):
        if not part.startswith("*"):
            writer.paragraph(part, first=number == 0)
    for each in reference.tables():
        writer.section(each.title)
        writer.paragraph(each.summary, first=True)
        writer.code(each.example)
        for key in each.keys:
            default = "required" if key.default == "**required**" else key.default and f"default: {key.default}"
            told = f"{key.kind}; {default}" if default else key.kind
            writer.item(f"**{key.name}** ({told})", key.meaning)
    _see_also(writer, "wavectl(1), waved(8)")
    return writer.text


PAGES = {"wavectl.1": wavectl_page, "waved.8": waved_page, "waved-plan.5": plan_page}


def _name(writer: Writer, name: str, what: str) -> None:
    writer.section("NAME")
    writer.line(f"{name} - {what}")
    writer.section("SYNOPSIS")


def _see_also(writer: Writer, pages: str) -> None:
    writer.section("SEE ALSO")
    writer.line(pages)
    writer.paragraph(_SEE)


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with `--check` only compare."""
    wrong = []
    for name, page in PAGES.items():
        file, text = HERE / name, page()
        if arguments == ["--check"]:
            wrong += [] if file.is_file() and file.read_text(encoding="utf-8") == text else [name]
        else:
            file.write_text(text, encoding="utf-8")
    for name in wrong:
        print(f"error: docs/man/{name} is not up to date: python docs/man/build.py", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
