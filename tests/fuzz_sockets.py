"""Coverage-guided fuzzing of what arrives on the sockets, for as long as one likes (needs `pip install atheris`):

    python -m tests.fuzz_sockets client -max_total_time=600 corpus/
    python -m tests.fuzz_sockets worker -max_total_time=600

client: frames of clients, as far as the parameters of a method and the plan in a submission. worker: datagrams between
daemon and workers. Options are libFuzzer's. Anything but an error that waved raises on purpose is a finding; so is
more than 512 MB of memory. The default run of the tests has the same by hypothesis (test_protocol.py,
test_pool_fuzz.py).
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from typing import Any

import msgpack

try:
    import atheris
except ImportError:
    sys.exit("atheris is not installed: pip install atheris (Python 3.11 to 3.13)")

with atheris.instrument_imports(include=["waved"]):
    from waved.errors import WavedError
    from waved.ipc import wire
    from waved.ipc.caller import local_caller
    from waved.ipc.keys import written_key
    from waved.plan.load import plan_from_json
    from waved.pool.channel import Channel, ChannelClosedError
    from waved.reactor.params import Params


WORDS = [
    "session", "wave", "agent", "name", "command", "use", "prompt", "needs", "gate", "commands", "outputs", "task",
    "requires", "env", "set", "budget", "monitor", "kind", "paths", "reactions", "do", "timeout", "retries",
    "plan", "workspace", "environment", "base", "agents", "waive", "limit", "wait", "after", "claude", "corruption",
]  # fmt: skip


def _thing(source: atheris.FuzzedDataProvider, depth: int = 0) -> Any:
    """Anything that a frame can say; where maps have keys, mostly those that a plan or a request knows."""
    kind = source.ConsumeIntInRange(0, 9)
    if depth < 6 and kind >= 7:
        return [_thing(source, depth + 1) for _ in range(source.ConsumeIntInRange(0, 4))]
    if depth < 6 and kind >= 4:
        return {_text(source): _thing(source, depth + 1) for _ in range(source.ConsumeIntInRange(0, 6))}
    if kind == 3:
        return source.ConsumeInt(8)
    if kind == 2:
        return [None, True, False, 0.5, float("nan"), b"\xff"][source.ConsumeIntInRange(0, 5)]
    return _text(source)


def _text(source: atheris.FuzzedDataProvider) -> str:
    if source.ConsumeIntInRange(0, 7):
        return WORDS[source.ConsumeIntInRange(0, len(WORDS) - 1)]
    return source.ConsumeUnicodeNoSurrogates(12)


def client(data: bytes) -> None:
    """A frame on the control socket: the bytes as they are, and a request that is made from them."""
    _frame(data)
    source = atheris.FuzzedDataProvider(data)
    plan = {"session": {"name": "t"}, "wave": [{"name": "w", "agent": [_thing(source)]}], _text(source): _thing(source)}
    params = {"plan": plan if source.ConsumeBool() else _thing(source), _text(source): _thing(source)}
    _frame(msgpack.packb({"v": 1, "id": 1, "method": "session.submit", "params": params}))


def _frame(data: bytes) -> None:
    local_caller(data[:40].decode(errors="replace"))
    wire.request_id_of(data)
    try:
        request = wire.decode_request(data)
    except WavedError as error:
        wire.decode(wire.encode_error(wire.request_id_of(data), error))
        return
    params = Params(request.method, request.params)
    for name in list(request.params)[:20]:
        for take in (params.text, params.texts, params.table):
            with contextlib.suppress(WavedError):
                take(name)
    with contextlib.suppress(WavedError):
        params.integer("limit", 1, 0, 10)
        params.seconds("wait", 0.0, 60.0)
        params.flag("index", default=False)
        written_key(params.text("key", ""))
    with contextlib.suppress(WavedError):
        plan_from_json(request.params.get("plan", request.params))


def worker(data: bytes) -> None:
    """A datagram on a worker's line; its first byte says how many descriptors come with it."""
    ours, theirs = Channel.pair()
    files = [os.memfd_create("x") for _ in range(data[0] % 3 if data else 0)]
    for fd in files:
        os.write(fd, data[1:])
        os.lseek(fd, 0, os.SEEK_SET)
    try:
        socket.send_fds(theirs.sock, [data[1:60_000]], files)
        theirs.close()
        _, passed = ours.receive()
        for fd in passed:
            os.close(fd)
    except ChannelClosedError:
        pass
    finally:
        theirs.close()
        ours.close()
        for fd in files:
            os.close(fd)


if __name__ == "__main__":
    targets = {"client": client, "worker": worker}
    if len(sys.argv) < 2 or sys.argv[1] not in targets:
        sys.exit(__doc__)
    target = targets[sys.argv.pop(1)]
    atheris.Setup([*sys.argv, "-rss_limit_mb=512"], target)
    atheris.Fuzz()
