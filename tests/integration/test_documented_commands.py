"""Every command that README.md and docs/ show is run as it stands there, or stands in tests/documented/elsewhere.py."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documented.effects import missing
from tests.documented.elsewhere import ELSEWHERE, elsewhere
from tests.documented.scenes import SCENES, by_needs, scene_of, tried
from tests.documented.shown import Shown, in_blocks, in_text, pages_with_commands
from tests.documented.world import World
from tests.documents import Page, blocks

EVERY = [*(shown for page in pages_with_commands() for shown in in_blocks(page)), *in_text()]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    made = World(Path(tempfile.mkdtemp(prefix="waved-t-")))
    try:
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in pages_with_commands()])
def test_commands_of_blocks_do_what_the_page_says(page: Page, world: World) -> None:
    wrong = [each for shown in in_blocks(page) if (each := tried(shown, world))]
    assert wrong == [], "\n\n".join(wrong)


def test_python_of_the_documents_that_speaks_to_a_daemon_runs(world: World) -> None:
    """What else the pages show of Python is checked by tests/unit/project/test_documents.py."""
    shown = [block for block in blocks("python") if "with Client(" in block.text]
    assert len(shown) > 1
    for block in shown:
        world.prepare("idle")
        (world.shop / "example.py").write_text(block.text)
        status, printed = world.type("python example.py")
        assert status == 0, f"{block.place}: {printed}"
        assert "succeeded" in printed


def test_commands_of_running_text_do_what_the_page_says(world: World) -> None:
    wrong = [each for shown in by_needs(in_text(), world) if (each := tried(shown, world))]
    assert wrong == [], "\n\n".join(wrong)


def test_pages_that_are_made_anew_are_as_they_were(world: World) -> None:
    world.with_pages()
    assert world.changed_pages() == []


# --- the tables ---


def test_a_block_says_that_it_is_not_run_only_if_that_is_so() -> None:
    blocks = {shown.place for shown in EVERY if shown.not_run}
    assert blocks <= {shown.place for shown in EVERY if elsewhere(shown.text)}


def test_what_is_not_run_here_is_run_where_it_is_said() -> None:
    assert [gone for entry in ELSEWHERE if (gone := entry.gone())] == []


def test_each_entry_of_the_tables_is_needed() -> None:
    needless = [each.commands for each in ELSEWHERE if not any(elsewhere(shown.text) is each for shown in EVERY)]
    assert needless == []
    assert [each.begins for each in SCENES if not any(scene_of(shown.text) is each for shown in EVERY)] == []


def test_what_no_scene_runs_is_found(world: World) -> None:
    """Else the tests above would say nothing."""
    assert "no scene runs" in tried(Shown("a page", "wavectl juggle"), world)
    assert "exit status 2" in tried(Shown("a page", "wavectl plan check --nope"), world)
    assert missing("wavectl list --json", world, "no sessions", soon=0)
    assert len(EVERY) > 150
