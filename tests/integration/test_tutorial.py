"""The tutorial works: each file it shows is written, each command is run, in order, and prints what is shown."""

from __future__ import annotations

import shlex
from pathlib import Path

from tests.documents import ROOT, Page, blocks, commands
from tests.live import processes_of, wait_for
from tests.tutorial import TUTORIAL, Reader
from waved.errors import ExitStatus


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


LOOKS = ("status", "list", "logs", "events", "metrics", "diff", "plan", "snapshots list", "daemon status")
"""Commands that change nothing."""


def documented(*names: str) -> list[str]:
    """Command lines of these commands in all documents, but those that are marked as not run, and the tutorial's."""
    lines = [
        shlex.join(words)
        for block in blocks("sh", "console")
        if not block.not_run and block.page != TUTORIAL.name
        for line in block.command_lines()
        for words in commands(line)
    ]
    wanted = tuple(f"wavectl {name}" for name in names)
    return sorted({line for line in lines if line.startswith(wanted) and " -f" not in line})


def test_the_python_of_the_readme_runs_and_what_only_looks(short_tmp: Path) -> None:
    """The example deploys programs in the place of ruff and pytest. Then every documented command that changes nothing
    is run: it succeeds, or says that there is no session of that name.
    """
    reader = Reader(short_tmp)
    for name in ("ruff", "pytest"):
        program = short_tmp / name
        program.write_text("#!/bin/sh\necho $0 $*\n")
        program.chmod(0o755)
    reader.environment["PATH"] = f"{short_tmp}:{reader.environment['PATH']}"
    readme = Page(ROOT / "README.md").blocks
    (example,) = [block for block in readme if block.language == "python"]
    (plan,) = [block for block in readme if block.language == "toml"]
    (reader.home / "example.py").write_text(example.text)
    (reader.home / "plan.toml").write_text(plan.text)
    try:
        assert reader.run("python example.py") == "succeeded\n"
        assert sorted(reader.run("wavectl logs").split()) == sorted(
            f"lint | {short_tmp}/ruff check . tests | {short_tmp}/pytest -q".split()
        )
        looked = documented(*LOOKS)
        assert len(looked) >= 6
        for line in looked:
            printed = reader.run(line)
            assert reader.status in (0, ExitStatus.NOT_FOUND), f"{line}: {reader.status}: {printed}"
    finally:
        reader.run("wavectl daemon stop --sessions stop")
    wait_for(lambda: not processes_of(short_tmp), 10, lambda: f"left behind: {processes_of(short_tmp)}")
