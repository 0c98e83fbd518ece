"""The sync client against a daemon on a real socket: answers, errors, deadlines, restarts."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from fake_daemon import FakeDaemon

from wavectl import Client
from wavectl.cursor import Cursor
from wavectl.outcomes import WaitTimeoutError, exit_status
from wavectl.submission import from_agents
from waved.errors import ConflictError, ExitStatus, NoDaemonError, NotFoundError, PlanError, ProtocolError
from waved.ipc import wire

TWO = [{"name": "a", "command": "true"}, {"name": "b", "command": ["true"]}]


def test_nobody_there_is_said_at_once_with_the_socket_and_what_to_do(short_folder: Path) -> None:
    client = Client(str(short_folder / "none.sock"), timeout=30)
    before = time.monotonic()
    with pytest.raises(NoDaemonError) as raised:
        client.daemon_status()
    assert time.monotonic() - before < 5
    assert "none.sock" in raised.value.message
    assert "no such socket" in raised.value.message
    assert "wavectl daemon start" in raised.value.hint


def test_a_stale_socket_is_told_apart(short_folder: Path) -> None:
    daemon = FakeDaemon(short_folder).start()
    daemon.stop()
    import socket

    with socket.socket(socket.AF_UNIX) as left:
        daemon.path.unlink(missing_ok=True)
        left.bind(str(daemon.path))
    with pytest.raises(NoDaemonError, match="nobody listens"):
        Client(daemon.endpoint).daemon_status()


def test_a_daemon_that_does_not_answer_runs_into_the_timeout(daemon: FakeDaemon) -> None:
    daemon.silent = True
    with Client(daemon.endpoint, timeout=0.2) as client, pytest.raises(NoDaemonError, match=r"no answer within 0\.2 s"):
        client.daemon_status()
    daemon.silent = False
    assert client.daemon_status()["protocol"] == wire.PROTOCOL
    client.close()


def test_error_replies_become_the_exceptions_they_stand_for(client: Client) -> None:
    with pytest.raises(NotFoundError, match="no session") as raised:
        client.status("nothing")
    assert raised.value.exit_status is ExitStatus.NOT_FOUND
    with pytest.raises(PlanError):
        client.deploy([{"name": "a"}], wait=False)


def test_another_protocol_version_is_a_protocol_error(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "encode_ok", lambda number, result: wire._pack({"v": 99, "id": number, "ok": result}))
    with Client(daemon.endpoint) as client, pytest.raises(ProtocolError, match="99"):
        client.daemon_status()


def test_deploy_runs_all_agents_and_returns_the_view(client: Client, daemon: FakeDaemon) -> None:
    kinds: list[str] = []
    view = client.deploy(TWO, on_event=lambda event: kinds.append(event["kind"]))
    assert (view["state"], view["outcome"]) == ("ended", "succeeded")
    assert exit_status(view) is ExitStatus.OK
    assert kinds[0] == "session.submitted"
    assert kinds[-1] == "session.ended"
    assert kinds.count("run.started") == 2


def test_deploy_without_monitoring_reports_no_events(client: Client) -> None:
    kinds: list[str] = []
    assert client.deploy(TWO, monitoring=False, on_event=lambda event: kinds.append(event["kind"]))["outcome"]
    assert kinds == []


def test_deploy_without_waiting_returns_the_session(client: Client, daemon: FakeDaemon) -> None:
    daemon.hold = {"a"}
    accepted = client.deploy(TWO, wait=False, parallel=False)
    assert client.status(accepted["session"])["agents"]["running"] == 1
    assert client.status()["waves"][0]["assignments"][1]["state"] != "running"
    with pytest.raises(WaitTimeoutError) as raised:
        client.wait(accepted["session"], timeout=0.05)
    assert raised.value.exit_status is ExitStatus.TIMEOUT
    daemon.finish("a")
    assert client.wait(accepted["session"], timeout=10)["outcome"] == "succeeded"


def test_what_is_sent_holds_no_values_of_the_environment(
    client: Client, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMO_TOKEN", "let through")
    client.deploy([{"name": "a", "command": "true", "env": {"set": {"KEY": "hush"}, "pass": ["DEMO_*"]}}])
    sent = next(params for method, params in daemon.asked if method == "session.submit")
    assert "hush" not in repr(sent["plan"]) + sent["source"]
    assert sent["environment"]["agents"]["a"] == {"KEY": "hush", "DEMO_TOKEN": "let through"}


def test_stop_retry_and_resume_reach_the_daemon(client: Client, daemon: FakeDaemon) -> None:
    daemon.hold = {"a"}
    session = client.deploy(TWO, wait=False)["session"]
    client.stop(session, reason="enough")
    assert client.wait(session)["outcome"] == "stopped"
    with pytest.raises(ConflictError):
        client.stop(session)
    assert client.retry(session, ["a"]) == ["a"]
    with pytest.raises(ConflictError):
        client.resume(session)
    daemon.finish("a")
    assert client.wait(session)["outcome"] == "succeeded"


def test_events_of_an_opened_session_go_on_after_its_first_end(client: Client, daemon: FakeDaemon) -> None:
    daemon.exits = {"a": 1}
    session = client.deploy(TWO)["session"]
    daemon.exits = {}
    client.retry(session)
    kinds = [event["kind"] for event in client.events(session, follow=True)]
    assert kinds.count("session.ended") == 2
    assert kinds[-1] == "session.ended"


def test_followers_survive_a_restart_and_miss_nothing(daemon: FakeDaemon, client: Client) -> None:
    daemon.hold = {"a"}
    session = client.deploy(TWO, wait=False)["session"]
    seen: list[int] = []
    reached = threading.Event()

    def read() -> None:
        with Client(daemon.endpoint, timeout=5, reconnect=20) as follower:
            for event in follower.events(session, follow=True):
                seen.append(event["seq"])
                if event["kind"] == "run.started":
                    reached.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert reached.wait(10)
    daemon.stop()
    daemon.start()
    daemon.finish("a")
    reader.join(20)
    assert not reader.is_alive()
    assert seen == [event.seq for event in daemon.journal]


def test_a_question_survives_a_restart_but_a_change_is_not_asked_twice(daemon: FakeDaemon) -> None:
    with Client(daemon.endpoint, timeout=10) as client:
        daemon.drop_after = "daemon.status"
        again = threading.Timer(0.2, lambda: (daemon.stop(), daemon.start()))
        again.start()
        assert client.daemon_status()["version"]
        again.join()
        daemon.drop_after = "session.stop"
        with pytest.raises(NoDaemonError, match="may have been done, or not"):
            client.stop("s1")
        assert [method for method, _ in daemon.asked].count("session.stop") == 1


def test_a_submission_is_sent_again_and_accepted_once(daemon: FakeDaemon) -> None:
    with Client(daemon.endpoint, timeout=10) as client:
        daemon.drop_after = "session.submit"
        again = threading.Timer(0.2, lambda: (daemon.stop(), daemon.start()))
        again.start()
        session = client.deploy(TWO, wait=False)["session"]
        again.join()
        assert list(daemon.sessions) == [session]
        tokens = [params["token"] for method, params in daemon.asked if method == "session.submit"]
        assert len(tokens) == 2
        assert len(set(tokens)) == 1
        assert client.deploy(TWO, wait=False)["session"] != session


def test_of_a_submission_nobody_answers_it_is_said_that_its_fate_is_unknown(daemon: FakeDaemon) -> None:
    with Client(daemon.endpoint, timeout=0.3) as client:
        daemon.drop_after = "session.submit"
        with pytest.raises(NoDaemonError, match="may have been done, or not"):
            client.deploy(TWO, wait=False)


def test_who_waits_in_a_long_queue_is_not_told_that_the_daemon_went_away(short_folder: Path) -> None:
    """A connection that is refused because too many others wait has sent nothing: it is made again."""
    import socket

    path = short_folder / "busy.sock"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(path))
        listener.listen(0)
        first.connect(str(path))
        with Client(str(path), timeout=0.5) as client, pytest.raises(NoDaemonError, match="no answer within"):
            client.submit(from_agents(TWO))


def test_an_answer_just_before_the_daemon_ends_counts(daemon: FakeDaemon, client: Client) -> None:
    client.daemon_status()
    client.daemon_stop("stop")
    assert daemon.asked[-1] == ("daemon.stop", {"sessions": "stop"})


def test_batches_end_at_a_deadline(daemon: FakeDaemon, client: Client) -> None:
    daemon.hold = {"a"}
    session = client.deploy(TWO, wait=False)["session"]
    batches = list(client.batches(Cursor(session), until=time.monotonic() + 0.1))
    assert sum(map(len, batches)) == len(daemon.journal)
