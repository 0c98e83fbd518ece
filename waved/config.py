"""Where files live, and the limits of a daemon (docs/architecture.md, "Files")."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from waved.errors import NotAllowedError

PORT = 7417
"""Where a daemon is looked for on another host when no port is named."""
_ADDRESS = re.compile(r"tcp://(\[[0-9A-Fa-f:.]+\]|[\w.-]+|\*):(\d{1,5})")


def is_address(text: str) -> bool:
    """Whether this is `tcp://HOST:PORT`."""
    found = _ADDRESS.fullmatch(text)
    return found is not None and 0 < int(found[2]) < 65536


@dataclass(frozen=True, slots=True)
class Locations:
    """The folders one daemon uses."""

    state: Path
    runtime: Path

    @property
    def control_socket(self) -> Path:
        """The unix socket clients reach the daemon on."""
        return self.runtime / "control.sock"

    @property
    def endpoint(self) -> str:
        """The ZeroMQ address of the control socket."""
        return f"ipc://{self.control_socket}"

    @property
    def journal(self) -> Path:
        """The journal's database."""
        return self.state / "journal.sqlite"

    @property
    def lock(self) -> Path:
        """Held by the one daemon of this state folder."""
        return self.state / "daemon.lock"

    @property
    def keys(self) -> Path:
        """The daemon's key pair and whom it lets in over TCP."""
        return self.state / "keys"

    @property
    def log(self) -> Path:
        """The structured log of a private daemon."""
        return self.state / "waved.log"

    def session(self, session: str) -> Path:
        """The folder of a session."""
        return self.state / "sessions" / session


def locate(environ: Mapping[str, str] | None = None) -> Locations:
    """The folders by environment: WAVED_*_DIR, systemd's *_DIRECTORY, then the XDG base directories."""
    env = os.environ if environ is None else environ
    home = Path(env.get("HOME") or "~").expanduser()
    state = env.get("WAVED_STATE_DIR") or env.get("STATE_DIRECTORY", "").partition(":")[0]
    state_path = Path(state) if state else Path(env.get("XDG_STATE_HOME") or home / ".local" / "state") / "waved"
    runtime = env.get("WAVED_RUNTIME_DIR") or env.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if runtime:
        runtime_path = Path(runtime)
    elif env.get("XDG_RUNTIME_DIR"):
        runtime_path = Path(env["XDG_RUNTIME_DIR"]) / "waved"
    else:
        import tempfile  # a client that knows where to look starts without it

        runtime_path = Path(tempfile.gettempdir()) / f"waved-{os.getuid()}"
    return Locations(state_path.absolute(), runtime_path.absolute())


def make_private(folder: Path) -> None:
    """Make `folder` with mode 0700; raises NotAllowedError when it exists and belongs to someone else, or is a link."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise NotAllowedError(f"cannot make {folder}: {error.strerror}") from None
    if folder.is_symlink() or status.st_uid != os.getuid():
        raise NotAllowedError(f"{folder} belongs to someone else", "set WAVED_RUNTIME_DIR to a folder of your own")
