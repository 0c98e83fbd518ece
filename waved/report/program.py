"""The program that makes reports, a process of its own beside the daemon: `python -m waved.report.program PARENT`.

It reads the journal, so that the reactor neither waits nor shares anything with it, yields the processor to everything
else, and goes with the daemon. What is asked comes on standard input, what it has done goes to standard output
(`waved.report.asking`).
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from waved.pool.humble import step_back
from waved.report.asking import Answer, Request


def main(arguments: Sequence[str]) -> None:
    """`arguments`: the daemon's pid."""
    step_back(int(arguments[0]), "waved-report")
    gc.disable()
    try:
        answer = answered(Request.unpacked(sys.stdin.buffer.read()))
    except Exception as error:  # noqa: BLE001 — told to the daemon, which says it
        answer = Answer(problem=f"{type(error).__name__}: {error}")
    sys.stdout.buffer.write(answer.packed())
    sys.stdout.flush()


def answered(request: Request) -> Answer:
    """Make a report, and write it or hand it back. Raises ValueError for a session that cannot be read, and what the
    journal's disk raises.
    """
    from waved.masking import Mask
    from waved.report import rendering
    from waved.report.build import Told, build
    from waved.report.writing import Writer

    told = Told(_events(request))
    mask = Mask(request.secrets)

    def make() -> dict[str, Any]:
        report: dict[str, Any] = mask.value(build(told, request.now, _given(told, request, mask)).as_dict())
        return report

    if request.form:
        return Answer(content=rendering.RENDERERS[request.form](make()))
    written = _written(request, told.session.ended) if request.again else None
    return Writer(told, Path(request.folder), make if written is None else lambda: written, mask).write()


def _written(request: Request, ended: float | None) -> dict[str, Any] | None:
    """The report as it was made at this end of the session: with everything that was known then, and masked."""
    import json

    from waved.report.asking import kept_path
    from waved.version import __version__

    try:
        found = json.loads(kept_path(Path(request.folder), "json").read_bytes())
    except (OSError, ValueError):
        return None
    is_it = isinstance(found, dict) and found.get("waved") == __version__ and found.get("ended") == ended
    return found if is_it else None


def _given(told: Any, request: Request, mask: Any) -> Any:  # noqa: ANN401 — imported when it is needed
    from dataclasses import replace

    from waved.report import gather
    from waved.report.given import Given
    from waved.version import __version__

    runs = Path(request.folder) / "runs"
    hide: Callable[[str], str] = mask.text
    return Given(
        prompts={run: hide(text) for run, text in gather.prompts(told.session, runs).items()},
        tails={run: hide(text) for run, text in gather.tails(told.session, runs).items()},
        changes=replace(request.changes, diff=hide(request.changes.diff)),
        waved=__version__,
    )


def _events(request: Request) -> Iterator[Any]:
    from waved.journal.rows import events_of
    from waved.journal.salvage import read_only

    with closing(read_only(Path(request.journal))) as db:
        for event in events_of(db, request.session):
            if event.seq > request.until:
                return
            yield event


if __name__ == "__main__":
    main(sys.argv[1:])
