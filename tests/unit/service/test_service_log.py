"""The log's lines: one JSON object each, bounded, masked, with priorities for the journal, in files that rotate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from waved.log import LONGEST, bounded, is_journal

WRITE = """
import structlog
from pathlib import Path
from waved import log
from waved.masking import Masks

masks = Masks()
masks.keep("s", dict(session=dict(API_KEY="geheim12345")), [])
log.set_up({file}, max_size={max_size}, keep={keep}, level="info", masks=masks)
say = structlog.get_logger("waved")
"""


def printed(
    script: str, tmp_path: Path, file: str = "None", max_size: int = 10**6, keep: int = 2, journal: bool = False
) -> str:
    """What a process that logs prints on stderr."""
    target = tmp_path / "stderr"
    with target.open("w") as stream:
        status = os.fstat(stream.fileno())
        variables = {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}" if journal else "1:1"}
        text = WRITE.format(file=file, max_size=max_size, keep=keep) + script
        subprocess.run([sys.executable, "-c", text], stderr=stream, check=True, env=variables)
    return target.read_text()


def test_lines_are_json_with_level_and_time(tmp_path: Path) -> None:
    (line,) = printed('say.warning("run.ended", seq=7, session="s-1")', tmp_path).splitlines()
    found = json.loads(line)
    assert found.pop("timestamp").endswith("Z")
    assert found == {"event": "run.ended", "level": "warning", "seq": 7, "session": "s-1"}


def test_lines_for_systemds_journal_have_their_priority(tmp_path: Path) -> None:
    script = 'say.debug("no"); say.info("i"); say.warning("w"); say.error("e"); say.critical("c")'
    lines = printed(script, tmp_path, journal=True).splitlines()
    assert [line[:3] for line in lines] == ["<6>", "<4>", "<3>", "<2>"]
    assert [json.loads(line[3:])["event"] for line in lines] == ["i", "w", "e", "c"]
    assert not is_journal({"JOURNAL_STREAM": "1:1"})


def test_secrets_are_masked_in_texts_lists_and_tracebacks(tmp_path: Path) -> None:
    script = (
        "key = 'geheim12345'\n"
        "try:\n    raise ValueError(f'bad {key}')\nexcept ValueError as error:\n"
        "    say.error('defect', hint=[key], exc_info=error)"
    )
    text = printed(script, tmp_path)
    assert "geheim12345" not in text
    found = json.loads(text)
    assert found["hint"] == ["[masked API_KEY]"]
    assert found["exception"][0]["exc_value"] == "bad [masked API_KEY]"
    assert "locals" not in found["exception"][0]["frames"][0] or not found["exception"][0]["frames"][0]["locals"]


def test_what_is_too_long_for_a_line_is_cut(tmp_path: Path) -> None:
    text = printed('say.info("x", detail="a" * 10**6, many=list(range(10**5)), deep={"a": "b" * 10**6})', tmp_path)
    assert len(text) < 3 * LONGEST
    assert json.loads(text)["detail"].endswith("… (1000000 characters)")
    assert bounded("short") == "short"


def test_a_full_file_becomes_the_first_of_those_that_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "waved.log"
    script = 'for number in range(60): say.info("line", number=number, pad="x" * 100)\nraise SystemExit(0)'
    assert printed(script, tmp_path, file=f"Path({str(file)!r})", max_size=2000, keep=2) == ""
    assert sorted(path.name for path in tmp_path.glob("waved.log*")) == ["waved.log", "waved.log.1", "waved.log.2"]
    sizes = [path.stat().st_size for path in tmp_path.glob("waved.log*")]
    assert all(0 < size <= 2000 for size in sizes)
    kept = [tmp_path / "waved.log.2", tmp_path / "waved.log.1", file]
    numbers = [json.loads(line)["number"] for path in kept for line in path.read_text().splitlines()]
    assert numbers == list(range(numbers[0], 60)), "nothing is lost between two files"
    assert file.stat().st_mode & 0o777 == 0o640 & ~_umask()


def test_with_none_kept_the_file_begins_anew_and_takes_what_a_crash_prints(tmp_path: Path) -> None:
    file = tmp_path / "waved.log"
    script = 'for number in range(60): say.info("line", number=number)\nimport os; os.write(2, b"Fatal\\n")'
    printed(script, tmp_path, file=f"Path({str(file)!r})", max_size=500, keep=0)
    assert [path.name for path in tmp_path.glob("waved.log*")] == ["waved.log"]
    assert file.read_text().endswith("Fatal\n")
    assert file.stat().st_size <= 600


def test_a_full_disk_costs_lines_and_nothing_else(tmp_path: Path) -> None:
    script = 'say.info("x" * 100)\nprint("alive")'
    text = WRITE.format(file='Path("/dev/full")', max_size=10, keep=1) + script
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "alive\n")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
