"""Lines out of pieces, and the last lines of long outputs."""

from __future__ import annotations

from fake_daemon import FakeDaemon
from hypothesis import given
from hypothesis import strategies as st

from wavectl import Client
from wavectl.outputs import LONGEST_LINE, Assembler, RunOutput, tail, tail_offset

PIECES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=12) | st.just(b"\n")), max_size=30)


@given(PIECES)
def test_no_byte_is_lost_and_streams_do_not_mix(pieces: list[tuple[int, bytes]]) -> None:
    assembler = Assembler()
    lines = [line for at, (stream, data) in enumerate(pieces) for line in assembler.feed(float(at), stream, data)]
    rest = assembler.flush()
    for stream in (1, 2):
        whole = b"".join(data for owner, data in pieces if owner == stream)
        *complete, end = whole.split(b"\n")
        expected = [line.removesuffix(b"\r") for line in complete] + ([end] if end else [])
        assert [line.data for line in [*lines, *rest] if line.stream == stream] == expected
    times = [line.time for line in [*lines, *rest]]
    assert times == sorted(times)
    assert assembler.flush() == []


def test_an_endless_line_comes_in_pieces_of_bounded_size() -> None:
    assembler = Assembler()
    lines = [line for _ in range(50) for line in assembler.feed(1.0, 1, b"x" * 10_000)]
    assert {len(line.data) for line in lines} == {LONGEST_LINE}
    assert sum(len(line.data) for line in [*lines, *assembler.flush()]) == 500_000


def test_long_outputs_with_many_records(daemon: FakeDaemon, client: Client) -> None:
    daemon.hold = {"a"}
    session = client.deploy([{"name": "a", "command": "true"}], wait=False)["session"]
    run = client.status(session)["waves"][0]["assignments"][0]["runs"][0]["run"]
    whole = b"".join(b"line %06d\n" % number for number in range(60_000))
    daemon.outputs[run] = [(float(at), 1, whole[at : at + 4096]) for at in range(0, len(whole), 4096)]
    output = RunOutput(client, session, run)
    assert b"".join(line.data + b"\n" for line in output.all_lines()) == whole
    assert not output.ended
    assert tail(client, session, run, 2) == ["line 059998", "line 059999"]
    assert whole[tail_offset(client, session, run, 30_000) :].startswith(b"line 030000\n")
    assert tail_offset(client, session, run, 0) == len(whole)
    assert tail_offset(client, session, run, 10**6) == 0
    daemon.outputs[run].append((1.0, 1, b"no end"))
    assert list(output.all_lines()) == []
    daemon.finish("a")
    assert [line.text for line in output.all_lines()] == ["no end"]
    assert output.ended
