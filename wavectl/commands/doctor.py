"""`wavectl doctor`: what of all that waved can make use of is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wavectl.commands.options import json_option, print_json, print_lines

if TYPE_CHECKING:
    from wavectl.doctor import Finding


@click.command(name="doctor")
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Look at the daemon, git, the kernel and the agent programs: what is installed, which versions, logged in or not.

    No model is called and nothing is changed. Exit status 1 when something is missing without which nothing works.
    """
    from wavectl.doctor import examine

    findings = examine(ctx.obj.socket)
    if as_json:
        print_json({"findings": [finding.as_dict() for finding in findings]})
    else:
        print_lines(_lines(findings))
    if any(finding.ok is False and finding.needed for finding in findings):
        ctx.exit(1)


def _lines(findings: list[Finding]) -> list[str]:
    from wavectl.views.text import Paint, columns

    paint = Paint.on()
    signs = {True: paint("✓", "green"), None: paint("·", "dim")}
    rows = []
    for finding in findings:
        sign = signs.get(finding.ok, paint("✗", "red") if finding.needed else paint("–", "yellow"))
        rows.append([sign, finding.what, finding.version, finding.detail, paint(finding.hint, "dim")])
    return columns(rows)
