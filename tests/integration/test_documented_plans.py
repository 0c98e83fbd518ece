"""Every plan that README.md and docs/ show runs to its end; parts of plans too, made whole (tests/plan_fragments.py).

Programs stand in for agents, builds and servers (tests/documented/stand_ins.py). The tutorial's plans are run by its
own test, those of docs/examples by theirs.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documented import stand_ins
from tests.documents import ROOT, Block, blocks
from tests.live import PATIENCE, Daemon, assignments
from tests.plan_fragments import is_whole, whole
from tests.sandboxes import why_none
from tests.tutorial import TUTORIAL
from waved import settings

EXAMPLES = {
    "docs/examples/demo.toml": "tests/system/test_demo.py",
    "docs/examples/parallel-deployment.toml": "tests/integration/test_example_plan.py",
}
"""Plans in files, and which test runs each."""
TEMPLATES = ROOT / "waved" / "plan" / "templates"
PAGE_ME = "/usr/local/bin/page-me"


def plans() -> Iterator[Block]:
    """Each once, however many pages show it."""
    seen = set()
    for block in blocks("toml"):
        told = block.file == settings.NAME or block.text.startswith("[project.entry-points")
        if not told and not (block.page == TUTORIAL.name and block.file) and block.text not in seen:
            seen.add(block.text)
            yield block


@pytest.fixture(scope="module")
def shop(shared_daemon: Daemon) -> Iterator[Path]:
    """A repository with all that the documents' plans expect to be there."""
    folder = shared_daemon.folder / "shop"
    stand_ins.install(folder / "bin")
    (folder / "docs" / "session").mkdir(parents=True)
    (folder / "scripts").mkdir()
    (folder / "README.md").write_text("# A shop\n")
    (folder / "index.html").write_text("<title>Shop</title>\n")
    for name in ("api", "patterns", "schema"):
        (folder / "docs" / "session" / f"{name}.md").write_text(f"# {name}\n" * 40)
    (folder / "scripts" / "check-schema").write_text("#!/bin/sh\n")
    (folder / "scripts" / "check-schema").chmod(0o755)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
        yield folder


@pytest.mark.parametrize("block", [pytest.param(block, id=block.place) for block in plans()])
def test_it_runs_to_its_end(block: Block, shared_daemon: Daemon, shop: Path) -> None:
    if "sandbox =" in block.text and why_none():
        pytest.skip(why_none())
    text = block.text if is_whole(block.text) else whole(block.text, shop)
    runs_to_its_end(text.replace(PAGE_ME, str(shop / "bin" / "page-me")), shared_daemon, shop)


@pytest.mark.parametrize("template", sorted(TEMPLATES.glob("*.toml")), ids=lambda file: file.stem)
def test_what_plan_new_writes_runs_to_its_end(template: Path, shared_daemon: Daemon, shop: Path) -> None:
    """The README and the plan reference send a reader there."""
    runs_to_its_end(template.read_text(), shared_daemon, shop)


def runs_to_its_end(text: str, daemon: Daemon, shop: Path) -> None:
    (shop / "plan.toml").write_text(text)
    with daemon.client() as client:
        session = client.run(shop / "plan.toml", workspace=shop, wait=False)["session"]
        view = client.wait(session, timeout=PATIENCE)
    wrong = [item for item in view["checklist"] if not item["ok"]]
    assert (view["outcome"], wrong) == ("succeeded", []), view["reason"]
    assert {one["outcome"] for one in assignments(view).values()} == {"succeeded"}


def test_the_plans_of_other_tests_are_run_by_them() -> None:
    shown = {str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.toml")}
    assert shown == {*EXAMPLES}
    assert [plan for plan, test in EXAMPLES.items() if Path(plan).name not in (ROOT / test).read_text()] == []
    followed = [line for block in TUTORIAL.blocks for line in block.command_lines() if block.language == "console"]
    files = [block.file for block in TUTORIAL.blocks if block.language == "toml" and block.file]
    assert [name for name in files if not any("wavectl run" in line and name in line for line in followed)] == []
