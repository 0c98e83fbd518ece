"""The probe program (probe.c) and the times it leaves behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).with_name("probe.c")
SLEEP = 120
"""Seconds a sleeping probe sleeps; it is ended long before."""


class BenchmarkError(Exception):
    """A benchmark that cannot go on; the text says why."""


def cache() -> Path:
    """Where the probe and the peers are kept: $WAVED_BENCHMARK_CACHE, else a folder under $XDG_CACHE_HOME."""
    chosen = os.environ.get("WAVED_BENCHMARK_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(chosen) if chosen else Path(base) / "waved-benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def build_probe() -> Path:
    """The compiled probe; raises BenchmarkError without a C compiler."""
    program = cache() / "probe"
    if program.exists() and program.stat().st_mtime >= SOURCE.stat().st_mtime:
        return program
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise BenchmarkError(
            "the benchmarks need a C compiler for tests/benchmarks/probe.c (Debian: apt-get install gcc)"
        )
    subprocess.run([compiler, "-O2", "-o", str(program), str(SOURCE)], check=True)
    return program


@dataclass
class Stamps:
    """One file that probes append to."""

    file: Path
    probe: Path = field(default_factory=build_probe)

    def once(self) -> list[str]:
        """The command line of a probe that ends at once."""
        return [str(self.probe), str(self.file)]

    def sleeping(self, seconds: int = SLEEP) -> list[str]:
        """The command line of a probe that stays."""
        return [*self.once(), "sleep", str(seconds)]

    def lines(self, size: int) -> list[str]:
        """The command line of a probe that writes `size` bytes in lines of 80."""
        return [*self.once(), "lines", str(size)]

    def read(self) -> list[int]:
        """The times so far, in nanoseconds of CLOCK_REALTIME, in order."""
        return sorted(int(line.split()[0]) for line in self._lines())

    def wait(self, count: int, seconds: float = 60.0) -> list[int]:
        """Waits until `count` probes have been exec'ed; raises BenchmarkError when they are not in time."""
        deadline = time.monotonic() + seconds
        while len(found := self._lines()) < count:
            if time.monotonic() > deadline:
                raise BenchmarkError(f"{len(found)} of {count} programs had started after {seconds:g} s")
            time.sleep(0.02)  # the times are in the file: looking seldom costs no accuracy
        return self.read()

    def clear(self) -> None:
        """Forgets the times so far."""
        self.file.unlink(missing_ok=True)

    def end_all(self) -> None:
        """Ends every probe that wrote here and still lives."""
        for line in self._lines():
            pid = int(line.split()[1])
            try:
                alive = Path(f"/proc/{pid}/cmdline").read_bytes().startswith(os.fsencode(self.probe))
                if alive:
                    os.kill(pid, signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError):
                continue

    def _lines(self) -> list[str]:
        if not self.file.exists():
            return []
        return [line for line in self.file.read_text().splitlines(keepends=True) if line.endswith("\n")]
