"""Installing as README.md says, from a copy of the project, into a home folder of its own; it downloads packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.documents import ROOT, Page

pytestmark = pytest.mark.torture
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "build", "*.egg-info", "__pycache__", ".*_cache")


def lines_of(page: str, beginning: str) -> list[str]:
    """The commands of the block that begins so."""
    (block,) = [each for each in Page(ROOT / page).blocks if each.language == "sh" and each.text.startswith(beginning)]
    return block.command_lines()


@pytest.mark.timeout(600)
def test_what_the_readme_installs_works_and_man_finds_its_pages(tmp_path: Path) -> None:
    shutil.copytree(ROOT, tmp_path / "waved", ignore=_LEFT_OUT, symlinks=True)
    (tmp_path / "home" / ".local" / "bin").mkdir(parents=True)
    environ = {
        "HOME": str(tmp_path / "home"), "LC_ALL": "C.UTF-8", "MANPAGER": "cat", "PATH": "/usr/local/bin:/usr/bin:/bin",
        **{name: value for name, value in os.environ.items() if name.startswith(("PIP_", "http", "HTTP"))},
    }  # fmt: skip

    def run(command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path / "waved", env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    for line in lines_of("README.md", "python3 -m venv"):
        run(line)
    assert run("~/.local/bin/wavectl --version").startswith("wavectl ")
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    for line in lines_of("docs/operations.md", "man -M"):
        assert "waved" in run(line.replace("/opt/waved/", "~/.local/share/waved/"))
