"""`wavectl` in processes that are forked from one that has imported it: each costs a fifth of a new interpreter.

All of `wavectl.cli.main` runs in them, with the reader's folder, environment and streams. The console script, and what
an import costs, are tested elsewhere (the tutorial, tests/unit/wavectl).
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import wavectl
from wavectl.cli import main

_FOR_THE_SHELL = re.compile(r"[|&;<>()$`*?~]")


def is_simple(command: str) -> bool:
    """Whether it is `wavectl` and nothing that a shell has to see."""
    return command.startswith("wavectl ") and not _FOR_THE_SHELL.search(command)


class Forking:
    """The process that forks."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.documented.forked"], cwd=Path(__file__).resolve().parents[2], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def run(self, command: str, folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
        """The exit status of a simple command, and what it printed."""
        assert self._process.stdin and self._process.stdout
        asked = {"argv": shlex.split(command), "cwd": str(folder), "env": dict(environment), "out": str(self._output)}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        return status, self._output.read_text(encoding="utf-8", errors="replace")

    def end(self) -> None:
        """Without requests it ends."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def _serve() -> None:
    for module in pkgutil.walk_packages(wavectl.__path__, "wavectl."):
        if not module.name.startswith("wavectl.top"):  # a framework by itself, and it needs a terminal
            import_module(module.name)
    for module_of_plans in ("waved.plan.load", "waved.plan.lint", "rich.console", "rich.table", "zmq"):
        import_module(module_of_plans)
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _be_wavectl(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _be_wavectl(asked: Mapping[str, Any]) -> None:
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    time.tzset()
    tempfile.tempdir = None  # what was true of the environment before is forgotten
    streams = os.open(os.devnull, os.O_RDONLY), os.open(asked["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream, into in zip((streams[0], streams[1], streams[1]), range(3), strict=True):
        os.dup2(stream, into)
    sys.argv = asked["argv"]
    main()


if __name__ == "__main__":
    _serve()
