"""The inspector's process: `python -P -m waved.monitors.inspector_main SOCKET ROOT LARGEST` (descriptors, bytes).

Reads files that agents wrote, so it expects the worst: it has little memory and a bounded time for each file, opens
nothing outside the workspace, and ends with the daemon. Requests and answers are msgpack, each after its length (u32).

    request  {id, path, data: bytes or nil, patterns, markers, parse}      data: look at this instead of the file
             {id, search: REGEX, data: bytes}                              is it found anywhere?
    answer   {id, answer: Answer} or {id, found: true, false or nil}
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import socket
import stat
import struct
import sys
from contextlib import suppress
from typing import Any

import msgpack

from waved.monitors import syntax
from waved.monitors.content import Answer, Checks, examine, matches
from waved.workspace.inside import open_file

MEMORY = 1024**3
"""Bytes of address space."""
SECONDS = 4
"""Processor time from which on the kernel ends the process: a parser that does not come back."""
_PR_SET_PDEATHSIG = 1
_LENGTH = struct.Struct("!I")


def main() -> None:
    """Answer requests until the other side closes the socket."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    root, largest = int(sys.argv[2]), int(sys.argv[3])
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # A terminal's Ctrl-C is meant for the daemon, which ends this process by closing the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    syntax.prepare()
    with connection, suppress(ConnectionError):
        while (request := _receive(connection)) is not None:
            _limit_time()
            answer = msgpack.packb({"id": request["id"], **_answer(root, largest, request)}, unicode_errors="replace")
            connection.sendall(_LENGTH.pack(len(answer)) + answer)


def _limit_time() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _answer(root: int, largest: int, request: dict[str, Any]) -> dict[str, Any]:
    if "search" in request:
        return {"found": matches(request["search"], request["data"])}
    path, data = request["path"], request["data"]
    checks = Checks(tuple(request["patterns"]), request["markers"], request["parse"])
    try:
        found = _read(root, path, largest) if data is None else data
        answer = found if isinstance(found, Answer) else examine(path, found, checks)
    except MemoryError:
        answer = Answer("large", notes=("takes too much memory",))
    return {"answer": answer.packed()}


def _read(root: int, path: str, largest: int) -> bytes | Answer:
    try:
        fd = open_file(root, path)
    except (OSError, ValueError) as error:
        return Answer(_STATES.get(getattr(error, "errno", None) or 0, "unreadable"), notes=(str(error),))
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return Answer("special")
        # One byte more than allowed: the file may grow while it is read.
        data = b""
        while len(data) <= largest and (piece := os.read(fd, min(largest + 1, max(status.st_size, 65536)) + 1)):
            data += piece
    except OSError as error:
        return Answer("unreadable", notes=(error.strerror or str(error),))
    finally:
        os.close(fd)
    return data if len(data) <= largest else Answer("large", size=status.st_size)


_STATES = {errno.ENOENT: "gone", errno.ELOOP: "link", errno.ENOTDIR: "link", errno.ENXIO: "special"}


def _receive(connection: socket.socket) -> dict[str, Any] | None:
    head = _exactly(connection, _LENGTH.size)
    body = _exactly(connection, _LENGTH.unpack(head)[0]) if head else b""
    return msgpack.unpackb(body, unicode_errors="surrogateescape") if body else None


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            return b""
        data += piece
    return bytes(data)


if __name__ == "__main__":
    main()
