"""Limits of resources kept by the kernel: real control groups with controllers, a real OOM killer, a real systemd.

In a machine under User-Mode Linux, because controllers are rarely to be had elsewhere. Takes a minute: `-m uml`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.system.machine import INSTALLED, PYTHON, SOURCE, install_into

BOOT = Path(__file__).with_name("boot_uml.sh")
INSIDE = Path(__file__).with_name("limits_inside.py")


def _why_not() -> str:
    if os.geteuid() != 0:
        return "needs root: mounts are made"
    missing = [name for name in ("linux.uml", "unshare") if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)} (apt install user-mode-linux)" if missing else ""


pytestmark = [
    pytest.mark.uml,
    pytest.mark.timeout(400),
    pytest.mark.skipif(bool(_why_not()), reason=f"no machine with controllers can be booted: {_why_not()}"),
]

_RUN = f"""#!/bin/sh
set -eu
useradd --system --home-dir /var/lib/waved waved || true
# On hostfs all that is made belongs to root.
for place in /var/lib/waved /var/log/waved /srv/work /tmp; do mkdir -p $place; mount -t tmpfs tmpfs $place; done
chown waved: /srv/work
chmod 1777 /tmp
{INSTALLED}/bin/wavectl service install
exec {INSTALLED}/bin/python -c 'import sys; sys.path[:0] = ["{INSTALLED}/src", "/opt/waved-test"]
import limits_inside; limits_inside.main()'
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the machine has seen."""
    folder = tmp_path_factory.mktemp("uml")
    files = folder / "files"
    install_into(files / str(INSTALLED)[1:])
    test = files / "opt/waved-test"
    test.mkdir(parents=True)
    shutil.copy(INSIDE, test)
    (test / "run").write_text(_RUN)
    (test / "run").chmod(0o755)
    packages = INSTALLED / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    binds = [f"{sys.base_prefix}:{PYTHON}", f"{sysconfig.get_path('purelib')}:{packages}"]
    subprocess.run(["bash", str(BOOT), str(folder), *binds], check=True, cwd=SOURCE, timeout=380)
    said = folder / "said"
    told = (said if said.exists() else folder / "console").read_text(errors="replace")
    if "ptrace set fp regs failed" in told:
        pytest.skip("User-Mode Linux does not know this processor: the registers of its programs are too large for it")
    assert (folder / "out").exists(), told[-3000:]
    found: dict[str, Any] = json.loads((folder / "out").read_text())
    assert "error" not in found, f"{found['error']}\n{told[-2000:]}\n{found['journal'][-4000:]}"
    return found


def test_who_needs_more_memory_than_allowed_is_ended_by_the_kernel_alone(seen: dict[str, Any]) -> None:
    run = seen["runs"]["greedy"]
    assert (run["outcome"], run["cause"], run["signal"]) == ("signalled", "oom", 9)
    assert run["reason"] == "out of memory: it needed more than the 64 MB it may have"
    if run["memory_peak"] is not None:  # Linux 5.19
        assert 48 << 20 < run["memory_peak"] <= 65 << 20
    assert seen["runs"]["sibling"]["assignment"] == "succeeded"
    assert seen["pid before"] == seen["pid after"] != "0"


def test_processes_and_processors_are_limited(seen: dict[str, Any]) -> None:
    assert {"memory", "pids", "cpu"} <= set(seen["controllers"])
    assert seen["checklist"]["resources"] == "memory, processes, cpu: by control groups"
    assert 1 <= seen["forked"] < 12
    assert seen["runs"]["busy"]["cpu_seconds"] < 1.6  # of 3 seconds, with start-up before it is limited
    assert seen["groups left"] == []


def test_a_limited_agent_lives_through_a_restart_and_is_limited_after_it(seen: dict[str, Any]) -> None:
    before, after, alive = seen["lived on"]
    assert before == after
    assert alive
    assert seen["limits again"] == [str(64 << 20)]
    assert (seen["later"]["outcome"], seen["later"]["cause"]) == ("signalled", "oom")
    assert seen["next"]["assignment"] == "succeeded"
