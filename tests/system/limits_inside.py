"""What is done in the machine of `test_limits`: sessions whose agents come to their limits; what was seen is written
down as JSON. Run there by root, with the service installed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wavectl import Client

OUT = Path("/opt/waved-test/out")
WORK = Path("/srv/work")
GROUP = Path("/sys/fs/cgroup/system.slice/waved.service")
SOCKET = "/run/waved/control.sock"
EAT = "b=[]\nwhile True: b.append(bytearray(4 << 20)); b[-1][::4096] = b'x' * len(b[-1][::4096])\n"
GREEDY = f"import os, time\n{EAT}"
LATER = f"import os, time\nwhile not os.path.exists('eat'): time.sleep(0.05)\n{EAT}"
THREADS = """
import os, time
n = 0
try:
    for n in range(60):
        if os.fork() == 0:
            time.sleep(2)
            os._exit(0)
except OSError:
    pass
open('forked', 'w').write(str(n))
"""
BUSY = "import time\nend = time.time() + 3\nwhile time.time() < end: pass\n"


def ask(method: str, **params: Any) -> dict[str, Any]:
    with Client(SOCKET, timeout=60) as client:
        return client.request(method, params)


def submit(*agents: dict[str, Any]) -> str:
    plan = {"session": {"name": "t", "stop_grace": "1s"}, "snapshots": {"interval": "1h"},
            "wave": [{"name": "w", "agent": list(agents)}]}  # fmt: skip
    environment = {"base": {"PATH": "/usr/bin:/bin"}}
    asked = {"plan": plan, "workspace": str(WORK), "environment": environment, "waive": ["backups"]}
    return str(ask("session.submit", **asked)["session"])


def settled(session: str) -> dict[str, Any]:
    with Client(SOCKET, timeout=60) as client:
        return client.wait(session, timeout=120)


def until(condition: Callable[[], object], seconds: float = 60) -> Any:
    due = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > due:
            raise AssertionError("waited in vain")
        time.sleep(0.05)
    return found


def runs(view: dict[str, Any]) -> dict[str, Any]:
    return {item["key"]: {**item["runs"][-1], "assignment": item["outcome"]}
            for wave in view["waves"] for item in wave["assignments"] if item["runs"]}  # fmt: skip


def show(name: str) -> str:
    command = ["systemctl", "show", "--value", "-p", name, "waved.service"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def python(text: str) -> list[str]:
    return ["/usr/bin/python3", "-c", text]


def agent(name: str, command: list[str], **resources: Any) -> dict[str, Any]:
    return {"name": name, "command": command, **({"resources": resources} if resources else {})}


def limits(seen: dict[str, Any]) -> None:
    seen["controllers"] = (GROUP / "cgroup.controllers").read_text().split()
    seen["pid before"] = show("MainPID")
    session = submit(
        agent("greedy", python(GREEDY), memory="64MB"),
        agent("forker", python(THREADS), processes=12),
        agent("busy", python(BUSY), cpu=0.25),
        agent("sibling", ["sh", "-c", "sleep 4; echo well"]),
    )
    view = settled(session)
    seen["checklist"] = {item["item"]: item["detail"] for item in view["checklist"]}
    seen["runs"] = runs(view)
    seen["forked"] = int((WORK / "forked").read_text())
    seen["pid after"] = show("MainPID")
    seen["groups left"] = [str(path) for path in GROUP.glob("*/run")]


def restart(seen: dict[str, Any]) -> None:
    """The service is restarted while a limited agent runs, which then takes too much."""
    session = submit(agent("later", python(LATER), memory="64MB", processes=50))
    until(lambda: list(GROUP.glob("*/run/memory.max")))
    until(lambda: runs(ask("session.status", session=session)).get("later", {}).get("state") == "running")
    before = runs(ask("session.status", session=session))["later"]["pid"]
    subprocess.run(["systemctl", "restart", "waved.service"], check=True)
    until(lambda: ask("daemon.status")["workers"]["busy"] == 1)
    after = runs(ask("session.status", session=session))["later"]["pid"]
    seen["lived on"] = (before, after, Path(f"/proc/{before}").exists())
    seen["limits again"] = [path.read_text().strip() for path in GROUP.glob("*/run/memory.max")]
    (WORK / "eat").touch()
    seen["later"] = runs(settled(session))["later"]
    following = submit(agent("next", ["true"], memory="64MB"))
    seen["next"] = runs(settled(following))["next"]


def main() -> None:
    seen: dict[str, Any] = {}
    try:
        for step in (limits, restart):
            step(seen)
    except BaseException as error:
        seen["error"] = f"{type(error).__name__}: {error}"
        raise
    finally:
        command = ["journalctl", "-u", "waved", "-o", "cat", "-n", "60"]
        seen["journal"] = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        OUT.write_text(json.dumps(seen))


if __name__ == "__main__":
    sys.exit(main())
