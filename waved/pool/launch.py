"""Find and start a program. All that takes time (files, prompt, environment) has been done before, so that starting is
one posix_spawn: no copy of our memory, and its return says that the exec has succeeded (requirement O3).
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass

_ALL_SIGNALS = sorted(int(number) for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


class NotStartedError(Exception):
    """The program cannot be started; the text says why, for a person."""


class ShortageError(NotStartedError):
    """The machine has no process, memory, descriptor or disk space for it now: it may well be started later."""


SHORTAGES = frozenset(
    {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.ENOBUFS}
)
"""Error numbers that say nothing about the program, only about the moment."""


@dataclass(slots=True)
class Launch:
    """A program ready to be started in the present working folder, with these descriptors as its stdio."""

    path: str
    argv: list[str]
    env: Mapping[str, str]
    stdin: int
    stdout: int
    stderr: int

    def start(self) -> int:
        """Start it in a session of its own; the pid, after its exec. Raises NotStartedError."""
        actions = [
            (os.POSIX_SPAWN_DUP2, fd, target) for target, fd in enumerate((self.stdin, self.stdout, self.stderr))
        ]
        try:
            return os.posix_spawn(
                self.path, self.argv, self.env, file_actions=actions, setsid=True, setsigmask=[], setsigdef=_ALL_SIGNALS
            )
        except OSError as error:
            if error.errno in SHORTAGES:
                raise ShortageError(f"{self.argv[0]}: {error.strerror}") from None
            reason = "not a program, and no #! line says which runs it" if error.errno == 8 else error.strerror
            raise NotStartedError(f"{self.argv[0]}: {reason}") from None
        except ValueError as error:  # an argument or variable with a NUL byte
            raise NotStartedError(f"{self.argv[0]}: {error}") from None
        finally:
            self.close()

    def close(self) -> None:
        """Close the descriptors; once."""
        for fd in (self.stdin, self.stdout, self.stderr):
            if fd >= 0:
                os.close(fd)
        self.stdin = self.stdout = self.stderr = -1


def resolve(argv: list[str], cwd: str, env: Mapping[str, str]) -> str:
    """The file to exec: found on the run's own PATH, or relative to its folder. Raises NotStartedError."""
    name = argv[0]
    if not os.path.isdir(cwd):  # noqa: PTH112 — workers import as little as they can
        raise NotStartedError(f"working folder {cwd} does not exist")
    if "/" in name:
        path = os.path.join(cwd, name)  # noqa: PTH118
        if not os.path.exists(path):  # noqa: PTH110
            raise NotStartedError(f"{name}: no such file (looked in {cwd})")
        if not os.access(path, os.X_OK) or os.path.isdir(path):  # noqa: PTH112
            raise NotStartedError(f"{name}: not an executable file")
        return path
    found = shutil.which(name, path=env.get("PATH", os.defpath))
    if found is None:
        raise NotStartedError(f"{name}: command not found on PATH")
    return os.path.abspath(found)  # noqa: PTH100
