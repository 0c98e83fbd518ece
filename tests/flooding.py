"""A client that behaves badly on purpose, as a process: KIND SOCKET. It says `ready` on its standard output, and goes
on until it is ended.

requests: honest questions without an end, no answer read. answers: questions whose answers are large, none read.
garbage: frames that are no requests. large: frames of 8 MB. polls: long polls without an end, on many connections.
connections: connects and leaves, over and over. held: connects without an end, and stays.
"""

from __future__ import annotations

import contextlib
import random
import socket
import sys

import zmq

from waved.ipc.wire import Request, encode_request

KINDS = ("requests", "answers", "garbage", "large", "polls", "connections", "held")


def _frame(kind: str) -> bytes:
    if kind == "answers":
        return encode_request(Request(1, "events.read", {"after": 0, "limit": 5000}))
    if kind == "garbage":
        return random.Random(7).randbytes(300)
    if kind == "large":
        return encode_request(Request(1, "daemon.status", {"more": bytes(8 << 20)}))
    if kind == "polls":
        return encode_request(Request(1, "events.read", {"after": 2**40, "wait": 60.0}))
    return encode_request(Request(1, "daemon.status"))


def flood(kind: str, path: str) -> None:
    """Does not return."""
    if kind == "connections":
        print("ready", flush=True)
        while True:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as raw:
                raw.connect(path)
                raw.send(b"\xff")
    if kind == "held":
        hold(path)
    context = zmq.Context()
    channels = []
    for _ in range(20 if kind == "polls" else 1):
        channel = context.socket(zmq.DEALER)
        channel.linger = 0
        channel.connect(f"ipc://{path}")
        channel.send(_frame(kind))
        channels.append(channel)
    print("ready", flush=True)
    frame = _frame(kind)
    while True:
        for channel in channels:
            channel.send(frame)  # waits when its own queue is full: what it asks for is more than it is given


def hold(path: str) -> None:
    """Connections that say nothing; those that are cut are made again. Does not return."""
    print("ready", flush=True)
    held: list[socket.socket] = []
    while True:
        with contextlib.suppress(OSError):
            raw = socket.socket(socket.AF_UNIX)
            raw.connect(path)
            held.append(raw)
        if len(held) > 500:
            held.pop(0).close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        flood(sys.argv[1], sys.argv[2])
