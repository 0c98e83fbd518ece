"""Readers, on recordings of the real programs: what they find, however it is cut, and whatever is broken in it."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.agents.recordings import RECORDINGS, Recording, total
from waved.agents.activity import (
    ContextWindow,
    RateLimited,
    Result,
    Retrying,
    Said,
    SessionNamed,
    ToolCalled,
    ToolEnded,
    Used,
    from_wire,
    to_wire,
)
from waved.agents.reader import SIDE, STDERR, STDOUT

BY_NAME = {recording.name: recording for recording in RECORDINGS}
named = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
PROGRAMS = sorted({recording.program for recording in RECORDINGS})
of_each = pytest.mark.parametrize("program", PROGRAMS)


def one_of(program: str) -> st.SearchStrategy[Recording]:
    """Any recording of that program."""
    return st.sampled_from([recording for recording in RECORDINGS if recording.program == program])


def found(name: str, kind: type) -> list[Any]:
    activities, _ = BY_NAME[name].read()
    return [activity for activity in activities if isinstance(activity, kind)]


# --- what they find -----------------------------------------------------------------------------------------------

WITHOUT_TOKENS = {"claude-sigint", "codex-sigterm", "codex-429", "codex-429-reset"}
WITHOUT_TOKENS |= {"goose-sigterm", "gemini-sigterm", "opencode-sigterm", "mini-sigterm", "mini-401"}
"""Ended before the program said what it used: it keeps that to itself (docs/agents.md)."""
PARTLY = {"claude-sigterm"}
"""Ended in the midst: of the last answer only the first moment's output is known."""


@named
def test_tokens_are_those_the_api_served(recording: Recording) -> None:
    activities, _ = recording.read()
    used, served = total(activities), recording.facts["served"]
    prompt = served["input"] + served["cached"] + served["cache_write"]
    if recording.name in WITHOUT_TOKENS:
        assert used == Used(cost=used.cost)
    elif recording.name in PARTLY:
        assert (used.input, used.output) == (prompt, len([1 for status in recording.facts["answers"] if status == 200]))
    else:
        assert (used.input, used.output) == (prompt, served["output"])
        assert used.cached in (served["cached"], 0)


@named
def test_activities_fit_the_wire_and_hold_nothing_endless(recording: Recording) -> None:
    activities, _ = recording.read()
    for activity in activities:
        assert from_wire(msgpack.unpackb(msgpack.packb(to_wire(activity)))) == activity


@named
def test_each_tool_that_ends_was_called(recording: Recording) -> None:
    activities, _ = recording.read()
    called: list[str] = []
    for activity in activities:
        if isinstance(activity, ToolCalled):
            assert activity.tool
            assert activity.id not in called
            called.append(activity.id)
        elif isinstance(activity, ToolEnded):
            assert activity.id in called


EDITED = [recording for recording in RECORDINGS if recording.name.endswith("-edit")]


@pytest.mark.parametrize("recording", EDITED, ids=lambda recording: recording.name)
def test_an_edit_is_seen(recording: Recording) -> None:
    activities, reader = recording.read()
    written = [path for activity in activities if isinstance(activity, ToolCalled) for path in activity.paths_written]
    commands = [activity.command for activity in activities if isinstance(activity, ToolCalled)]
    assert any(path.endswith("README.md") for path in written) or any("README.md" in command for command in commands)
    judged = reader.judge(recording.facts["exit_code"], recording.facts["signal"])
    assert judged.ok is True
    assert reader.finished
    assert judged.reason == ""


@pytest.mark.parametrize("name", ["claude-edit", "codex-edit"])
def test_texts_tools_and_session(name: str) -> None:
    assert [said.text for said in found(name, Said)] == ["I look first.", "Editing.", "Checking.", "Edited README.md."]
    assert [ended.ok for ended in found(name, ToolEnded)] == [True, True, True]
    (session,) = found(name, SessionNamed)
    assert session.program_session.startswith("00000000-0000-4000")
    (result,) = found(name, Result)
    assert (result.ok, result.text) == (True, "Edited README.md.")


def test_claude_tells_paths_context_and_cost() -> None:
    read, edit, shell = found("claude-edit", ToolCalled)
    assert (read.tool, read.paths_read) == ("Read", ("/home/dev/repository/README.md",))
    assert (edit.tool, edit.paths_written) == ("Edit", ("/home/dev/repository/README.md",))
    assert (shell.tool, shell.command) == ("Bash", "git status --short && cat README.md")
    assert [used.context for used in found("claude-edit", Used) if used.context] == [1400, 1500, 1650, 2800]
    assert found("claude-edit", ContextWindow) == [ContextWindow(1_000_000)]
    result = json.loads(BY_NAME["claude-edit"].streams[STDOUT].splitlines()[-1])
    assert total(BY_NAME["claude-edit"].read()[0]).cost == pytest.approx(result["total_cost_usd"])


def test_a_session_that_goes_on_costs_only_what_is_new() -> None:
    """claude, codex and goose report what the whole session used from its first day on."""
    for name in ("claude-resumed", "codex-resumed", "goose-resumed"):
        recording = BY_NAME[name]
        before = recording.facts["used_before"]
        used, served = total(recording.read()[0]), recording.facts["served"]
        assert before["output"] > 0
        assert used.output == served["output"]
    lines = BY_NAME["claude-resumed"].streams[STDOUT].splitlines()
    cost = json.loads(lines[-1])["total_cost_usd"] - BY_NAME["claude-resumed"].facts["used_before"]["cost"]
    assert total(BY_NAME["claude-resumed"].read()[0]).cost == pytest.approx(cost)


def test_an_older_claude_that_only_has_totals_is_counted_right_too() -> None:
    for name in ("claude-resumed", "claude-background"):
        recording = BY_NAME[name]
        reader = recording.reader()
        activities = []
        for line in recording.streams[STDOUT].splitlines():
            event = json.loads(line)
            event.pop("model_usage_since_last_result", None)
            activities += reader.feed(json.dumps(event).encode() + b"\n")
        now, then = total(activities), total(recording.read()[0])
        assert (now.input, now.output, now.cached) == (then.input, then.output, then.cached)
        assert now.cost == pytest.approx(then.cost)


def test_work_in_the_background_gives_a_second_result() -> None:
    recording = BY_NAME["claude-background"]
    reader = recording.reader()
    finished = []
    for line in recording.streams[STDOUT].splitlines(keepends=True):
        reader.feed(line)
        finished.append(reader.finished)
    changes = [now for before, now in itertools.pairwise(finished) if before != now]
    assert changes == [True, False, True]


def test_what_is_not_permitted_is_told() -> None:
    denied = [ended for ended in found("claude-denied", ToolEnded) if ended.denied]
    assert len(denied) == 1
    assert denied[0].ok is False
    assert "denied" in denied[0].detail
    (result,) = found("claude-denied", Result)
    assert (result.ok, result.denied) == (True, 1)


def test_retries_are_seen() -> None:
    (retry,) = found("claude-retry", Retrying)
    assert (retry.attempt, retry.limit, retry.status, retry.error) == (1, 2, 529, "overloaded")
    assert 0 < retry.delay < 60


@pytest.mark.parametrize(("name", "provider"), [("claude-429-reset", "anthropic"), ("codex-429-reset", "openai")])
def test_a_limit_tells_when_it_ends(name: str, provider: str) -> None:
    (limited,) = found(name, RateLimited)
    assert limited.refused
    assert limited.provider == provider
    assert limited.reset_at is not None
    _, reader = BY_NAME[name].read()
    assert reader.judge(1, None).reset_at == limited.reset_at


SAID_BY_GOOSE = [
    ("Ran into this error: {0}.\n\nPlease retry if you think this is a transient or recoverable error.", "{0}"),
    ("{0}\n\nPlease resend your message to try again.", "{0}"),
]


@pytest.mark.parametrize(("form", "reason"), SAID_BY_GOOSE)
@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("Authentication error: Status: 401 Unauthorized", "login"),
        ("Rate limit exceeded: too many", "rate-limited"),
        ("Server error: 529 Overloaded", "overloaded"),
        ("Network error: error sending request: connection refused", "overloaded"),
        ("Context length exceeded: 300000 tokens", ""),
    ],
)
def test_an_error_that_an_older_goose_only_talks_about_is_a_failure(
    form: str, reason: str, error: str, cause: str
) -> None:
    reader = BY_NAME["goose-edit"].reader()
    blocks = [("m1", "Half a sen"), ("", form.format(error))]
    for name, words in blocks:
        message = {"id": name or None, "role": "assistant", "content": [{"type": "text", "text": words}]}
        reader.feed(json.dumps({"type": "message", "message": message}).encode() + b"\n")
    reader.feed(b'{"type":"complete","total_tokens":10}\n')
    judged = reader.judge(0, None)
    assert (judged.ok, judged.reason, judged.cause) == (False, reason.format(error), cause)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "error", "kind": "authentication", "message": "Status: 401 Unauthorized"},
        {"type": "systemNotification", "notificationType": "creditsExhausted", "msg": "Please add credits."},
    ],
)
def test_an_error_inside_a_message_of_goose_is_a_failure(block: dict[str, str]) -> None:
    reader = BY_NAME["goose-edit"].reader()
    message = {"role": "assistant", "content": [block]}
    reader.feed(json.dumps({"type": "message", "message": message}).encode() + b'\n{"type":"complete"}\n')
    assert reader.judge(0, None).ok is False


def test_goose_tells_how_its_commands_ended() -> None:
    assert [ended.exit_code for ended in found("goose-edit", ToolEnded)] == [0, None, 0]


# --- how it is cut ------------------------------------------------------------------------------------------------


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(cut, len(data)) for cut in cuts})
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@of_each
@given(data=st.data(), seed=st.integers(0, 2**32), count=st.integers(0, 60), view=st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_cutting_gives_the_same(program: str, data: st.DataObject, seed: int, count: int, view: bool) -> None:
    recording = data.draw(one_of(program))
    whole, first = recording.read()
    reader = recording.reader()
    cut = random.Random(seed)
    activities = []
    for stream, printed in recording.streams.items():
        if stream == SIDE and reader.side_files[0].whole:
            activities += reader.feed(printed, stream)
            continue
        for piece in pieces_of(printed, [cut.randrange(len(printed)) for _ in range(count)]):
            activities += reader.feed(memoryview(piece) if view else piece, stream)
    activities += reader.close()
    assert activities == whole
    for ending in ((0, None), (1, None), (None, 9)):
        assert reader.judge(*ending) == first.judge(*ending)


def test_a_byte_at_a_time() -> None:
    recording = BY_NAME["claude-edit"]
    reader = recording.reader()
    data = recording.streams[STDOUT]
    activities = [activity for byte in data for activity in reader.feed(bytes([byte]))]
    assert activities + reader.close() == recording.read()[0]


# --- what is broken -----------------------------------------------------------------------------------------------

NESTED = b"[" * 100_000
ODDITIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"{}",
    b'{"type":null}',
    b'{"type":[]}',
    b'{"type":"assistant","message":7}',
    b'{"type":"assistant","message":{"id":{},"usage":[],"content":{"a":1}}}',
    b'{"type":"assistant","message":{"id":"m","usage":{"input_tokens":-1e999,"output_tokens":"x"},"content":[1,null]}}',
    b'{"type":"user","message":{"content":"plain"}}',
    b'{"type":"result","usage":null,"modelUsage":[],"permission_denials":3,"total_cost_usd":NaN}',
    b'{"type":"result","modelUsage":{"m":{"contextWindow":1e400}},"model_usage_since_last_result":{"m":{"costUSD":"1"}}}',
    b'{"type":"item.completed","item":{"type":"file_change","id":[],"changes":{"path":1}}}',
    b'{"type":"turn.completed","usage":{"input_tokens":true}}',
    b'{"type":"turn.failed","error":"plain"}',
    b'{"type":"error","message":{"deep":[]}}',
    b'{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":"soon"}}',
    b'{"type":"system","subtype":"api_retry","attempt":"one","retry_delay_ms":[]}',
    b'{"type":"message","role":5,"content":[{"type":"text"}]}',
    b'{"type":"text","part":[]}',
    b'{"type":"step_finish","part":{"tokens":{"cache":3},"cost":"free"}}',
    b'{"event":"message_send","properties":[]}',
    b'{"type":"user","message":{"content":[{"type":"tool_result","content":"\xff\xfe"}]}}',
    b'{"type":"system","subtype":"init","session_id":"\\ud800"}',
    NESTED,
    b'{"a":' * 50_000,
    b"9" * 10_000,
    b"\0" * 1000,
]


@st.composite
def damage(draw: st.DrawFn, lines: list[bytes]) -> bytes:
    """Lines dropped, doubled, swapped, cut short, with bytes changed, and oddities between them."""
    lines = list(lines)
    for _ in range(draw(st.integers(1, 8))):
        place = draw(st.integers(0, max(0, len(lines) - 1)))
        kind = draw(st.sampled_from(["drop", "double", "swap", "cut", "flip", "odd", "join"]))
        if kind == "odd" or not lines:
            lines.insert(place, draw(st.sampled_from(ODDITIES)) + b"\n")
        elif kind == "drop":
            del lines[place]
        elif kind == "double":
            lines.insert(place, lines[place])
        elif kind == "swap":
            lines[place], lines[0] = lines[0], lines[place]
        elif kind == "cut":
            lines[place] = lines[place][: draw(st.integers(0, len(lines[place])))] + b"\n"
        elif kind == "join":
            lines[place] = lines[place].rstrip(b"\n")
        else:
            at = draw(st.integers(0, len(lines[place]) - 1)) if lines[place] else 0
            lines[place] = lines[place][:at] + draw(st.binary(max_size=4)) + lines[place][at + 1 :]
    return b"".join(lines)


@of_each
@given(data=st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_broken_makes_a_reader_fail(program: str, data: st.DataObject) -> None:
    recording = data.draw(one_of(program))
    reader = recording.reader()
    for stream, printed in recording.streams.items():
        broken = data.draw(damage(printed.splitlines(keepends=True)))
        for activity in reader.feed(broken, stream):
            # Whatever it makes of it, the daemon is told in words it can take.
            msgpack.packb(to_wire(activity))
            if isinstance(activity, Used):
                assert min(activity.input, activity.output, activity.cached, activity.context) >= 0
    reader.close()
    for ending in ((0, None), (1, None), (None, 9)):
        assert reader.judge(*ending).ok in (True, False, None)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("odd", ODDITIES, ids=range(len(ODDITIES)))
def test_oddities_one_by_one(program: str, odd: bytes) -> None:
    recording = next(recording for recording in RECORDINGS if recording.program == program)
    for stream in (STDOUT, STDERR, SIDE):
        reader = recording.reader()
        for activity in reader.feed(odd + b"\n", stream) + reader.close():
            msgpack.packb(to_wire(activity))
        reader.judge(0, None)


@named
def test_nothing_is_reported_of_noise(recording: Recording) -> None:
    reader = recording.reader()
    noise = random.Random(1).randbytes(200_000)
    assert [a for a in reader.feed(noise) + reader.close() if not isinstance(a, Said)] == []
    assert reader.judge(0, None).ok is not True


# --- long lines ---------------------------------------------------------------------------------------------------

SAID = "".join(f"{number}\tprint(\"quoted\", '}}]}},') \\\\ é\n" for number in range(3000))
TEXT = json.dumps(SAID, ensure_ascii=False)
META = ',"tool_result_meta":[{"id":"t1","permission_decision":{"decision":"accept"}}]}\n'
CLAUDE = '{"type":"user","message":{"role":"user","content":[{'
NAMED = f'{CLAUDE}"tool_use_id":"t1","type":"tool_result","content":'
GOOD = f'{NAMED}{TEXT}}}]}},"tool_use_result":{{"stdout":{TEXT}}}{META}'
SHORT = f'{NAMED}"Done."}}]}},"tool_use_result":{{"old":{TEXT}}}{META}'
WRONG = '"is_error":true,"tool_use_id":"t1"}]},"tool_use_result":'
BAD = f'{CLAUDE}"type":"tool_result","content":{TEXT},{WRONG}{TEXT}{META}'
COMMAND = '{"type":"item.completed","item":{"id":"t1","type":"command_execution","command":"make","aggregated_output":'
MADE = f'{COMMAND}{TEXT},"exit_code":0,"status":"completed"}}}}\n'
FAILED = f'{COMMAND}{TEXT},"exit_code":2,"status":"failed"}}}}\n'
GEMINI = f'{{"type":"tool_result","timestamp":"x","tool_id":"t1","status":"error","output":{TEXT}}}\n'
INSIDE = len(TEXT.encode()) - 2


@pytest.mark.parametrize(
    ("program", "line", "ok", "code", "size"),
    [
        ("claude", GOOD, True, None, INSIDE),
        ("claude", BAD, False, None, INSIDE),
        ("claude", SHORT, True, None, 7),
        ("codex", MADE, True, 0, INSIDE),
        ("codex", FAILED, False, 2, INSIDE),
        ("gemini", GEMINI, False, None, INSIDE),
    ],
    ids=["claude", "claude-failed", "claude-short", "codex", "codex-failed", "gemini"],
)
@pytest.mark.parametrize("step", [1 << 30, 100_000, 4096, 777])
def test_a_long_result_is_told_by_its_edges(
    program: str, line: str, ok: bool, code: int | None, size: int, step: int
) -> None:
    reader = BY_NAME[f"{program}-edit"].reader()
    data = line.encode()
    assert json.loads(data)
    pieces = [data[start : start + step] for start in range(0, len(data), step)]
    (ended,) = [found for piece in pieces for found in reader.feed(piece) if isinstance(found, ToolEnded)]
    assert (ended.id, ended.ok, ended.exit_code) == ("t1", ok, code)
    assert ended.size == pytest.approx(size, rel=0.01, abs=2)
    assert reader.too_long == 0


def test_fifty_megabytes_without_an_end_are_not_kept() -> None:
    import tracemalloc

    for beginning in (b"{", COMMAND.encode(), b"x"):
        reader = BY_NAME["codex-edit"].reader()
        piece = b"y" * 262_144
        tracemalloc.start()
        reader.feed(beginning)
        for _ in range(200):
            reader.feed(piece)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 4_000_000
        assert reader.feed(b'"}\n{"type":"thread.started","thread_id":"t"}\n')[-1] == SessionNamed("t")
        assert reader.too_long == (0 if beginning == COMMAND.encode() else 1)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("codex", "Error: thread/resume: thread/resume failed: no rollout found for thread id 1111 (code -32600)"),
        ("gemini", 'Error resuming session: Invalid session identifier "1111".\n  Use --list-sessions to see them.'),
        ("gemini", "Error resuming session: No previous sessions found for this project."),
        ("opencode", "Error: Session not found"),
        ("goose", "Error: No session found with name 'waved-x-a.1'"),
        ("qwen", "No saved session found with ID 1111. Run `qwen --resume` without an ID to choose one."),
    ],
)
def test_a_session_that_is_not_there_is_told_on_stderr(name: str, said: str) -> None:
    reader = BY_NAME[f"{name}-401"].reader()
    reader.feed(said.encode() + b"\n", STDERR)
    reader.close()
    judged = reader.judge(1, None)
    assert (judged.ok, judged.cause) == (False, "no-session")
