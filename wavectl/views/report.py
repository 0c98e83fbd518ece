"""Where the report of a session is, in a line or two."""

from __future__ import annotations

from typing import Any

from wavectl.views.text import Paint, first_line, one_line


def report_lines(view: dict[str, Any], paint: Paint) -> list[str]:
    """Nothing where no report is written. Of an older daemon's view as well."""
    report = view.get("report")
    if report is None:
        return []
    show = f"wavectl report {view['session']} --open"
    title = paint("report", "dim")
    if report["state"] == "writing":
        return [f"  {title}   is being written: {show}"]
    lines = []
    if report["state"] == "written":
        pages = sorted(report["files"], key=lambda path: not path.endswith(".html"))
        where = f"{view['workspace']}/{pages[0]}" if pages else show
        lines.append(f"  {title}   {one_line(where)}")
    if report["change_log"]:
        lines.append(f"  {paint('changes', 'dim')}  {one_line(view['workspace'] + '/' + report['change_log'])}")
    if report["error"]:
        lines.append(f"  {title}   {paint('not written: ', 'yellow')}{first_line(report['error'])}")
        lines.append(f"           `wavectl report {view['session']}` writes it again")
    return lines
