"""Guards at work on real agents: what they break is seen, stopped and put right; nobody else notices."""

from __future__ import annotations

from pathlib import Path

from tests.integration.guarded import CORRUPTION, GOOD, kinds, user_state, with_cart
from tests.live import Daemon, agent_of, assignments, plan_of, wait_for, wave_of

WRITES_CORRUPTION_ONCE = r"""
if [ "$WAVED_ATTEMPT" = 1 ]; then
  printf 'const a = 1\nconst const b = 2\n' > src/cart.ts
  echo wrote; sleep 60
fi
cat "$WAVED_PROMPT" > prompt-seen
printf 'const a = 2\nconst b = 2\n' > src/cart.ts
"""


def test_corruption_is_frozen_undone_and_its_agent_started_again(shared_daemon: Daemon, workspace: Path) -> None:
    with_cart(workspace)
    before = user_state(workspace)
    steady = "i=0; while [ $i -lt 150 ]; do echo beat; sleep 0.02; i=$((i+1)); done"
    plan = plan_of(
        wave_of(
            "build",
            agent_of("frontend", WRITES_CORRUPTION_ONCE, prompt="Build it.", owns=["src/**", "prompt-seen"]),
            agent_of("steady", steady, owns=["docs/**"]),
        ),
    )
    plan["monitor"] = [{**CORRUPTION, "reactions": [{"do": ["rollback-file", "restart-agent"], "times": 2}, "hold"]}]
    view = shared_daemon.run(plan, workspace)
    events = shared_daemon.events(view["session"])
    assert view["outcome"] == "succeeded", (view["reason"], shared_daemon.log.read_text()[-4000:])
    found = kinds(events, "finding.made")[0]
    assert (found["monitor"], found["path"], found["line"], found["assignment"]) == (
        "corruption", "src/cart.ts", 2, "frontend",
    )  # fmt: skip
    (frozen,) = kinds(events, "run.frozen")
    assert frozen.get("ok", True)
    (restored,) = kinds(events, "restore.ended")
    assert (restored["ok"], restored["restored"]) == (True, ["src/cart.ts"])
    cart = assignments(view)["frontend"]
    assert [run["outcome"] for run in cart["runs"]] == ["stopped", "exited"]
    told = (workspace / "prompt-seen").read_text()
    assert "const const" in told
    assert "src/cart.ts" in told
    (other,) = assignments(view)["steady"]["runs"]
    assert other["outcome"] == "exited"
    assert shared_daemon.output(other["run"]).count(b"beat") == 150
    assert user_state(workspace) == before
    present = next(event["data"]["present"] for event in events if event["kind"] == "restore.starting")
    with shared_daemon.client() as client:
        kept = client.snapshot_show(present)
        text = client.snapshot_diff(present, restored["to"])["diff"]
    assert [change["path"] for change in kept["changes"]] == ["src/cart.ts"]
    assert "-const const b = 2" in text
    assert (workspace / "README.md").read_text() == "# uncommitted work\n"


def test_a_ladder_ends_where_the_same_is_done_for_ever(shared_daemon: Daemon, workspace: Path) -> None:
    with_cart(workspace)
    always = "printf 'const const b = 2\\n' > src/cart.ts; sleep 60"
    plan = plan_of(wave_of("build", agent_of("frontend", always, owns=["src/**"])))
    plan["monitor"] = [{**CORRUPTION, "reactions": [{"do": ["rollback-file", "restart-agent"], "times": 2}]}]
    view = shared_daemon.run(plan, workspace)
    assert view["outcome"] == "failed"
    frontend = assignments(view)["frontend"]
    assert (frontend["outcome"], len(frontend["runs"])) == ("failed", 3)
    assert (workspace / "src" / "cart.ts").read_text() == GOOD, "what it broke is undone to the last"


def test_a_person_approves_what_was_held(shared_daemon: Daemon, workspace: Path) -> None:
    with_cart(workspace)
    agent = agent_of(
        "frontend",
        "printf 'const const b\\n' > src/cart.ts; while [ ! -e go ]; do sleep 0.02; done; echo done > done",
        owns=["**"],
    )
    plan = plan_of(wave_of("build", agent))
    plan["monitor"] = [{**CORRUPTION, "reactions": ["hold"]}]
    session = shared_daemon.submit(plan, workspace)
    wait_for(lambda: shared_daemon.view(session)["state"] == "held")
    held = shared_daemon.view(session)
    (run,) = assignments(held)["frontend"]["runs"]
    assert run["frozen"]
    (finding,) = [found["finding"] for found in held["findings"]]
    with shared_daemon.client() as client:
        assert client.approve(session, finding) == [finding]
    (workspace / "go").write_text("")
    view = shared_daemon.settled(session)
    assert (view["state"], view["outcome"]) == ("ended", "succeeded"), view["reason"]
    assert (workspace / "src" / "cart.ts").read_text() == "const const b\n"


def test_a_session_without_monitors_is_only_kept(shared_daemon: Daemon, workspace: Path) -> None:
    view = shared_daemon.run(plan_of(wave_of("w", agent_of("a", "echo x > x"))), workspace)
    assert view["outcome"] == "succeeded"
    assert not (shared_daemon.state / "sessions" / view["session"] / "guard").exists()
    with shared_daemon.client() as client:
        assert [one["label"] for one in client.snapshots(view["session"])] == ["session"]


BREAKS_WHEN_RETRIED = r"""
case $WAVED_ATTEMPT in
1) exit 3 ;;
2) printf 'const const b = 2\n' > src/cart.ts; sleep 60 ;;
*) printf 'const b = 2\n' > src/cart.ts ;;
esac
"""


def test_a_session_that_is_opened_again_is_watched_again(lent_daemon: Daemon, workspace: Path) -> None:
    with_cart(workspace)
    plan = plan_of(wave_of("build", agent_of("frontend", BREAKS_WHEN_RETRIED, owns=["src/**"])))
    plan["monitor"] = [{**CORRUPTION, "reactions": [["rollback-file", "restart-agent"]]}]
    failed = lent_daemon.run(plan, workspace)
    assert failed["outcome"] == "failed"
    with lent_daemon.client() as client:
        client.retry(failed["session"])
    view = lent_daemon.settled(failed["session"])
    assert view["outcome"] == "succeeded", view["reason"]
    events = lent_daemon.events(view["session"])
    assert [found["path"] for found in kinds(events, "finding.made")] == ["src/cart.ts"]
    assert [run["outcome"] for run in assignments(view)["frontend"]["runs"]] == ["exited", "stopped", "exited"]
