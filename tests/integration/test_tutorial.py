"""The tutorial works: each file it shows is written, each command is run, in order, and prints what is shown."""

from __future__ import annotations

from pathlib import Path

from tests.live import processes_of, wait_for
from tests.tutorial import TUTORIAL, Reader


def test_the_tutorial_can_be_followed(short_tmp: Path) -> None:
    reader = Reader(short_tmp)
    try:
        wrong = [each for block in TUTORIAL.blocks for each in reader.follow(block)]
    finally:
        reader.run("wavectl daemon stop --sessions stop")
    hint = "`python -m tests.tutorial` writes what is printed now into the page"
    assert wrong == [], "\n\n".join([*wrong, hint])
    wait_for(lambda: not processes_of(short_tmp), 10, lambda: f"left behind: {processes_of(short_tmp)}")


def test_what_is_not_so_is_found(tmp_path: Path) -> None:
    """Else following the tutorial would say nothing."""
    reader = Reader(tmp_path)
    same = "night-a7dt\n  ▶  soak  running    1.74s\n  list |████▎   | 12ms"
    assert (
        reader.difference("wavectl status", same, same.replace("a7dt", "zzzz").replace("1.74", "9").replace("▎", "█"))
        == ""
    )
    assert reader.theirs == {"night-a7dt": "night-zzzz"}
    assert reader.difference("wavectl status", same, same.replace("soak", "lint"))
    assert reader.difference("wavectl status", same, same.partition("\n")[0])
    assert reader.difference("wavectl run x", "b\na 1\n…", "a 2\nmore\nb") == ""
    assert reader.difference("wavectl run x", "b\na 1\nc\n…", "a 2\nmore\nb")
    assert reader.difference("ls", "a\n…\nd …", "a\nb\nc\nd e") == ""
    assert reader.difference("ls", "a\n…\nd", "a\nb\nc") and reader.difference("ls", "", "a")
