"""Files whose names are no text: an agent may make them, and nothing of the daemon may break for it."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.integration.guarded import CORRUPTION, kinds, with_cart
from tests.live import Daemon, agent_of, plan_of, wave_of

MAKES_ODD_FILES = (
    f"{sys.executable} - <<'E'\n"
    "open(b'src/caf\\xe9.ts', 'wb').write(b'const const\\n')\n"
    "open(b'src/new\\nline.ts', 'wb').write(b'fine\\n')\n"
    "E\n"
)


def test_a_corrupt_file_whose_name_is_no_utf8_is_found_and_told(shared_daemon: Daemon, workspace: Path) -> None:
    with_cart(workspace)
    agent = agent_of("odd", MAKES_ODD_FILES + "sleep 1.5")
    plan = plan_of(wave_of("build", agent)) | {"monitor": [{**CORRUPTION, "reactions": ["alert"]}]}
    view = shared_daemon.run(plan, workspace)
    events = shared_daemon.events(view["session"])
    (found,) = kinds(events, "finding.made")
    assert found["monitor"] == "corruption"
    assert found["assignment"] == "odd"
    changed = [path for each in kinds(events, "files.changed") for path, _ in each["changes"].get("odd", [])]
    assert {"src/new\nline.ts", "src/caf\\xe9.ts"} <= set(changed)
