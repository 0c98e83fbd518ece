"""What the documents show is right: links and anchors, plans, configuration, command lines, Python."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.command_lines import PROGRAMS, mistake, unknown_in
from tests.documented.elsewhere import elsewhere
from tests.documented.shown import Shown, in_blocks
from tests.documents import ROOT, Block, Page, blocks, commands, pages
from tests.plan_fragments import is_whole
from wavectl import AsyncClient, Client
from waved import settings
from waved.agents.registry import BUILT_IN
from waved.domain.ladders import default_steps
from waved.errors import ExitStatus
from waved.plan.guards import SHIPPED_KINDS, Action
from waved.plan.lint import lint
from waved.plan.load import load_plan

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
SPAN = re.compile(r"`((?:wavectl|waved) [^`]+)`")
LANGUAGES = {"", "toml", "sh", "console", "python", "ini", "events", "json", "yaml", "xml", "text"}


def of(*languages: str) -> list[object]:
    return [pytest.param(block, id=block.place) for block in blocks(*languages)]


def every_page() -> list[object]:
    return [pytest.param(page, id=page.name) for page in pages()]


# --- links ---


@pytest.mark.parametrize("page", every_page())
def test_links_lead_somewhere(page: Page) -> None:
    wrong = []
    for target in (first or second for first, second in LINK.findall(page.prose)):
        path, _, anchor = target.partition("#")
        if "://" in path or path.startswith("mailto:"):
            continue
        file = (page.path.parent / path).resolve() if path else page.path
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in Page(file).anchors):
            wrong.append(target)
    assert wrong == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, new = set(), {ROOT / "README.md"}
    while new:
        reached |= new
        targets = {
            (page.parent / (first or second).partition("#")[0]).resolve()
            for page in new
            for first, second in LINK.findall(Page(page).prose)
            if "://" not in (first or second)
        }
        new = {target for target in targets if target.suffix == ".md" and target.is_file()} - reached
    assert [page.name for page in pages() if page.path.resolve() not in reached] == []


# --- blocks ---


def test_each_block_has_a_language_that_is_checked() -> None:
    assert [
        block.place for block in blocks(*{each.language for page in pages() for each in page.blocks} - LANGUAGES)
    ] == []
    told = [
        block.place
        for block in blocks("", "text")
        if re.search(r"^\s*(\w*\$ )?(wavectl|waved) [a-z-]", block.text, re.M)
    ]
    assert told == [], "commands need a language: sh, or console with `$` before each"


# --- plans ---


@pytest.mark.parametrize("block", of("toml"))
def test_toml_is_right(block: Block, tmp_path: Path) -> None:
    """Plans and parts of them are run by tests/integration/test_documented_plans.py."""
    if block.file == settings.NAME:
        (tmp_path / settings.NAME).write_text(block.text)
        settings.load(tmp_path / settings.NAME, required=True)
    elif block.text.startswith("[project.entry-points"):
        (group,) = tomllib.loads(block.text)["project"]["entry-points"]
        assert group in ("waved.agents", "waved.monitors")
    elif is_whole(block.text):
        (tmp_path / "plan.toml").write_text(block.text)
        assert lint(load_plan(tmp_path / "plan.toml").plan) == [], "a plan that is shown is a good one"


@pytest.mark.parametrize("file", sorted((ROOT / "docs").rglob("*.toml")), ids=lambda file: file.name)
def test_there_is_nothing_to_advise_about_the_examples(file: Path) -> None:
    assert lint(load_plan(file).plan) == []


# --- command lines ---


@pytest.mark.parametrize(
    "shown", [each for page in pages() for each in in_blocks(page) if elsewhere(each.text)], ids=str
)
def test_commands_that_other_tests_run_are_right_as_they_stand(shown: Shown) -> None:
    """All else is run: tests/integration/test_documented_commands.py."""
    assert [
        mistake(words) for words in commands(shown.text) if words[0].rpartition("/")[2] in PROGRAMS and mistake(words)
    ] == []


@pytest.mark.parametrize("block", of("sh", "console"))
def test_blocks_for_a_shell_have_commands(block: Block) -> None:
    assert block.command_lines(), "no command in it; has each line its `$`?"


@pytest.mark.parametrize("page", every_page())
def test_commands_in_running_text_exist(page: Page) -> None:
    told = {span: unknown_in(span.replace("\\|", "|")) for span in SPAN.findall(page.prose)}
    assert {span: wrong for span, wrong in told.items() if wrong} == {}


def test_every_command_is_in_the_table_of_commands() -> None:
    from wavectl.cli import COMMANDS

    page = (ROOT / "docs" / "wavectl.md").read_text()
    assert [name for name in COMMANDS if not re.search(rf"^\| `wavectl {name}\b", page, re.M)] == []


def test_every_exit_status_is_documented() -> None:
    page = (ROOT / "docs" / "wavectl.md").read_text()
    table = page[page.index("## Exit statuses") :]
    documented = {int(number) for number in re.findall(r"^\| (\d+) \|", table, re.M)}
    assert documented == {int(status) for status in ExitStatus} | {141}


def test_what_is_wrong_is_found() -> None:
    """Else the checks above would say nothing."""
    assert mistake(["wavectl", "list", "--nope"]) and mistake(["wavectl", "nope"]) and mistake(["wavectl", "plan"])
    assert mistake(["/opt/bin/wavectl", "wait", "--timeout", "soon"]) and mistake(["waved", "--nope"])
    assert mistake(["wavectl", "plan", "check", "plan.toml"]) == "" == mistake(["waved", "--check"])
    assert unknown_in("wavectl plan check|shwo [FILE] --sctrict") == ["shwo", "--sctrict"]
    assert unknown_in("wavectl --system rollback [SESSION] --file P|--agent A") == []
    assert [*map(len, commands("sudo -u waved A=1 wavectl list --json | jq . > out && wavectl wait"))] == [3, 2, 2]


# --- Python ---


@pytest.mark.parametrize("block", of("python"))
def test_python_is_right(block: Block) -> None:
    """It compiles, what it imports is there, and calls of clients fit the client's methods."""
    tree = ast.parse(block.text, block.place)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            assert [each.name for each in node.names if not hasattr(module, each.name)] == []
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if isinstance(node.func.value, ast.Name) and node.func.value.id == "client":
                for kind in (Client, AsyncClient):
                    method = getattr(kind, node.func.attr)
                    inspect.signature(method).bind(None, *node.args, **{each.arg: None for each in node.keywords})
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Client":
            inspect.signature(Client).bind(*node.args, **{each.arg: None for each in node.keywords})
    if not any(isinstance(node, ast.With) for node in tree.body):
        exec(compile(tree, block.place, "exec"), {"__name__": "documented"})


# --- pages of monitors ---


@pytest.mark.parametrize("kind", SHIPPED_KINDS)
def test_default_ladders_are_the_ones_of_the_code(kind: str) -> None:
    steps = default_steps(kind)
    actions = [action for step in steps for action in step.do]
    index = (ROOT / "docs" / "monitors.md").read_text()
    row = next(line for line in index.splitlines() if line.startswith(f"| [`{kind}`]"))
    page = " ".join((ROOT / "docs" / "monitors" / f"{kind}.md").read_text().split())
    sentence = page.partition("Default: ")[2].partition(". ")[0]
    for told in (row.rsplit("|", 2)[1], sentence):
        assert re.findall(r"`([a-z-]+)`", told) == actions
        assert ("twice" in told) == any(step.times == 2 for step in steps)


def test_each_action_is_explained() -> None:
    page = (ROOT / "docs" / "guards.md").read_text()
    assert [action for action in get_args(Action) if f"\n| `{action}` |" not in page] == []


# --- pages of agent programs ---


def test_each_agent_program_has_a_page_that_says_what_the_tables_say() -> None:
    folder = ROOT / "docs" / "agents"
    assert {page.stem for page in folder.glob("*.md")} == set(BUILT_IN)
    done = subprocess.run([sys.executable, folder / "build.py", "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    for page in folder.glob("*.md"):
        assert f"| command line | `{page.stem} " in page.read_text() or page.stem == "command"


# --- the project's own tables ---


def test_constraints_pin_a_release_that_satisfies_each_requirement() -> None:
    lines = (ROOT / ".ci" / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    releases = {canonicalize_name(name): release for name, release in pinned.items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = itertools.chain(project["dependencies"], *project["optional-dependencies"].values())
    wrong = []
    for requirement in map(Requirement, declared):
        release = releases.get(canonicalize_name(requirement.name))
        if release is None or not requirement.specifier.contains(release, prereleases=True):
            wrong.append(f"{requirement}: {release}")
    assert wrong == []
