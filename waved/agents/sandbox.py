"""A run in a sandbox: its command line inside bubblewrap (bwrap(1)), which needs no privilege.

What is seen inside is this machine, read-only. Of what else holds for a path, the most specific counts: a folder in a
hidden folder can be writable, and the other way round.

    writable    the workspace (and its repository, where that lies elsewhere), what the plan names, files of the agent
                program's own (its login, its sessions)
    private     /tmp, /var/tmp, /run and /dev are empty and the run's own; it sees no process but its own
    hidden      where secrets of a user usually are, what the plan names, and all that waved keeps
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BWRAP = "bwrap"
INSTALL = "install it with: apt install bubblewrap (or dnf, pacman, …)"
SECRETS = (
    "~/.ssh", "~/.gnupg", "~/.aws", "~/.azure", "~/.config/gcloud", "~/.config/gh", "~/.config/hub", "~/.kube",
    "~/.docker", "~/.netrc", "~/.git-credentials", "~/.config/git/credentials", "~/.pypirc", "~/.password-store",
    "~/.local/share/keyrings", "~/.mozilla", "~/.config/google-chrome", "~/.config/chromium", "~/.bash_history",
    "~/.zsh_history", "~/.python_history",
)  # fmt: skip
"""Hidden unless the plan, or the agent program, needs them."""
_EMPTY = ("/tmp", "/var/tmp", "/run")  # noqa: S108 — the run's own, not ours
_OF_RUN = (
    "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager/resolv.conf",
    "/run/NetworkManager/no-stub-resolv.conf", "/run/current-system", "/run/wrappers",
)  # fmt: skip
"""Of /run: how names are resolved, and the programs of some distributions. Not its sockets: they reach anything."""
_NAMESPACES = ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--die-with-parent")


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a run in a sandbox may do, as its plan says (`waved.plan.limits.Sandbox`), and what it needs for that."""

    workspace: Path
    cwd: Path
    env: Mapping[str, str]
    """What the run sees; of it, HOME."""
    network: bool = True
    home: str = "read"
    """"read", or "hide": nothing of the home folder is there but what is writable."""
    write: Sequence[str] = ()
    """Paths: absolute, "~/…", or relative to the workspace."""
    hide: Sequence[str] = ()
    own: Sequence[Path] = ()
    """Files and folders of the agent program's own."""
    read: Sequence[Path] = ()
    """Files of the run that lie in what is hidden."""
    private: Sequence[Path] = ()
    """Folders of waved."""

    def command(self, bwrap: str, argv: Sequence[str]) -> list[str]:
        """The command line that runs `argv` inside. Its first word has to be a path."""
        network = [] if self.network else ["--unshare-net"]
        start = ["--chdir", str(self.cwd), "--setenv", "TMPDIR", "/tmp", "--"]  # noqa: S108
        return [bwrap, *_NAMESPACES, *network, *self._mounts(), *start, *argv]

    def _mounts(self) -> list[str]:
        """The options that make what is seen: those of a folder before those of what lies in it."""
        home = self.env.get("HOME", "")
        found: dict[str, list[str]] = {}

        def put(paths: Iterable[str | Path], kind: str) -> None:
            for path in paths:
                real = os.path.realpath(path)
                if (option := _option(kind, real)) and real != "/":
                    found[real] = option

        put(_EMPTY, "hidden")
        put(_OF_RUN, "read")
        put(self._paths(SECRETS), "hidden")
        if self.home == "hide" and home:
            put([home], "hidden")
        put(self.own, "write")
        put([self.workspace, *repository_of(self.workspace)], "write")
        put(self._paths(self.write), "write")
        put(self._paths(self.hide), "hidden")
        put(self.private, "hidden")
        put(self.read, "read")
        inside = sorted(found.items(), key=lambda item: (len(Path(item[0]).parts), item[0]))
        first = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
        return first + [word for _, option in inside for word in option]

    def _paths(self, given: Iterable[str]) -> list[str]:
        """Paths as a plan writes them; those in a home that is not known are none."""
        home = self.env.get("HOME", "")
        found = []
        for path in given:
            if path == "~" or path.startswith("~/"):
                if home:
                    found.append(home + path[1:])
            else:
                found.append(str(self.workspace / path))
        return found


def _option(kind: str, path: str) -> list[str]:
    """bwrap's option for a path that is there; [] for what is not: there is nothing to hide or to open."""
    if not os.path.lexists(path):
        return []
    if kind == "write":
        return ["--bind", path, path]
    if kind == "read":
        return ["--ro-bind", path, path]
    return ["--tmpfs", path] if Path(path).is_dir() else ["--ro-bind", os.devnull, path]


def repository_of(workspace: Path) -> list[Path]:
    """Where the repository is whose worktree the workspace is, if it is one (gitrepository-layout(5), `gitdir`)."""
    try:
        pointer = (workspace / ".git").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return []
    folder = workspace / pointer.removeprefix("gitdir:").strip()
    try:
        return [(folder / (folder / "commondir").read_text(encoding="utf-8").strip()).resolve()]
    except (OSError, ValueError):
        return [folder] if folder.is_dir() else []


def find_bwrap(environ: Mapping[str, str]) -> str | None:
    """The program, as the daemon finds it: a run's own PATH has no say in what confines it."""
    return shutil.which(BWRAP, path=environ.get("PATH", os.defpath))


def of_spec(settings: Mapping[str, Any], **facts: Any) -> Sandbox:  # noqa: ANN401 — the other fields of `Sandbox`
    """From what a plan says of it."""
    known = {name: settings[name] for name in ("network", "home", "write", "hide") if name in settings}
    return Sandbox(**known, **facts)
