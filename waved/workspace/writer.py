"""Writing a snapshot: one `git fast-import` takes blobs, tree, commit and ref; all of it counts, or nothing.

A process that is killed in the middle leaves no lock and no half snapshot: the ref is set last.
"""

from __future__ import annotations

import errno
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import IO

from waved.workspace import git
from waved.workspace.git import Git
from waved.workspace.records import SnapshotError

ARGUMENTS = ("fast-import", "--quiet", "--done", "--force", "--depth=0", "--date-format=raw")
AS_A_PACK = ("-c", "fastimport.unpackLimit=1")
"""Few objects are unpacked into files, by a process of their own, so that not every snapshot leaves a pack. The first
one may: an agent's start waits for it.
"""
IDENTITY = b"waved <waved@localhost>"
ABOUT_REF = b"refs/waved/about"
ABOUT_FILE = "about.json"


class Writer:
    """One snapshot being written. Use as a context manager: what was not finished is thrown away."""

    def __init__(self, store: Git, *, first: bool = False) -> None:
        """`first`: there is no snapshot yet."""
        self._store = store
        self._options = AS_A_PACK if first else ()
        self._process: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None
        self._watch: threading.Timer | None = None
        self._late = False

    def blob(self, data: bytes) -> None:
        """Put a file's content into the store."""
        pipe = self._pipe()
        try:
            pipe.write(b"blob\ndata %d\n" % len(data))
            pipe.write(data)
            pipe.write(b"\n")
        except OSError:
            raise self._failure() from None

    def commit(
        self,
        ref: str,
        when: int,
        message: bytes,
        base: str,
        changes: Iterable[tuple[bytes, int, str]],
        gone: Iterable[bytes],
        about: str,
        about_new: bytes | None,
    ) -> tuple[str, str, str]:
        """Make the commit, as of `when` (seconds): the tree `base` ("" for an empty one) less `gone`, with `changes`.

        A change is path, mode and blob. `about` is the commit that says what a tree cannot, `about_new` the content of
        a new one. Returns the hashes of commit, tree and about.
        """
        lines: list[bytes] = []
        time = b"%d" % when
        parent = about.encode()
        if about_new is not None:
            lines.append(b"commit %s\nmark :1\ncommitter %s %s +0000\ndata 6\nabout\n" % (ABOUT_REF, IDENTITY, time))
            lines.append(b"deleteall\nM 100644 inline %s\ndata %d\n" % (ABOUT_FILE.encode(), len(about_new)))
            lines.append(about_new + b"\n")
            parent = b":1"
        name = ref.encode()
        lines.append(b"reset %s\n\ncommit %s\nmark :2\ncommitter %s %s +0000\n" % (name, name, IDENTITY, time))
        lines.append(b"data %d\n%s\n" % (len(message), message))
        if parent:
            lines.append(b"merge %s\n" % parent)
        if base:
            lines.append(b'M 040000 %s ""\n' % base.encode())
        pipe = self._pipe()
        try:
            pipe.write(b"".join(lines))
            for path in gone:
                pipe.write(b"D %s\n" % quoted(path))
            for path, mode, blob in changes:
                pipe.write(b"M %o %s %s\n" % (mode, blob.encode(), quoted(path)))
            pipe.write(b'\nget-mark :2\nls :2 ""\n')
            if about_new is not None:
                pipe.write(b"get-mark :1\n")
            pipe.write(b"done\n")
            pipe.close()
            answers = self._answers()
        except OSError:
            raise self._failure() from None
        commit, tree = answers[0], answers[1].split()[2]
        return commit, tree, answers[2] if about_new is not None else about

    def _answers(self) -> list[str]:
        process = self._started()
        out = git.output(process).read()
        if process.wait() != 0:
            raise self._failure()
        return out.decode().splitlines()

    def begin(self) -> None:
        """Start git now, and not with the first thing that is written."""
        self._pipe()

    def _pipe(self) -> IO[bytes]:
        if self._process is None:
            self._said = tempfile.TemporaryFile()  # noqa: SIM115 — closed by __exit__
            pipe = subprocess.PIPE
            self._process = self._store.start(
                *self._options, *ARGUMENTS, stdin=pipe, stdout=pipe, stderr=self._said.fileno()
            )
            self._watch = threading.Timer(self._store.timeout, self._overdue)
            self._watch.daemon = True
            self._watch.start()
        return git.input_(self._process)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise SnapshotError("git fast-import was not started")
        return self._process

    def _overdue(self) -> None:
        self._late = True
        if self._process is not None:
            self._process.kill()

    def _failure(self) -> Exception:
        status = self._started().wait()
        if self._late:
            return SnapshotError(f"git fast-import took longer than {self._store.timeout:g} s and was ended")
        said = b""
        if self._said is not None:
            self._said.seek(0)
            said = self._said.read(64 * 1024)
        text = [line for line in said.splitlines() if line.startswith((b"fatal", b"error"))]
        return git.failure(ARGUMENTS, status, b"\n".join(text))

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    try:
                        pipe.close()
                    except OSError:
                        continue
            self._process.wait()
        if self._said is not None:
            self._said.close()


def quoted(path: bytes) -> bytes:
    """A path as fast-import reads it, whatever bytes are in it."""
    escaped = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + escaped + b'"'


def sweep(git_dir: Path) -> None:
    """Remove what killed git processes left: locks, half packs, crash reports. Only with the store's lock held: a git
    whose daemon was killed has it until its own end, so nobody is at work here.
    """
    for pattern in ("*.lock", "fast_import_crash_*", "refs/**/*.lock", "objects/pack/tmp_*", "objects/pack/.tmp-*"):
        _remove(git_dir, pattern, Path.unlink)
    for pattern in ("objects/??/tmp_obj_*", "objects/tmp_objdir-*/*", "objects/tmp_objdir-*/*/*"):
        _remove(git_dir, pattern, lambda path: None if path.is_dir() else path.unlink())
    for pattern in ("objects/tmp_objdir-*/*", "objects/tmp_objdir-*"):
        _remove(git_dir, pattern, Path.rmdir)


def _remove(git_dir: Path, pattern: str, remove: Callable[[Path], None]) -> None:
    try:
        found = list(git_dir.glob(pattern))
    except FileNotFoundError:
        return  # a folder went away while it was read: what is left is swept with the next snapshot
    for path in found:
        try:
            remove(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
