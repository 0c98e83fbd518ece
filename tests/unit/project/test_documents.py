"""What the README shows works, its links lead somewhere, and CI's constraints cover what is declared."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from waved.plan.lint import lint
from waved.plan.load import load_plan

ROOT = Path(__file__).resolve().parents[3]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    return [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        *ROOT.glob("systemd/*.md"),
    ]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = [target.partition("#")[0] for target in LINK.findall(page.read_text()) if "://" not in target]
    assert [target for target in targets if target and not (page.parent / target).exists()] == []


def test_the_first_plan_of_the_readme_is_right(tmp_path: Path) -> None:
    (written,) = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    plan = tmp_path / "plan.toml"
    plan.write_text(written)
    assert [wave.name for wave in load_plan(plan).plan.waves] == ["research", "execution"]


def test_there_is_nothing_to_advise_about_the_demo() -> None:
    assert lint(load_plan(ROOT / "docs" / "examples" / "demo.toml").plan) == []


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
