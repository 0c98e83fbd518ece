"""What a run leaves on disk beside its output: its spec (without environment values) and its exit record."""

from __future__ import annotations

import fcntl
import json
import os
import zlib
from pathlib import Path
from typing import Any

from waved import failpoints

EXIT = "exit"
SPEC = "spec.json"
LOCK = "lock"
CONTROL = "control.sock"
PROMPT = "prompt.md"
CONTEXT = "context.json"
_UNSHOWN = frozenset({"env", "context", "results", "prompt", "instructions"})
"""Parts of a spec that stand in files of their own, or must not be written."""


EXIT_ROOM = 8192
"""Bytes set aside for an exit record."""
_SHORT_TAIL = 500


def make_room_for_exit(folder: str) -> None:
    """Set disk space aside for the exit record, so that a full disk does not take the truth about a run's end. Raises
    OSError. What is there until it is written is no record (`read_exit`).
    """
    fd = os.open(f"{folder}/{EXIT}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, EXIT_ROOM)
    finally:
        os.close(fd)


def write_exit(folder: str, record: dict[str, Any], *, on_disk: bool = True) -> None:
    """Write the exit record; raises OSError. A torn record is recognised by its checksum.

    It outlives this process and the daemon at once; with `on_disk` a power cut, too. A daemon that hears of an end
    journals it, which the disk has to confirm: once is enough.

    Of a long one that a full disk does not take, the tail of output is cut: all else fits into the room set aside.
    """
    try:
        _write_exit(folder, seal(json.dumps(record, ensure_ascii=True).encode()), on_disk=on_disk)
    except OSError:
        short = {**record, "tail": str(record.get("tail", ""))[-_SHORT_TAIL:]}
        _write_exit(folder, seal(json.dumps(short, ensure_ascii=True).encode()), on_disk=on_disk)


def _write_exit(folder: str, line: bytes, *, on_disk: bool) -> None:
    fd = os.open(f"{folder}/{EXIT}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        written = 0
        while written < len(line):
            written += os.pwrite(fd, line[written:], written)
        os.ftruncate(fd, len(line))
        failpoints.hit("worker.in-exit-record")
        if on_disk:
            os.fsync(fd)
    finally:
        os.close(fd)


def write_file(folder: str, name: str, text: str) -> None:
    """Write one of the run's small files. Raises OSError."""
    fd = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        data = text.encode()
        while data:
            data = data[os.write(fd, data) :]
    finally:
        os.close(fd)


def seal(body: bytes) -> bytes:
    """A record's line and its checksum."""
    return body + b"\n%08x\n" % zlib.crc32(body)


def read_exit(folder: Path) -> dict[str, Any] | None:
    """The exit record, or None when there is none, or it is torn."""
    try:
        body, checksum, *_ = (folder / EXIT).read_bytes().split(b"\n")
        if int(checksum, 16) != zlib.crc32(body):
            return None
        record = json.loads(body)
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def write_spec(folder: str, spec: dict[str, Any], argv: list[str]) -> None:
    """Write down what is run, for people: names of environment variables, never their values."""
    shown = {name: value for name, value in spec.items() if name not in _UNSHOWN}
    shown["argv"] = argv
    shown["environment"] = sorted(spec.get("env", {}))
    write_file(folder, SPEC, json.dumps(shown) + "\n")


def is_locked(folder: Path) -> bool:
    """Whether a living worker holds the run's lock. A lock cannot be confused with another process's, as a pid can.

    Raises OSError when it cannot be seen (no descriptors): that is not the same as no.
    """
    try:
        fd = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
