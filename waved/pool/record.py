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


def write_exit(folder: Path, record: dict[str, Any]) -> None:
    """Write the exit record durably; raises OSError (disk full). A torn record is recognised by its checksum."""
    line = seal(json.dumps(record, ensure_ascii=True).encode())
    fd = os.open(folder / EXIT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(line)
        while view:
            view = view[os.write(fd, view) :]
        failpoints.hit("worker.in-exit-record")
        os.fsync(fd)
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


def write_spec(folder: Path, spec: dict[str, Any], argv: list[str]) -> None:
    """Write down what is run, for people: names of environment variables, never their values."""
    shown = {name: value for name, value in spec.items() if name not in ("env", "context", "prompt", "instructions")}
    shown["argv"] = argv
    shown["environment"] = sorted(spec.get("env", {}))
    (folder / SPEC).write_text(json.dumps(shown) + "\n", encoding="utf-8")


def is_locked(folder: Path) -> bool:
    """Whether a living worker holds the run's lock. A lock cannot be confused with another process's, as a pid can."""
    try:
        fd = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
