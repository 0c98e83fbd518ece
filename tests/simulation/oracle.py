"""What the fold keeps count of, counted anew: its sets and counters must say the same."""

from __future__ import annotations

from waved.domain.guarding import keeps_back
from waved.domain.state import Node, Session
from waved.domain.state_guards import PERSON, key_of


def check(session: Session) -> None:
    """Raises AssertionError where a counter or an ordered set is wrong. The session must be at rest."""
    nodes = session.nodes
    active = {run.id: run for run in session.runs.values() if run.state != "ended"}
    assert session.active == active
    assert session.active_agents == sum(1 for run in active.values() if run.purpose == "agent")
    background = {run.id for run in active.values() if run.purpose in ("preview", "monitor")}
    assert set(session.unstopped) == {run.id for run in active.values() if not run.stop_reason} - background
    concerned = set(session.guards.concerned) if session.guards is not None else set()
    assert not session.judged
    assert session.ready.keys() == {node.key for node in nodes.values() if node.state == "ready"}
    for agent, count in session.unchecked_of_agent.items():
        own = [node for node in nodes.values() if node.agent.name == agent]
        assert count == sum(1 for node in own if node.state != "ended" and node.gate is None), agent
    for node in nodes.values():
        assert node.waiting_for == sum(1 for key in node.requires if nodes[key].outcome != "succeeded"), node.key
        assert (node.state in ("starting", "running")) == any(run.state != "ended" for run in node.runs), node.key
        assert (node.state == "ended") == bool(node.outcome), node.key
    for wave in session.waves:
        own = [nodes[key] for key in wave.keys]
        assert wave.unended == sum(1 for node in own if node.state != "ended")
        assert set(wave.failed) == {node.key for node in own if node.outcome not in ("", "succeeded")}
        assert set(wave.idle) == {node.key for node in own if node.state in ("waiting", "ready", "backing-off")}
    check_guards(session)
    _check_waiting(session)
    _check_heaps(session)
    wave_open = session.wave >= 0 and session.waves[session.wave].phase != "ended"
    assert session.current is (session.waves[session.wave] if wave_open else None)
    for gate_id in session.gates_due:
        gate = session.gates[gate_id]
        assert gate.checks[gate.next].state == "waiting", "due, yet nothing follows from it"
    in_gates = {gate.assignment for gate in session.gates.values() if gate.assignment}
    checking = {node.key for node in nodes.values() if node.state == "checking"}
    assert in_gates <= checking
    assert checking - in_gates <= concerned, "neither at its gate, nor waiting for a reaction"


def check_guards(session: Session) -> None:
    """The same of its guards."""
    guards = session.guards
    if guards is None or session.phase != "running":
        return
    due = (guards.findings[name] for name in guards.due)
    assert all(key_of(found.monitor, found.subject) in guards.reacting for found in due)
    assert not guards.stale
    assert guards.background.keys() == {
        run.id for run in session.active.values() if run.purpose in ("preview", "monitor")
    }
    concerned: dict[str, set[str]] = {}
    for reaction in guards.reactions.values():
        for key in reaction.concerns:
            concerned.setdefault(key, set()).add(reaction.id)
    assert {key: set(holders) for key, holders in guards.concerned.items()} == concerned
    for entry in guards.frozen.values():
        assert entry.run in session.active
        assert entry.holders.keys() <= {*guards.reactions, PERSON}
    assert set(guards.open_by_subject.values()) == set(guards.findings)
    assert not guards.lock or guards.lock in guards.reactions
    assert set(guards.holds) <= set(guards.reactions)
    assert bool(session.held) == bool(guards.holds or guards.held_otherwise)


def _check_waiting(session: Session) -> None:
    """Who waits in the present wave waits for something; who can never start is known."""
    wave = session.current
    if wave is None or wave.phase != "running":
        return
    for key in wave.keys:
        node = session.nodes[key]
        hopeless = any(_failed(session.nodes[name]) for name in node.requires)
        assert (key in session.doomed) == (node.state == "waiting" and hopeless), key
        assert node.state != "waiting" or node.waiting_for > 0, f"{key} waits for nothing"


def _failed(node: Node) -> bool:
    return node.state == "ended" and node.outcome != "succeeded"


def _check_heaps(session: Session) -> None:
    backing_off = {node.key for node in session.nodes.values() if node.state == "backing-off"}
    valid = {key for at, key in session.retries if session.nodes[key].retry_at == at}
    assert backing_off <= valid
    if session.retries:
        assert session.retries[0] == min(session.retries)
        at, key = session.retries[0]
        assert (session.nodes[key].state, session.nodes[key].retry_at) == ("backing-off", at)
    if session.queue:
        assert session.nodes[session.queue[0][1]].state == "ready"
    if session.current is not None and session.current.limit == 1:
        assert set(session.ready) <= {key for _, key in session.queue}


def assert_at_rest(session: Session) -> None:
    """Every assignment that may start has been started: nothing is ready where there is room (O3)."""
    wave = session.current
    if session.phase != "running" or session.held or wave is None or wave.phase != "running":
        return
    if session.guards is not None and keeps_back(session.guards):
        return
    running = sum(1 for key in wave.keys if session.nodes[key].state in ("starting", "running"))
    settings = session.plan.session
    one_at_a_time = not (settings.parallel and wave.plan.parallel) or settings.max_parallel == 1
    assert not session.doomed, "who can never start is skipped at once"
    if one_at_a_time:
        held_up = running or any(session.nodes[key].state in ("checking", "backing-off") for key in wave.keys)
        assert not session.ready or held_up, "nothing runs, and what is ready is not started"
        return
    room = not settings.max_parallel or running < settings.max_parallel
    assert not (session.ready and room), f"ready and not started: {list(session.ready)}"
