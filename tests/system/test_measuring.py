"""The benchmarks run as docs/performance.md and docs/reliability.md have them typed; what they find is not judged."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.documents import ROOT, pages

pytestmark = [pytest.mark.torture, pytest.mark.timeout(1800)]
NAMES = sorted({name for page in pages() for name in re.findall(r"python -m tests\.benchmarks\.(\w+)", page.text)})


@pytest.mark.parametrize("name", NAMES)
def test_it_measures_and_ends(name: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WAVED_")}
    command = [sys.executable, "-m", f"tests.benchmarks.{name}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
