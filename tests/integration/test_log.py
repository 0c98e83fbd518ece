"""Log and journal agree, every line says where it belongs, and no secret is in anything the daemon writes or says."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.live import Daemon, agent_of, plan_of, wait_for, wave_of
from wavectl.environment import collect
from waved.errors import WavedError
from waved.reactor.narration import LARGE

SECRETS = {
    "SERVICE_TOKEN": "tk-77aGh2x9QpLm",
    "DATABASE_URL": "postgres://app:pa55-w0rt@db.example.org/app",
    "SIGNING_KEY": "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END KEY-----",
    "CUSTOMER": "Acme",
}
PLAIN = {"NODE_ENV": "production"}


def lines_of(daemon: Daemon) -> list[dict[str, Any]]:
    return [json.loads(line) for line in daemon.log.read_text().splitlines() if line.startswith("{")]


def test_log_and_journal_tell_the_same_story(daemon: Daemon, workspace: Path) -> None:
    failing = agent_of("bad", "echo no; exit 3", retries=1, backoff="10ms")
    gate = {"commands": [{"run": "true", "name": "lint"}], "on_failure": "stop"}
    plan = plan_of(
        wave_of("first", agent_of("good", "true", produces=["README.md"]), gate=gate), wave_of("second", failing)
    )
    session = daemon.run(plan, workspace)["session"]
    events = daemon.events(session)
    wait_for(lambda: any(line.get("seq") == events[-1]["seq"] for line in lines_of(daemon)))
    told = [line for line in lines_of(daemon) if line.get("session") == session]
    assert [(line["seq"], line["event"]) for line in told] == [(event["seq"], event["kind"]) for event in events]
    for line, event in zip(told, events, strict=True):
        assert line["time"] == pytest.approx(event["time"], abs=1e-5)
        for name, value in event["data"].items():
            assert (name in LARGE and name not in line) or line[name] == value or name in ("wave", "agent"), (
                name,
                line,
            )
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for line in told:
        by_kind.setdefault(line["event"], []).append(line)
    place = {"wave": "first", "agent": "good"}
    for kind in ("run.starting", "run.started", "run.ended", "assignment.ended"):
        assert by_kind[kind][0].items() >= place.items(), by_kind[kind][0]
    for kind in ("run.started", "run.ended"):
        assert by_kind[kind][0]["run"] == f"{session}/good#1"
    assert {line["wave"] for kind in ("wave.started", "gate.started", "check.ended") for line in by_kind[kind]} >= {
        "first"
    }
    assert by_kind["run.ended"][0]["level"] == "info"
    assert by_kind["run.ended"][-1].items() >= {"level": "warning", "agent": "bad", "wave": "second"}.items()
    assert by_kind["retry.scheduled"][0].items() >= {"level": "warning", "agent": "bad", "wave": "second"}.items()
    assert by_kind["session.ended"][0]["level"] == "warning"


def spellings() -> list[bytes]:
    """Every way in which a secret might be found somewhere."""
    found = []
    for text in [*SECRETS.values(), "pa55-w0rt", *SECRETS["SIGNING_KEY"].splitlines()[1:3]]:
        found += [text.encode(), quote(text, safe="").encode(), json.dumps(text)[1:-1].encode()]
        if len(text) >= 6:
            found.append(base64.b64encode(text.encode()).rstrip(b"=")[:-1])
    return found


def test_no_secret_is_in_anything_the_daemon_writes_or_says(daemon: Daemon, workspace: Path) -> None:
    (workspace / "key").write_text(SECRETS["SIGNING_KEY"] + "\n")
    shouting = (
        'echo "$SERVICE_TOKEN $DATABASE_URL $CUSTOMER"; echo "$SIGNING_KEY" >&2; printf %s "$SERVICE_TOKEN" | base64;'
    )
    failure = "<failure message='$SERVICE_TOKEN'>$DATABASE_URL</failure>"
    report = f"<testsuite><testcase name='$SERVICE_TOKEN'>{failure}</testcase></testsuite>"
    gate = {"commands": [{"run": f"{shouting} exit 4", "name": "loud"}], "on_failure": "retry", "retries": 1}
    judged = {"commands": [{"run": f'echo "{report}" > r.xml; {shouting} false', "junit": "r.xml"}]}
    env = {
        "set": {"SERVICE_TOKEN": SECRETS["SERVICE_TOKEN"], "CUSTOMER": SECRETS["CUSTOMER"], **PLAIN},
        "from_file": {"SIGNING_KEY": "key"},
        "secrets": ["CUST*"],
    }
    own = {"set": {"DATABASE_URL": SECRETS["DATABASE_URL"]}}
    written = plan_of(
        wave_of(
            "w",
            agent_of("loud", f"{shouting} echo $NODE_ENV; exit 3", retries=1, backoff="10ms", env=own),
            agent_of("cut", "yes $SERVICE_TOKEN | head -c 100000; exit 1"),
            agent_of("missing", "no-such-program-$SERVICE_TOKEN; exit 5"),
            agent_of("gated", "true", gate=judged),
            agent_of("checked", "true", gate=gate),
            agent_of("absent", "true", produces=["no/such/file"]),
        ),
        env=env,
    )
    plan, environment = collect(written, workspace, {"PATH": "/usr/bin:/bin"})
    source = f"# {SECRETS['SERVICE_TOKEN']}\n"
    with daemon.client() as client:
        asked = {"plan": plan, "workspace": str(workspace), "environment": environment, "source": source}
        session = str(client.request("session.submit", asked)["session"])
        view = client.wait(session, timeout=30)
        with pytest.raises(WavedError) as refused:
            client.request("session.status", {"session": SECRETS["SERVICE_TOKEN"]})
        events = list(client.events(session))
    assert view["outcome"] == "failed"
    wait_for(lambda: any(line.get("seq") == events[-1]["seq"] for line in lines_of(daemon)))
    loud = next(run for item in view["waves"][0]["assignments"] if item["key"] == "loud" for run in item["runs"])
    (ended,) = [event for event in events if event["kind"] == "run.ended" and event["data"]["run"] == loud["run"]]
    assert "[masked SERVICE_TOKEN] [masked DATABASE_URL] [masked CUSTOMER]" in ended["data"]["tail"]
    assert "production" in ended["data"]["tail"], "what is no secret can be read"
    (cut,) = [event for event in events if event["kind"] == "run.ended" and "/cut#" in event["data"]["run"]]
    token = SECRETS["SERVICE_TOKEN"]
    assert not [token[at : at + 5] for at in range(len(token) - 4) if token[at : at + 5] in cut["data"]["tail"]]
    assert refused.value.message == "no session '[masked SERVICE_TOKEN]'"
    assert SECRETS["SERVICE_TOKEN"].encode() in daemon.output(loud["run"]), "an agent's own output is as it printed it"

    daemon.end()
    said = {"view": view, "events": events, "error": [refused.value.message, refused.value.hint]}
    texts = {name: json.dumps(value).encode() for name, value in said.items()}
    texts |= {name: json.dumps(value, ensure_ascii=False).encode() for name, value in said.items()}
    for path in [daemon.log, *daemon.state.rglob("*")]:
        within = path.relative_to(daemon.folder).parts
        if path.is_file() and "runs" not in within and path.name != "environment":
            texts[str(path)] = path.read_bytes()
    assert any(name.endswith("journal.sqlite") for name in texts)
    assert any(name.endswith("plan.toml") for name in texts)
    leaks = [(name, secret) for name, text in texts.items() for secret in spellings() if secret in text]
    assert leaks == []


def test_what_is_masked_survives_the_daemon(daemon: Daemon, workspace: Path) -> None:
    script = f"touch {workspace}/up; while [ ! -e {workspace}/go ]; do sleep 0.02; done; echo $A_TOKEN; exit 1"
    environment = {"base": {"PATH": "/usr/bin:/bin"}, "session": {"A_TOKEN": SECRETS["SERVICE_TOKEN"]}}
    session = daemon.submit(plan_of(wave_of("w", agent_of("a", script))), workspace, environment=environment)
    wait_for(lambda: (workspace / "up").exists())
    daemon.kill()
    daemon.start()
    (workspace / "go").touch()
    daemon.settled(session)
    (ended,) = [event for event in daemon.events(session) if event["kind"] == "run.ended"]
    assert ended["data"]["tail"] == "[masked A_TOKEN]"
