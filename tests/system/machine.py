"""A machine with a real systemd for tests: in namespaces of its own, with waved installed, gone without a trace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.live import wait_for
from wavectl import Client

SOURCE = Path(__file__).parents[2]
INSTALLED = Path("/opt/waved")
"""Where waved is inside: the programs in `bin`, its packages in `src`."""
PYTHON = Path("/opt/python")
BOOT = Path(__file__).with_name("boot_systemd.sh")
_SCRIPT = """#!/opt/waved/bin/python
import sys
sys.path.insert(0, "/opt/waved/src")
from {module} import main
main()
"""


def why_not() -> str:
    """Why no machine can be booted here; "" when one can."""
    if os.geteuid() != 0:
        return "needs root: namespaces, mounts and control groups are made"
    missing = [name for name in ("unshare", "nsenter", "setpriv", "systemctl") if shutil.which(name) is None]
    if missing or not Path("/lib/systemd/systemd").exists():
        return f"needs systemd and util-linux; missing: {', '.join(missing) or '/lib/systemd/systemd'}"
    probe = ["unshare", "--mount", "--pid", "--fork", "--cgroup", "--net", "--uts", "--ipc", "true"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        return "namespaces cannot be made here (a container without privileges?)"
    return ""


class CannotBootError(Exception):
    """Something of what is needed is not allowed here, although it looked as if it was; the text says what."""


class Machine:
    """A booted machine. `root`: its files, as seen from outside."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.root = Path(f"/proc/{pid}/root")

    def run(
        self, *command: str, user: str = "", ok: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root or as `user`. With `ok` it must succeed."""
        become = ["runuser", "-u", user, "--"] if user else []
        variables = {
            "PATH": f"{INSTALLED}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": f"/home/{user}" if user else "/root",
            "LANG": "C.UTF-8",
            **environment,
        }
        words = [f"{name}={value}" for name, value in variables.items()]
        done = subprocess.run(
            ["nsenter", "-t", str(self.pid), "-a", *become, "env", "-i", *words, *command],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if ok and done.returncode:
            raise AssertionError(f"{command} → {done.returncode}\n{done.stdout}{done.stderr}\n{self.journal_text()}")
        return done

    def client(self) -> Client:
        """A client of the system service, as root, from outside."""
        return Client(str(self.root / "run/waved/control.sock"))

    def systemctl(self, *words: str, ok: bool = True) -> str:
        """What systemctl prints."""
        return self.run("systemctl", *words, ok=ok).stdout.strip()

    def show(self, name: str, unit: str = "waved.service") -> str:
        """A property of a unit."""
        return self.systemctl("show", "-P", name, unit)

    def write(self, path: str, text: str) -> bool:
        """Write a file inside; whether that changed anything."""
        target = self.root / path.lstrip("/")
        if target.exists() and target.read_text() == text:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return True

    def configure(self, unit: str, *lines: str) -> bool:
        """Replace the test's own drop-in of a unit; whether that changed anything."""
        changed = self.write(f"/run/systemd/system/{unit}.d/90-test.conf", "\n".join(lines) + "\n")
        if changed:
            self.systemctl("daemon-reload")
        return changed

    def journal(self, *match: str) -> list[dict[str, Any]]:
        """Entries of the machine's journal, oldest first."""
        self.run("journalctl", "--sync")
        found = self.run("journalctl", "--no-pager", "-q", "-o", "json", *match)
        return [json.loads(line) for line in found.stdout.splitlines()]

    def journal_text(self) -> str:
        """The last lines of the journal, for messages of failed tests."""
        command = ["nsenter", "-t", str(self.pid), "-a", "journalctl", "--no-pager", "-n", "40", "-o", "cat"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def alive(self, marker: str) -> list[int]:
        """Pids (inside) of processes whose command line holds `marker`."""
        found = []
        for folder in (self.root / "proc").iterdir():
            if folder.name.isdigit():
                try:
                    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if marker in line:
                    found.append(int(folder.name))
        return sorted(found)

    def await_state(self, state: str, unit: str = "waved.service") -> None:
        """Wait until a unit is in a state."""
        wait_for(lambda: self.show("ActiveState", unit) == state, what=lambda: self.journal_text())

    def install(self) -> None:
        """Put waved, as it stands in this checkout, under /opt."""
        install_into(self.root / str(INSTALLED)[1:])
        if list((self.root / str(PYTHON)[1:] / "lib").glob("libpython*.so.*")):
            # It was linked for a place that is closed to others, and must not find another one's library.
            self.write("/etc/ld.so.conf.d/000-waved.conf", f"{PYTHON}/lib\n")
            self.run("ldconfig")
        # An installed wheel has its byte code beside it; the service's user could not write it.
        self.run(f"{INSTALLED}/bin/python", "-m", "compileall", "-q", f"{INSTALLED}/src")


def install_into(home: Path) -> None:
    """Put waved's programs and packages into what will be the folder INSTALLED of a machine."""
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python").symlink_to(PYTHON / "bin" / Path(sys.executable).resolve().name)
    (home / "pyvenv.cfg").write_text(f"home = {PYTHON}/bin\ninclude-system-site-packages = false\n")
    for name, module in (("waved", "waved.daemon"), ("wavectl", "wavectl.cli")):
        program = home / "bin" / name
        program.write_text(_SCRIPT.format(module=module))
        program.chmod(0o755)
        shutil.copytree(SOURCE / name, home / "src" / name, ignore=shutil.ignore_patterns("__pycache__"))


@contextmanager
def booted() -> Iterator[Machine]:
    """A machine with waved installed, and no service yet. Raises CannotBootError."""
    packages = sysconfig.get_path("purelib")
    inside = INSTALLED / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    folder = tempfile.mkdtemp(prefix="waved-machine-")
    binds: Sequence[str] = [f"{sys.base_prefix}:{PYTHON}", f"{packages}:{inside}"]
    with subprocess.Popen(
        ["bash", str(BOOT), folder, *binds],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            said = process.stdout.readline().split()
            if said[:1] != ["booted"] or len(said) != 3:
                process.stdin.close()
                assert process.stderr is not None
                raise CannotBootError(f"systemd did not come up: {said} {process.stderr.read().strip()[-300:]}")
            machine = Machine(int(said[1]))
            machine.install()
            yield machine
        finally:
            process.stdin.close()
            process.wait(30)
            Path(folder).rmdir()
