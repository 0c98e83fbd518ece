"""Files that are too long before the first wave."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from waved.gates import sizes
from waved.plan.load import plan_from_json


def plan_with(**monitor: Any) -> Any:
    """A plan with one monitor of file sizes."""
    table = {"kind": "file-size", "paths": ["src/**"], "max_lines": 3, **monitor}
    waves = [{"name": "w", "agent": [{"name": "a", "command": ["true"]}]}]
    return plan_from_json({"session": {"name": "x"}, "monitor": [table], "wave": waves})


def test_they_are_found_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "short.ts").write_text("1\n2\n3\n")
    (tmp_path / "src" / "long.ts").write_text("1\n2\n3\n4")
    (tmp_path / "src" / "made.ts").write_text("1\n" * 9)
    (tmp_path / "elsewhere.ts").write_text("1\n" * 9)
    assert sizes.oversize(tmp_path, plan_with(exclude=["src/made.ts"])) == ({"src/long.ts": (4, 3)}, 2)


def test_what_git_ignores_does_not_count(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("gen/\n")
    (tmp_path / "src" / "gen").mkdir(parents=True)
    (tmp_path / "src" / "gen" / "long.ts").write_text("1\n" * 9)
    assert sizes.oversize(tmp_path, plan_with()) == ({}, 0)


def test_a_monitor_that_allows_them_asks_for_nothing() -> None:
    assert sizes.monitors(plan_with(existing="allow")) == []
    assert sizes.monitors(plan_with(max_lines=None)) == []
    assert len(sizes.monitors(plan_with())) == 1
