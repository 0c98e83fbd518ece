"""G2: tests are counted from real reports; what cannot be relied on is a problem, never a pass and never a crash."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waved.gates import junit
from waved.gates.junit import JUnitResult, judge, read_junit

Privileges = Callable[[], AbstractContextManager[None]]

PASSED = '<testcase classname="pkg.T" name="ok"/>'
FAILED = '<testcase classname="pkg.T" name="bad"><failure message="no">trace</failure></testcase>'
ERROR = '<testcase name="worse"><error/></testcase>'
SKIPPED = '<testcase name="later"><skipped/></testcase>'


def read(folder: Path, *reports: str | bytes, since: float = 0.0) -> JUnitResult:
    for number, report in enumerate(reports):
        data = report if isinstance(report, bytes) else report.encode()
        (folder / f"report-{number}.xml").write_bytes(data)
    return read_junit(folder, "report-*.xml", since)


def counts(result: JUnitResult) -> tuple[int, int, int, int]:
    return result.total, result.passed, result.failed, result.skipped


def test_suites_in_suites(tmp_path: Path) -> None:
    inner = f"<testsuite><testsuite>{FAILED}</testsuite>{ERROR}</testsuite>"
    result = read(tmp_path, f"<testsuites><testsuite>{PASSED}{inner}{SKIPPED}</testsuite></testsuites>")
    assert result == JUnitResult(4, 1, 2, 1, ["pkg.T.bad", "worse"])
    assert result.tests() == {"total": 4, "passed": 1, "failed": 2, "skipped": 1}


def test_cases_are_counted_and_attributes_are_not_believed(tmp_path: Path) -> None:
    result = read(tmp_path, f'<testsuite tests="99" failures="0" errors="0">{PASSED}{FAILED}</testsuite>')
    assert counts(result) == (2, 1, 1, 0)


def test_several_reports_are_added(tmp_path: Path) -> None:
    assert counts(read(tmp_path, f"<testsuite>{PASSED}</testsuite>", f"<testsuite>{FAILED}</testsuite>")) == (
        2,
        1,
        1,
        0,
    )


def test_a_namespace_hides_no_failure(tmp_path: Path) -> None:
    # Longer than one piece, so that elements end long after they were seen to start.
    filler = " " * 2_000_000
    assert counts(read(tmp_path, f'<testsuite xmlns="urn:x">{FAILED}{filler}{PASSED}</testsuite>')) == (2, 1, 1, 0)


def test_a_rerun_that_passed_is_no_failure(tmp_path: Path) -> None:
    flaky = '<testcase name="flaky"><flakyFailure/><rerunFailure/></testcase>'
    assert counts(read(tmp_path, f"<testsuite>{flaky}</testsuite>")) == (1, 1, 0, 0)


def test_failing_names_are_capped(tmp_path: Path) -> None:
    result = read(tmp_path, "<testsuite>" + FAILED * 50 + "</testsuite>")
    assert result.failed == 50
    assert len(result.failing) == 20
    assert judge(1, result, 1.0) == (
        False,
        "0 of 50 tests passed (0 %); failed: pkg.T.bad, pkg.T.bad, pkg.T.bad and 47 more",
    )


def test_a_real_report_of_pytest(tmp_path: Path) -> None:
    (tmp_path / "test_real.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert False\n"
        "@pytest.fixture\n"
        "def sick(): raise OSError\n"
        "def test_error(sick): pass\n"
        "@pytest.mark.skip\n"
        "def test_skipped(): pass\n"
        "@pytest.mark.xfail\n"
        "def test_expected(): assert False\n"
    )
    begun = time.time()
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=report-real.xml", "."]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 1
    result = read_junit(tmp_path, "**/*.xml", begun)
    assert counts(result) == (5, 1, 2, 2)
    assert result.failing == ["test_real.test_bad", "test_real.test_error"]


# --- age ------------------------------------------------------------------------------------------------------------


def test_a_report_of_an_earlier_check_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "report-0.xml").write_text(f"<testsuite>{PASSED}</testsuite>")
    begun = (tmp_path / "report-0.xml").stat().st_mtime + 1
    result = read_junit(tmp_path, "report-*.xml", begun)
    assert counts(result) == (0, 0, 0, 0)
    assert result.problem == "no JUnit report newer than the check matched report-*.xml (1 older report not counted)"


def test_a_report_written_the_moment_the_check_starts_counts(tmp_path: Path) -> None:
    # The kernel stamps files with the time of its last tick, which can lie before time.time().
    for _ in range(50):
        since = time.time()
        assert read(tmp_path, f"<testsuite>{PASSED}</testsuite>", since=since).total == 1


def test_file_systems_that_keep_whole_seconds(tmp_path: Path) -> None:
    (tmp_path / "report-0.xml").write_text(f"<testsuite>{PASSED}</testsuite>")
    os.utime(tmp_path / "report-0.xml", (1000, 1000))
    assert read_junit(tmp_path, "report-*.xml", 1000.9).total == 1
    assert read_junit(tmp_path, "report-*.xml", 1001.0).total == 0


def test_no_report(tmp_path: Path) -> None:
    assert read_junit(tmp_path, "*.xml", 0).problem == "no JUnit report newer than the check matched *.xml"
    assert read_junit(tmp_path / "gone", "*.xml", 0).problem == "no JUnit report newer than the check matched *.xml"
    assert "absolute" in read_junit(tmp_path, "/etc/*.xml", 0).problem


# --- what nobody should believe -------------------------------------------------------------------------------------

BOMB = '<!DOCTYPE t [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
)


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (BOMB + "]><testsuite>&j;</testsuite>", "declares entities"),
        ('<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuite>&x;</testsuite>', "declares entities"),
        (f"<testsuite>{PASSED}", "is not well-formed XML"),
        ("", "is not well-formed XML: no element found"),
        (b"\x7fELF\0\xff", "is not well-formed XML"),
        (b"\xff\xfe<\0", "is not well-formed XML"),
        ('<?xml version="1.0" encoding="klingon"?><testsuite/>', "unknown encoding: klingon"),
        (b"<testsuite><testcase name='\xff'/></testsuite>", "is not well-formed XML"),
        ("<html><testcase/></html>", "is no JUnit report: its root is <html>"),
        ("<testcase/>", "is no JUnit report: its root is <testcase>"),
        ("<testsuite>" * 5000, "too deeply nested"),
        ("<testsuite><testcase>" + "<a>" * 5000, "too deeply nested"),
        ("<testsuite><testcase>" + "<failure/>" * 20_000 + "</testcase></testsuite>", "too many XML elements"),
    ],
)
def test_bad_reports_are_problems(tmp_path: Path, report: str | bytes, said: str) -> None:
    result = read(tmp_path, report)
    assert result.problem.startswith("report-0.xml: ")
    assert said in result.problem
    assert judge(0, result, 0.0)[0] is False


def test_a_good_report_beside_a_bad_one_does_not_pass(tmp_path: Path) -> None:
    result = read(tmp_path, f"<testsuite>{PASSED}</testsuite>", "oops")
    assert result.problem.startswith("report-1.xml: is not well-formed XML")
    assert judge(0, result, 1.0)[0] is False


def test_size_is_bounded_over_all_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(junit, "MOST_BYTES", 1000)
    report = f"<testsuite>{PASSED}{' ' * 600}</testsuite>"
    assert read(tmp_path, report).problem == ""
    assert (
        read(tmp_path, report, report).problem == "report-1.xml: the check's reports have more than 1000 bytes in all"
    )


def test_one_enormous_name_takes_no_enormous_time(tmp_path: Path) -> None:
    begun = time.process_time()
    result = read(tmp_path, '<testsuite><testcase name="' + "\x85" * 10_000_000 + '"><error/></testcase></testsuite>')
    assert counts(result) == (1, 0, 1, 0)
    assert len(result.failing[0]) <= 200
    assert time.process_time() - begun < 15


def test_memory_does_not_grow_with_what_lies_outside_of_tests(tmp_path: Path) -> None:
    import tracemalloc

    def peak(elements: int) -> int:
        (tmp_path / "report-0.xml").write_text("<testsuite>" + "<property/>" * elements + "</testsuite>")
        tracemalloc.start()
        try:
            assert read_junit(tmp_path, "*.xml", 0).problem == ""
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # Four times the elements: more only by the bytes of the report itself.
    assert peak(120_000) < peak(30_000) + 2 * 90_000 * len("<property/>")


def test_things_that_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "report-a.xml").mkdir()
    os.mkfifo(tmp_path / "report-b.xml")
    (tmp_path / "report-c.xml").symlink_to("/etc/passwd")
    assert read(tmp_path).problem == "no JUnit report newer than the check matched report-*.xml"


def test_a_pipe_put_in_the_reports_place_does_not_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "report-0.xml")
    monkeypatch.setattr("waved.gates.junit.globs.find", lambda *_: ["report-0.xml", "report-gone.xml"])
    assert read_junit(tmp_path, "report-*.xml", 0).problem == "report-0.xml: is not a regular file"


def test_a_report_that_may_not_be_read(open_folder: Path, no_privileges: Privileges) -> None:
    (open_folder / "report-0.xml").write_text(f"<testsuite>{PASSED}</testsuite>")
    (open_folder / "report-0.xml").chmod(0)
    with no_privileges():
        assert read_junit(open_folder, "*.xml", 0).problem == "report-0.xml cannot be read: Permission denied"


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet="<>/testsuiecafl =\"'&!-[]x", max_size=120).map(str.encode))
def test_no_bytes_raise(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    result = read(tmp_path_factory.getbasetemp(), b"<testsuite>" + data)
    assert result.problem


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["", "<failure/>", "<error/>", "<skipped/>"]), st.text(max_size=5))))
def test_counts_are_those_of_the_cases(tmp_path_factory: pytest.TempPathFactory, cases: list[tuple[str, str]]) -> None:
    printable = [(kind, "".join(each for each in name if each.isprintable())) for kind, name in cases]
    text = "".join(f"<testcase name={quoteattr(name)}>{kind}</testcase>" for kind, name in printable)
    result = read(tmp_path_factory.getbasetemp(), f"<testsuite>{text}</testsuite>")
    kinds = [kind for kind, _ in cases]
    failed = kinds.count("<failure/>") + kinds.count("<error/>")
    assert result.problem == ""
    assert counts(result) == (len(kinds), kinds.count(""), failed, kinds.count("<skipped/>"))


# --- the verdict ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exit_code", "result", "rate", "ok", "detail"),
    [
        (0, JUnitResult(3, 3), 1.0, True, "3 of 3 tests passed"),
        (0, JUnitResult(4, 3, 0, 1), 1.0, True, "3 of 3 tests passed; 1 skipped"),
        (0, JUnitResult(2, 1, 1, 0, ["a.b"]), 1.0, False, "1 of 2 tests passed (50 %); failed: a.b"),
        (1, JUnitResult(2, 1, 1, 0, ["a"]), 1.0, False, "1 of 2 tests passed (50 %); failed: a"),
        (1, JUnitResult(20, 19, 1, 0, ["a"]), 0.95, True, "19 of 20 tests passed (95 %); failed: a"),
        (
            *(1, JUnitResult(20, 18, 2, 0, ["a", "b"]), 0.95, False),
            "18 of 20 tests passed (90 %); failed: a, b, at least 95 % wanted",
        ),
        (1, JUnitResult(1000, 999, 1, 0, ["a"]), 0.9991, False, None),
        (3, JUnitResult(3, 3), 0.5, False, "3 of 3 tests passed, but the command exited with 3"),
        (137, JUnitResult(2, 1, 1, 0, ["a"]), 0.5, False, None),
        (None, JUnitResult(3, 3), 0.0, False, "the command did not exit by itself; 3 of 3 tests passed"),
        (0, JUnitResult(), 0.0, False, "the report holds no tests"),
        (0, JUnitResult(3, 0, 0, 3), 0.0, False, "no test was run: all 3 skipped"),
        (0, JUnitResult(problem="no report"), 0.0, False, "no report"),
        (2, JUnitResult(problem="no report"), 0.0, False, "no report; the command exited with 2"),
        (1, JUnitResult(3, 1, 2, 0, ["a", "b"]), 1 / 3, True, None),
    ],
)
def test_verdict(exit_code: int | None, result: JUnitResult, rate: float, ok: bool, detail: str | None) -> None:
    verdict = judge(exit_code, result, rate)
    assert verdict[0] is ok
    if detail is not None:
        assert verdict[1] == detail


def test_a_pass_rate_is_never_rounded_up() -> None:
    assert "99.9 %" in judge(1, JUnitResult(100_000, 99_999, 1, 0, ["a"]), 1.0)[1]
