"""The other monitors, on agents that really stall, grow files, trespass and break the preview."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.integration.guarded import kinds, with_cart
from tests.live import Daemon, agent_of, assignments, plan_of, wait_for, wave_of

SERVER = """
import http.server, os, pathlib
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        broken = "broken" in pathlib.Path("src/cart.ts").read_text()
        self.send_response(500 if broken else 200)
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def guarded(
    daemon: Daemon, workspace: Path, *agents: dict[str, Any], **tables: Any
) -> tuple[dict[str, Any], list[Any]]:
    """Run one wave under these tables; the view and the events."""
    view = daemon.run({**plan_of(wave_of("build", *agents)), **tables}, workspace)
    return view, daemon.events(view["session"])


def test_a_stalled_agent_is_started_again(shared_daemon: Daemon, workspace: Path) -> None:
    agent = agent_of("quiet", 'if [ "$WAVED_ATTEMPT" = 1 ]; then sleep 60; fi')
    monitor = {"kind": "progress", "after": "500ms", "reactions": ["restart-agent"]}
    view, events = guarded(shared_daemon, workspace, agent, monitor=[monitor])
    assert view["outcome"] == "succeeded"
    (found,) = kinds(events, "finding.made")
    assert (found["monitor"], found["assignment"]) == ("progress", "quiet")
    assert [run["outcome"] for run in assignments(view)["quiet"]["runs"]] == ["stopped", "exited"]


def test_an_oversize_file_starts_an_extractor(shared_daemon: Daemon, workspace: Path) -> None:
    with_cart(workspace)
    agent = agent_of("frontend", "seq 400 > src/page.tsx; sleep 1.5")
    extractor = {
        "name": "extractor", "prompt": "Split {{ finding.path }}",
        "command": 'head -100 src/page.tsx > t; mv t src/page.tsx; cp "$WAVED_PROMPT" told',
    }  # fmt: skip
    monitor = {
        "kind": "file-size", "paths": ["src/**/*.tsx"], "max_lines": 300,
        "reactions": [{"do": "start-agent", "agent": "extractor"}],
    }  # fmt: skip
    view, events = guarded(shared_daemon, workspace, agent, monitor=[monitor], responder=[extractor])
    assert view["outcome"] == "succeeded", view["reason"]
    assert kinds(events, "finding.made")[0]["path"] == "src/page.tsx"
    assert (workspace / "told").read_text().strip() == "Split src/page.tsx"
    assert len((workspace / "src" / "page.tsx").read_text().splitlines()) == 100


def test_writing_what_another_owns_is_found(shared_daemon: Daemon, workspace: Path) -> None:
    with_cart(workspace)
    owner = agent_of("backend", "true", owns=["src/**"])
    writer = agent_of("frontend", "sleep 1; echo x >> src/cart.ts; sleep 1", owns=["web/**"])
    view, events = guarded(shared_daemon, workspace, owner, writer, monitor=[{"kind": "ownership"}])
    assert view["state"] == "ended"
    (found,) = kinds(events, "finding.made")
    assert (found["monitor"], found["assignment"], found["path"]) == ("ownership", "frontend", "src/cart.ts")


def test_a_command_that_fails_is_a_finding_and_is_told(shared_daemon: Daemon, workspace: Path) -> None:
    monitor = {"kind": "command", "name": "smoke", "run": "echo it smokes; exit 3", "interval": "200ms"}
    notify = {"command": [sys.executable, "-c", "import sys; open('told', 'a').write(sys.stdin.read() + '\\n')"]}
    view, events = guarded(shared_daemon, workspace, agent_of("a", "sleep 1"), monitor=[monitor], notify=[notify])
    assert view["outcome"] == "succeeded"
    found = kinds(events, "finding.made")[0]
    assert found["monitor"] == "smoke"
    assert "it smokes" in found["evidence"]
    wait_for(lambda: kinds(shared_daemon.events(view["session"]), "alert.raised"))
    told = json.loads((workspace / "told").read_text().splitlines()[0])
    assert (told["monitor"], told["session"]) == ("smoke", view["session"])


def test_no_change_and_a_time_limit_that_nears_are_told(shared_daemon: Daemon, workspace: Path) -> None:
    monitors = [{"kind": "file-changes", "interval": "300ms"}, {"kind": "timeouts", "warn_at": 0.2}]
    agent = agent_of("slow", "sleep 1.2", timeout="4s")
    view, events = guarded(shared_daemon, workspace, agent, monitor=monitors)
    assert view["outcome"] == "succeeded"
    assert {found["monitor"] for found in kinds(events, "finding.made")} == {"file-changes", "timeouts"}


def test_a_broken_preview_stops_all_and_is_investigated(shared_daemon: Daemon, workspace: Path) -> None:
    with_cart(workspace)
    (workspace / "server.py").write_text(SERVER)
    breaks = """if [ "$WAVED_ATTEMPT" = 1 ]; then echo broken >> src/cart.ts; sleep 60; fi
    test -n "$WAVED_PREVIEW_URL" """
    other = 'if [ "$WAVED_ATTEMPT" = 1 ]; then sleep 60; fi'
    investigator = {"name": "investigator", "command": "sed -i /broken/d src/cart.ts", "prompt": "Why?"}
    view, events = guarded(
        shared_daemon, workspace, agent_of("frontend", breaks), agent_of("backend", other),
        preview={
            "command": [sys.executable, "server.py"], "url": "http://127.0.0.1:{port}/", "interval": "200ms",
            "start_timeout": "20s",
        },
        monitor=[{"kind": "preview", "reactions": [{"do": ["stop-all", "start-agent"], "agent": "investigator"}]}],
        responder=[investigator],
    )  # fmt: skip
    assert view["outcome"] == "succeeded", view["reason"]
    assert {item["item"]: item["ok"] for item in view["checklist"]}["preview"]
    assert any("500" in down["reason"] for down in kinds(events, "preview.down"))
    assert [len(assignments(view)[name]["runs"]) for name in ("frontend", "backend")] == [2, 2]
    assert "broken" not in (workspace / "src" / "cart.ts").read_text()
