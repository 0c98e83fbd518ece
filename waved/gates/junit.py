"""JUnit XML: how many tests a check ran, and which of them failed (requirement G2).

Reports are written by agents' code, so nothing in them is trusted: entities are refused, sizes are bounded, and tests
are counted one by one instead of believing the numbers in the attributes.
"""

from __future__ import annotations

import io
import math
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse
from junitparser import TestCase

from waved.errors import PlanError
from waved.gates.shown import count, shown, size, some
from waved.plan import globs

MOST_BYTES = 64 * 1024 * 1024
"""Of all reports of one check together."""
MOST_REPORTS = 10_000
MOST_ELEMENTS = 1_000_000
"""XML elements of one report: half a million tests, and a bound on the time it takes to read."""
MOST_IN_A_TEST = 10_000
"""XML elements within one test: a bound on memory, for what lies outside of tests is not kept."""
DEEPEST = 100
"""XML elements within each other."""
BATCH = 1000
"""Elements that are let go of at once; one by one takes quadratic time."""
MOST_NAMES = 20
"""Failing tests that are named."""
CLOCK_STEP = 0.01
"""Seconds by which the kernel may stamp a file too early: it takes the time of the last timer tick."""


@dataclass(slots=True)
class JUnitResult:
    """What the reports of one check say; `problem` is not empty when they cannot be relied on."""

    total: int = 0
    passed: int = 0
    failed: int = 0
    """Failures and errors."""
    skipped: int = 0
    failing: list[str] = field(default_factory=list)
    """The first names of those that failed."""
    problem: str = ""

    def tests(self) -> dict[str, int]:
        """The counts as the event `check.ended` carries them."""
        return {"total": self.total, "passed": self.passed, "failed": self.failed, "skipped": self.skipped}


class _ReportError(Exception):
    """A report that cannot be relied on; its text says why."""


def read_junit(workspace: Path, glob: str, since: float) -> JUnitResult:
    """Count the tests of all reports that match `glob` and were written at or after `since`.

    `since` is when the check started, in unix seconds of the *file system's* clock (`time.time()`). Older reports do
    not count: a check that writes none must not pass on those of the time before. Never raises; reads files and may
    block on them, so it belongs on a helper thread.
    """
    result = JUnitResult()
    try:
        paths = globs.find(workspace, [glob], MOST_REPORTS)
    except (PlanError, OSError, RuntimeError) as error:
        result.problem = f"{shown(glob)} cannot be looked at: {shown(str(error))}"
        return result
    read, stale, room = 0, 0, MOST_BYTES
    for path in paths:
        try:
            data = _read(workspace / path, since, room)
            if data is None:
                stale += 1
                continue
            room -= len(data)
            read += 1
            _count(data, result)
        except FileNotFoundError:
            continue
        except _ReportError as error:
            result.problem = f"{shown(path)}: {error}"
            return result
        except OSError as error:
            result.problem = f"{shown(path)} cannot be read: {error.strerror}"
            return result
    if not read:
        older = f" ({count(stale, 'older report')} not counted)" if stale else ""
        result.problem = f"no JUnit report newer than the check matched {shown(glob)}{older}"
    return result


def judge(exit_code: int | None, result: JUnitResult, min_pass_rate: float) -> tuple[bool, str]:
    """Whether a check with JUnit XML holds, and one line that says why.

    `exit_code` is the command's, None when it did not exit by itself. Test programs exit with a status of their own
    when a test fails, so with a `min_pass_rate` below 1 that status is forgiven as long as failing tests explain it.
    Skipped tests are neither passed nor failed; a report in which no test was run does not hold.
    """
    if exit_code is None or exit_code >= 128 or exit_code < 0:
        how = "the command did not exit by itself" if exit_code is None else f"the command exited with {exit_code}"
        return False, f"{how}; {result.problem or _counts(result)}"
    if result.problem:
        told = f"; the command exited with {exit_code}" if exit_code else ""
        return False, result.problem + told
    run = result.passed + result.failed
    if not run:
        return False, f"no test was run: all {result.total} skipped" if result.total else "the report holds no tests"
    if result.passed < min_pass_rate * run - 1e-9:
        wanted = "" if min_pass_rate >= 1 else f", at least {_percent(min_pass_rate)} wanted"
        return False, _counts(result) + wanted
    if exit_code and not result.failed:
        return False, f"{_counts(result)}, but the command exited with {exit_code}"
    return True, _counts(result)


def _counts(result: JUnitResult) -> str:
    run = result.passed + result.failed
    if not run:
        return "no test was run"
    text = f"{result.passed} of {count(run, 'test')} passed"
    if result.failed:
        text += f" ({_percent(result.passed / run)}); failed: {some(result.failing, result.failed)}"
    return text + (f"; {result.skipped} skipped" if result.skipped else "")


def _percent(share: float) -> str:
    # Rounded down: 999 of 1000 must not read as all of them.
    return f"{math.floor(share * 1000 + 1e-9) / 10:g} %"


def _read(path: Path, since: float, room: int) -> bytes | None:
    """The report's bytes, None when it is older than `since`. Raises OSError and _ReportError."""
    # O_NONBLOCK: a pipe put in the report's place would keep the thread for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _ReportError("is not a regular file")
        if not _is_new(status.st_mtime_ns, since):
            return None
        data = file.read(room + 1)
    if len(data) > room:
        raise _ReportError(f"the check's reports have more than {size(MOST_BYTES)} in all")
    return data


def _is_new(written_ns: int, since: float) -> bool:
    written = written_ns / 1e9
    if written_ns % 1_000_000_000 == 0:
        # A file system that keeps whole seconds only.
        return written >= math.floor(since)
    return written >= since - CLOCK_STEP


class _Report(io.BytesIO):
    """A report's bytes, handed out in large pieces.

    The XML parser looks at an unfinished piece of text again with each bit it gets: with iterparse's own small ones
    a report that is a single name of 40 MB takes minutes.
    """

    def read(self, _size: int | None = -1) -> bytes:
        """The next piece, however many bytes are asked for."""
        return super().read(256 * 1024)


def _count(data: bytes, result: JUnitResult) -> None:
    """Add the tests of one report; raises _ReportError when it is none, or no sound one."""
    try:
        for element in _tests(data):
            _add(element, result)
    except DefusedXmlException:
        raise _ReportError("declares entities, which no JUnit report needs; it was not read") from None
    except (ParseError, ValueError, LookupError) as error:
        # ValueError, LookupError: an encoding that is wrong or unknown.
        raise _ReportError(f"is not well-formed XML: {shown(str(error))}") from None


def _tests(data: bytes) -> Iterator[Element]:
    """Every `testcase` of a report, however deep its suites are nested; what was seen is let go of."""
    above: list[Element] = []
    ended: list[int] = []
    test: Element | None = None
    seen = inside = 0
    for event, element in iterparse(_Report(data), events=("start", "end")):
        # Some writers put everything into a namespace; junitparser knows plain names only.
        name = element.tag.rpartition("}")[2]
        if event == "start":
            if not above and name not in ("testsuites", "testsuite"):
                raise _ReportError(f"is no JUnit report: its root is <{shown(name)}>")
            if test is None and name == "testcase":
                test, inside = element, 0
            seen += 1
            inside += 1
            if seen > MOST_ELEMENTS or (test is not None and inside > MOST_IN_A_TEST) or len(above) >= DEEPEST:
                raise _ReportError("has too many XML elements, or too deeply nested ones")
            above.append(element)
            ended.append(0)
            continue
        above.pop()
        ended.pop()
        element.tag = name
        if test is not None and element is test:
            yield element
            test = None
        if test is None and above:
            element.clear()
            ended[-1] += 1
            if ended[-1] == BATCH:
                del above[-1][:BATCH]
                ended[-1] = 0


def _add(element: Element, result: JUnitResult) -> None:
    test: Any = TestCase.fromelem(element)  # type: ignore[no-untyped-call]
    result.total += 1
    if test.is_failure or test.is_error:
        result.failed += 1
        if len(result.failing) < MOST_NAMES:
            names = [name for name in (test.classname, test.name) if name]
            result.failing.append(shown(".".join(names) or "a test without a name"))
    elif test.is_skipped:
        result.skipped += 1
    else:
        result.passed += 1
