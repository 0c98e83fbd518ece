"""M2: files that are broken: forbidden patterns, merge markers, files that no longer parse, emptied files.

Corruption is what happened in this session: what was so already when it began is not held against anybody, until the
file has been good once.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from waved.monitors.base import ASK_PAST, Past, Ruling, Verdict
from waved.monitors.content import Answer, Checks, Trouble
from waved.plan import globs
from waved.plan.guards import CorruptionMonitor

_MAY_BE_EMPTY = frozenset({"__init__.py", ".gitkeep", ".keep", "py.typed"})


class Corruption:
    """The plan's table `kind = "corruption"` at work."""

    def __init__(self, settings: CorruptionMonitor) -> None:
        self.label = settings.label
        self.settle = settings.settle
        self.waves = tuple(settings.waves)
        self._settings = settings
        self._checks = Checks(tuple(settings.patterns), settings.markers, settings.parse)
        self._mine = {f"pattern {pattern}" for pattern in settings.patterns}
        self._mine |= {"markers"} if settings.markers else set()
        self._mine |= {"parse"} if settings.parse else set()

    def wants(self, path: str) -> bool:
        """Whether the plan has the file looked at."""
        return _any(self._settings.paths, path) and not _any(self._settings.exclude, path)

    def checks(self) -> Checks:
        """What the plan wants to be looked for."""
        return self._checks

    def judge(self, path: str, answer: Answer, past: Past) -> Ruling:
        """What is wrong; a file that is gone, too large or no file at all is not corrupt."""
        if answer.state != "read":
            return None
        troubles = [trouble for trouble in answer.troubles if trouble.check in self._mine]
        emptied = self._settings.emptied and answer.blank and PurePosixPath(path).name not in _MAY_BE_EMPTY
        if not troubles and not emptied:
            return None
        if not past.sound and not past.loaded:
            return ASK_PAST
        if not past.sound and past.first is not None:
            troubles = [trouble for trouble in troubles if _is_new(trouble, past.first)]
        if emptied and (past.content or (past.first is not None and past.first.size > 0 and not past.first.blank)):
            troubles.append(Trouble("emptied", 0, "", "it had content, and is empty", whole=False))
        return _verdict(path, troubles) if troubles else None


def _is_new(trouble: Trouble, first: Answer) -> bool:
    before = next((old.count for old in first.troubles if old.check == trouble.check), 0)
    return before == 0 if not trouble.check.startswith("pattern ") else trouble.count > before


def _verdict(path: str, troubles: list[Trouble]) -> Verdict:
    # What is certain at once comes first: it need not wait for the file to settle.
    main = min(troubles, key=lambda trouble: not trouble.whole)
    where = f"{path}:{main.line}" if main.line else path
    said = [f"line {trouble.line}: {trouble.text}\n  ({_words(trouble)})" for trouble in troubles if trouble.line]
    said += [_words(trouble) for trouble in troubles if not trouble.line]
    return Verdict(
        summary=f"{where}: {_words(main)}",
        severity="critical",
        line=main.line,
        evidence="\n".join(said),
        key=f"{main.check}\n{main.text}",
        at_once=main.whole,
    )


def _words(trouble: Trouble) -> str:
    kind, _, pattern = trouble.check.partition(" ")
    if kind == "pattern":
        more = f", on {trouble.count} lines" if trouble.count > 1 else ""
        return f'matches the pattern "{pattern}"{more}'
    if kind == "parse":
        return f"no longer parses: {trouble.detail}"
    return trouble.detail


def _any(patterns: list[str], path: str) -> bool:
    return any(globs.matches(pattern, path) for pattern in patterns)
