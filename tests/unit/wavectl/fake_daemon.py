"""A small daemon for tests: speaks the wire of docs/architecture.md on a real socket, decides with the real core
(`waved.domain`), and runs nothing: programs end at once as the test says, or when it says so.

It can be stopped and started again on the same socket with its journal kept, as a daemon that is upgraded.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import zmq

from waved.domain import events as ev
from waved.domain import requests
from waved.domain.decide import decide
from waved.domain.fold import begin, fold
from waved.domain.state import Session
from waved.domain.view import state_of, summary, view
from waved.errors import NotFoundError, WavedError
from waved.ipc import wire
from waved.plan.load import plan_from_json

START = 1_700_000_000.0


class FakeDaemon:
    def __init__(self, folder: Path, *, exits: dict[str, int] | None = None, hold: set[str] | None = None) -> None:
        self.path = folder / "control.sock"
        self.endpoint = f"ipc://{self.path}"
        self.exits = exits or {}
        """Exit code by assignment (of agents) or gate command; 0 if not given."""
        self.hold = hold or set()
        """Assignments that run until `finish`."""
        self.outputs: dict[str, list[tuple[float, int, bytes]]] = {}
        """Output by run id: (time, stream, bytes)."""
        self.checklist: list[tuple[str, bool]] = [("workspace", True)]
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.silent = False
        self.drop_after: str | None = None
        """End without an answer when this method is asked for (once)."""
        self.page = 1000
        self.guarded = False
        self.sessions: dict[str, Session] = {}
        self.journal: list[ev.Event] = []
        self._now = START
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()

    # --- life

    def start(self) -> FakeDaemon:
        self._stop.clear()
        self._ready.clear()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(10)
            assert not self._thread.is_alive()

    def restart(self) -> None:
        self.stop()
        self.start()

    def __enter__(self) -> FakeDaemon:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- what happens

    def record(self, *events: ev.Event) -> None:
        with self._lock:
            queue = list(events)
            while queue:
                event = queue.pop(0)
                self._now += 0.001
                event.seq, event.time = len(self.journal) + 1, self._now
                self.journal.append(event)
                if isinstance(event, ev.SessionSubmitted):
                    self.sessions[event.session] = begin(event)
                elif event.session:
                    fold(self.sessions[event.session], event)
                queue += self._effects(event)
                if not queue and event.session:
                    queue += decide(self.sessions[event.session], self._now)

    def finish(self, assignment: str, code: int = 0) -> None:
        with self._lock:
            for session in self.sessions.values():
                for run in list(session.active.values()):
                    if run.assignment == assignment and run.purpose == "agent":
                        self.record(self._ended(session.id, run.id, code))

    def emit(self, count: int, session: str) -> None:
        """Events that change nothing."""
        for number in range(count):
            self.record(ev.SessionResumed(session, f"nobody {number}"))

    def _effects(self, event: ev.Event) -> list[ev.Event]:
        id_ = event.session
        if isinstance(event, ev.SessionSubmitted):
            items = [ev.ChecklistItemChecked(id_, item, ok, f"{item} seen") for item, ok in self.checklist]
            return [*items, ev.ChecklistEnded(id_, all(ok for _, ok in self.checklist))]
        if isinstance(event, ev.RunStarting):
            started = ev.RunStarted(id_, event.run, 4711, self._now)
            if event.purpose == "check":
                check = self.sessions[id_].gates[event.gate].checks[event.index]
                code = self.exits.get(check.name, 0)
                ended = ev.CheckEnded(id_, event.gate, event.index, code == 0, check.name, f"exit code {code}")
                return [started, self._ended(id_, event.run, code), ended]
            if event.assignment in self.hold:
                return [started]
            return [started, self._ended(id_, event.run, self.exits.get(event.assignment, 0))]
        if isinstance(event, ev.CheckStarted):
            return [ev.CheckEnded(id_, event.gate, event.index, True, "outputs", "all there")]
        if isinstance(event, ev.RunStopping):
            return [ev.RunEnded(id_, event.run, "stopped", signal=15, reason=event.reason, end_time=self._now)]
        if isinstance(event, ev.RunFreezing):
            return [ev.RunFrozen(id_, event.run, processes=1, seconds=0.001)]
        return []

    def _ended(self, session: str, run: str, code: int) -> ev.RunEnded:
        reason = f"exit code {code}" if code else ""
        return ev.RunEnded(session, run, "exited", exit_code=code, reason=reason, end_time=self._now + 0.5)

    # --- the wire

    def _serve(self) -> None:
        context = zmq.Context()
        router = context.socket(zmq.ROUTER)
        router.linger = 200
        router.bind(self.endpoint)
        self._ready.set()
        waiting: list[tuple[bytes, wire.Request, float]] = []
        try:
            while not self._stop.is_set():
                if router.poll(2 if waiting else 10):
                    peer, *_, frame = router.recv_multipart()
                    if self.silent:
                        continue
                    try:
                        request = wire.decode_request(frame)
                    except WavedError as error:
                        router.send_multipart([peer, wire.encode_error(wire.request_id_of(frame), error)])
                        continue
                    self.asked.append((request.method, request.params))
                    if request.method == self.drop_after:
                        self.drop_after = None
                        return
                    waiting.append((peer, request, time.monotonic() + request.params.get("wait", 0)))
                waiting = [item for item in waiting if not self._try(router, *item)]
        finally:
            router.close(200)
            context.term()

    def _try(self, router: zmq.Socket[bytes], peer: bytes, request: wire.Request, due: float) -> bool:
        try:
            with self._lock:
                result = getattr(self, "_" + request.method.replace(".", "_"))(request.params)
        except WavedError as error:
            router.send_multipart([peer, wire.encode_error(request.id, error)])
            return True
        if request.method == "events.read" and not result["events"] and time.monotonic() < due:
            return False
        router.send_multipart([peer, wire.encode_ok(request.id, result)])
        if request.method == "daemon.stop":
            self._stop.set()
        return True

    def _find(self, wanted: str) -> Session:
        newest = list(reversed(self.sessions.values()))
        found = [one for one in newest if not wanted or one.id.startswith(wanted) or one.plan.session.name == wanted]
        if not found:
            raise NotFoundError(f'no session "{wanted}"' if wanted else "no sessions yet", "`wavectl list` shows all")
        return found[0]

    def _daemon_status(self, params: dict[str, Any]) -> dict[str, Any]:
        return {
            "version": "0.0-fake", "protocol": wire.PROTOCOL, "pid": 1, "started": time.time(), "state_dir": "/state",
            "sessions": {"running": 0, "held": 0, "ended": len(self.sessions)}, "runs": 0,
            "workers": {"busy": 0, "warm": 0}, "last_seq": len(self.journal), "problems": [],
        }  # fmt: skip

    def _daemon_stop(self, params: dict[str, Any]) -> dict[str, Any]:
        return {}

    def _session_submit(self, params: dict[str, Any]) -> dict[str, Any]:
        plan_from_json(params["plan"])
        for event in self.journal:
            if isinstance(event, ev.SessionSubmitted) and event.token == params["token"]:
                return {"session": event.session, "after": event.seq - 1}
        after = len(self.journal)
        session = f"s{len(self.sessions) + 1}-{params['plan']['session']['name']}"
        self.record(
            ev.SessionSubmitted(
                session, params["plan"], params["workspace"], params["plan_path"], params["submitted_by"],
                token=params["token"], guarded=self.guarded,
            )
        )  # fmt: skip
        return {"session": session, "after": after}

    def _session_list(self, params: dict[str, Any]) -> dict[str, Any]:
        found = [one for one in reversed(self.sessions.values()) if params["state"] in ("", state_of(one))]
        return {"sessions": [summary(one) for one in found[: params["limit"]]]}

    def _session_prune(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"dry": params["dry"], "sessions": [], "bytes": 0, "kept": None}

    def _session_status(self, params: dict[str, Any]) -> dict[str, Any]:
        return view(self._find(params["session"]), self._now)

    def _session_stop(self, params: dict[str, Any]) -> dict[str, Any]:
        self.record(*requests.stop(self._find(params["session"]), params["agent"], params["reason"]))
        return {}

    def _session_retry(self, params: dict[str, Any]) -> dict[str, Any]:
        found = requests.retry(self._find(params["session"]), params["agents"])
        self.record(*found)
        return {"assignments": [key for one in found if isinstance(one, ev.SessionRetried) for key in one.assignments]}

    def _session_freeze(self, params: dict[str, Any]) -> dict[str, Any]:
        found = requests.freeze(self._find(params["session"]), params["agents"])
        self.record(*found)
        return {"runs": [one.run for one in found if isinstance(one, ev.RunFreezeRequested)]}

    def _session_thaw(self, params: dict[str, Any]) -> dict[str, Any]:
        found = requests.thaw(self._find(params["session"]), params["agents"])
        self.record(*found)
        return {"runs": [one.run for one in found if isinstance(one, ev.RunThawRequested)]}

    def _session_resume(self, params: dict[str, Any]) -> dict[str, Any]:
        self.record(*requests.resume(self._find(params["session"])))
        return {}

    def _events_read(self, params: dict[str, Any]) -> dict[str, Any]:
        id_ = self._find(params["session"]).id if params["session"] else ""
        found = [one for one in self.journal[params["after"] :] if id_ in ("", one.session)]
        limit = min(params["limit"], self.page)
        events = [
            {"seq": one.seq, "time": one.time, "session": one.session, "kind": one.kind, "data": one.data()}
            for one in found[:limit]
        ]
        return {"events": events, "last": events[-1]["seq"] if events else params["after"], "more": len(found) > limit}

    def _logs_read(self, params: dict[str, Any]) -> dict[str, Any]:
        run = self._find(params["session"]).runs.get(params["run"])
        if run is None:
            raise NotFoundError(f"no run {params['run']}")
        pieces = self.outputs.get(run.id, [])
        whole = b"".join(data for _, _, data in pieces)
        wanted = params["offset"]
        start = max(0, len(whole) + wanted) if wanted < 0 else min(wanted, len(whole))
        data = whole[start : start + params["limit"]]
        records, at = [], 0
        for when, stream, piece in pieces:
            if at < start + len(data) and at + len(piece) > start:
                records.append([when, stream, at, len(piece)])
            at += len(piece)
        end = start + len(data)
        ended = run.state == "ended" and end >= len(whole)
        return {
            "data": data, "offset": start, "next": end, "size": len(whole), "ended": ended,
            "records": records if params["index"] else [],
        }  # fmt: skip
