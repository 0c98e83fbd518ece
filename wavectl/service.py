"""The service files of this installation: which ones, where they go, and what systemd has to be told then."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from waved.errors import ConflictError, NotAllowedError, NotFoundError

UNIT = "waved.service"
SOCKET = "waved.socket"
_PACKAGED = {"waved": "/usr/bin/waved", "wavectl": "/usr/bin/wavectl"}
"""Where the unit files say the programs are."""
_BOOTED = Path("/run/systemd/system")
"""There exactly when systemd is the machine's service manager (sd_booted(3))."""
_SUBGROUPS_SINCE = 254
_PATIENCE = 900.0
"""Seconds for one command: the first start may migrate a large journal."""


@dataclass(frozen=True, slots=True)
class ServiceFile:
    """One file to be put in place; `keep`: one that is there already stays as it is."""

    path: Path
    text: str
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """The system's services or one user's: where their files are, and how their manager is spoken to."""

    system: bool
    units: Path

    def systemctl(self, *words: str) -> list[str]:
        """A command line for this manager."""
        return ["systemctl", *([] if self.system else ["--user"]), *words]

    @property
    def unit_file(self) -> Path:
        """Where the unit goes."""
        return self.units / UNIT


def scope_of(system: bool, environ: Mapping[str, str] | None = None) -> Scope:
    """The system's scope, or the calling user's."""
    if system:
        return Scope(True, Path("/etc/systemd/system"))
    env = os.environ if environ is None else environ
    config = Path(env.get("XDG_CONFIG_HOME") or Path(env.get("HOME") or "~").expanduser() / ".config")
    return Scope(False, config / "systemd" / "user")


def socket_file(scope: Scope) -> ServiceFile:
    """The unit that has systemd listen, and start the service when somebody connects."""
    shipped = files("waved") / "service" / "units"
    text = (shipped / SOCKET if scope.system else shipped / "user" / SOCKET).read_text(encoding="utf-8")
    return ServiceFile(scope.units / SOCKET, text)


def service_files(scope: Scope) -> list[ServiceFile]:
    """What is to be in place for the service. Raises NotFoundError when this installation has no programs to start."""
    shipped = files("waved") / "service" / "units"
    programs = {name: _quoted(program(name)) for name in _PACKAGED}
    if not scope.system:
        unit = (shipped / "user" / UNIT).read_text(encoding="utf-8")
        return [ServiceFile(scope.unit_file, with_subgroup(with_programs(unit, programs)))]
    texts = {name: (shipped / name).read_text(encoding="utf-8") for name in (UNIT, "waved.sysusers", "waved.tmpfiles")}
    return [
        ServiceFile(Path("/etc/sysusers.d/waved.conf"), texts["waved.sysusers"]),
        ServiceFile(Path("/etc/tmpfiles.d/waved.conf"), texts["waved.tmpfiles"]),
        ServiceFile(Path("/etc/waved/waved.toml"), (shipped / "waved.toml").read_text(encoding="utf-8"), keep=True),
        ServiceFile(scope.unit_file, with_subgroup(with_programs(texts[UNIT], programs))),
    ]


def with_programs(unit: str, programs: Mapping[str, str]) -> str:
    """A unit whose commands are the programs given."""
    by_packaged = {packaged: programs[name] for name, packaged in _PACKAGED.items()}
    lines = []
    for line in unit.splitlines():
        key, _, command = line.partition("=")
        first, _, rest = command.partition(" ")
        if key.startswith("Exec") and first in by_packaged:
            lines.append(f"{key}={by_packaged[first]} {rest}".rstrip())
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def with_subgroup(unit: str) -> str:
    """A unit whose main process is started in a group of its own, where systemd knows how (254): so the limits of
    agents that live on are kept through a restart. An older one would warn of a word it does not know.
    """
    if _systemd_version() < _SUBGROUPS_SINCE:
        return unit
    return unit.replace("\nDelegate=yes\n", "\nDelegate=yes\nDelegateSubgroup=waved-daemon\n")


def _systemd_version() -> int:
    """0 when there is none."""
    try:
        said = subprocess.run(
            ["systemctl", "--version"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    number = said.split()[1:2]
    return int(number[0]) if number and number[0].isdigit() else 0


def program(name: str) -> Path:
    """The console script of this installation: it stands beside the interpreter. Raises NotFoundError."""
    found = Path(sys.executable).parent / name
    if os.access(found, os.X_OK):
        return found
    elsewhere = shutil.which(name)
    if elsewhere is None:
        raise NotFoundError(f"this installation has no program {name!r}", "install it with `pip install waved`")
    return Path(elsewhere).absolute()


def _quoted(path: Path) -> str:
    """A path as the first word of a unit's command line (systemd.service(5), "Command lines")."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"' if " " in text or '"' in text or "'" in text or ";" in text else text


def check_reachable(path: Path) -> None:
    """Whether every user may run a program. Raises NotAllowedError naming the folder that keeps others out."""
    real = path.resolve()
    interpreter = Path(sys.executable).resolve()
    for wanted in (path.absolute(), real, interpreter):
        for folder in wanted.parents:
            if not folder.stat().st_mode & stat.S_IXOTH:
                raise NotAllowedError(
                    f"the service's user cannot run {wanted}: {folder} is closed to others",
                    "install for all users: python3 -m venv /opt/waved && /opt/waved/bin/pip install waved",
                )


def require_systemd() -> None:
    """Raises ConflictError without a systemd to speak to."""
    if not _BOOTED.is_dir() or shutil.which("systemctl") is None:
        raise ConflictError(
            "systemd does not run this machine (there is no /run/systemd/system)",
            "`wavectl daemon start` starts a daemon without it; --dry-run shows what would be installed",
        )


def require_manager(scope: Scope) -> None:
    """Raises ConflictError without a manager to speak to, and NotAllowedError for the system's without being root."""
    require_systemd()
    if scope.system:
        if os.geteuid() != 0:
            raise NotAllowedError("the system service is root's to install", "use sudo, or --user for one of your own")
        return
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    if not Path(runtime, "systemd").is_dir():
        name = pwd.getpwuid(os.getuid()).pw_name
        raise ConflictError(
            "no service manager runs for this user", f"log in once, or: sudo loginctl enable-linger {name}"
        )


def write(wanted: ServiceFile) -> bool:
    """Put a file in place; whether that changed anything. Raises NotAllowedError."""
    try:
        if wanted.path.exists() and (wanted.keep or wanted.path.read_text(encoding="utf-8") == wanted.text):
            return False
        wanted.path.parent.mkdir(parents=True, exist_ok=True)
        new = wanted.path.with_name(f".{wanted.path.name}.new")
        new.write_text(wanted.text, encoding="utf-8")
        new.chmod(0o644)
        new.replace(wanted.path)
    except OSError as error:
        raise NotAllowedError(f"cannot write {wanted.path}: {error.strerror}") from None
    return True


def tell(command: Sequence[str]) -> str:
    """Run a command of systemd's; what it printed. Raises ConflictError with what it complained of."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConflictError(f"{command[0]}: {error}") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise ConflictError(f"`{' '.join(command)}` failed: {said[:500]}", "`journalctl -n 50 -u waved` may say more")
    return done.stdout
