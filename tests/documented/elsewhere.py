"""Documented commands that the prepared scenes cannot run: why, and which test or script runs them instead.

This is the whole list. A command that is neither here nor in tests/documented/scenes.py fails the tests, and so does an
entry that no document needs, or whose proof is gone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.documents import ROOT


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Commands (a pattern for the whole line), why they are not run in a scene, and where they are."""

    commands: str
    why: str
    by: str = ""
    """The file that runs them; empty: nobody does, and `why` is the reason."""
    with_text: str = ""
    """What stands in that file, so that it still does."""

    def fits(self, command: str) -> bool:
        """Whether it is about this command."""
        return re.fullmatch(self.commands, command) is not None

    def gone(self) -> str:
        """What is wrong with the proof; empty if it holds."""
        if not self.by:
            return ""
        file = ROOT / self.by
        if not file.is_file():
            return f"{self.commands}: there is no {self.by}"
        return "" if self.with_text in file.read_text(encoding="utf-8") else f"{self.commands}: not in {self.by}"


_SYSTEMD = "a systemd has to be booted for it"
_BY_SYSTEMD = "tests/system/test_systemd.py"
_OPERATING = "tests/system/operating.py"
_MINUTES = "it measures for minutes, and needs a machine of its own"
_NETWORK = "it downloads from a registry"

ELSEWHERE = (
    # The project's own scripts: they run tests, or what a test runs already.
    Elsewhere(r"bash \.ci/test", "it runs these tests", ".ci/run", "bash .ci/test"),
    Elsewhere(r"bash \.ci/demo", "half a minute", "tests/system/test_demo.py", '"bash", ".ci/demo"'),
    Elsewhere(r"bash \.ci/agents", "770 MB from npm", ".ci/run", "bash .ci/agents"),
    Elsewhere(r"bash \.ci/agents all", "2.7 GB from npm and PyPI"),
    Elsewhere(r"bash \.ci/test -m all_programs", "needs what `bash .ci/agents all` downloads"),
    Elsewhere(r"python -m tests\.record_agents", "needs what `bash .ci/agents all` downloads"),
    Elsewhere(
        r"python -m tests\.tutorial", "it writes the page", "tests/integration/test_tutorial.py", "reader.follow(block)"
    ),
    Elsewhere(
        r"(\.venv/bin/)?python -m tests\.benchmarks\.\w+", _MINUTES, "tests/system/test_measuring.py",
        'f"tests.benchmarks.{name}"',
    ),
    Elsewhere(r'python -c "import click, zmq, msgpack"', "it was measured once, to compare"),
    # Installing: with the network, so by the tests that are asked for.
    Elsewhere(
        r"python3 -m venv ~/\.local/share/waved|~/\.local/share/waved/bin/pip install \.|ln -s ~/\.local/share/.*",
        _NETWORK, "tests/system/test_installing.py", 'lines_of("README.md", "python3 -m venv")',
    ),
    Elsewhere(
        r"man -M \S+ \S+", "the installed environment is needed", "tests/system/test_installing.py",
        'lines_of("docs/operations.md", "man -M")',
    ),
    Elsewhere(
        r"sudo python3 -m venv /opt/waved && .*|sudo /opt/waved/bin/pip install --upgrade waved",
        "there is no release of waved in a registry yet; .ci/check_package.py builds and looks into what it would be",
        ".ci/check_package.py", '"pip", "wheel"',
    ),
    Elsewhere(r"(npm|pip|pipx) (install|inject) ?.*", _NETWORK),
    # The service.
    Elsewhere(
        r"(sudo )?(/opt/waved/bin/)?wavectl service install( --system)?", _SYSTEMD, _BY_SYSTEMD,
        '"wavectl", "service", "install")',
    ),
    Elsewhere(
        r"wavectl service install --user", _SYSTEMD, _BY_SYSTEMD, '"wavectl", "service", "install", "--user"'
    ),
    Elsewhere(
        r"wavectl service install --on-demand", _SYSTEMD, _BY_SYSTEMD, '"wavectl", "service", "install", "--on-demand"'
    ),
    Elsewhere(
        r"sudo loginctl enable-linger \$USER", _SYSTEMD, _BY_SYSTEMD, '"loginctl", "enable-linger", "alice"'
    ),
    Elsewhere(r"sudo usermod -aG waved alice", _SYSTEMD, _BY_SYSTEMD, '"usermod", "-aG", "waved", "alice"'),
    Elsewhere(r"wavectl --system run plan\.toml", _SYSTEMD, _BY_SYSTEMD, '"wavectl", "--system", "run"'),
    Elsewhere(r"(sudo )?systemctl reload( waved)?", _SYSTEMD, _BY_SYSTEMD, 'systemctl("reload", "waved")'),
    Elsewhere(r"systemctl restart", _SYSTEMD, _BY_SYSTEMD, 'systemctl("restart", "waved")'),
    Elsewhere(r"systemctl (start|stop)", _SYSTEMD, _BY_SYSTEMD, 'systemctl("start", "waved")'),
    Elsewhere(
        r"systemctl stop waved\.socket waved", _SYSTEMD, _BY_SYSTEMD, 'systemctl("stop", "waved.socket", "waved")'
    ),
    Elsewhere(r"systemctl edit waved", "it opens an editor; tests write the file it would", _BY_SYSTEMD, ".configure("),
    Elsewhere(r"systemd-analyze security waved", _SYSTEMD, _BY_SYSTEMD, '"systemd-analyze", "security"'),
    Elsewhere(r"systemctl status", _SYSTEMD, _OPERATING, '"systemctl status"'),
    Elsewhere(r"systemctl enable waved", _SYSTEMD, _OPERATING, '"systemctl enable waved"'),
    Elsewhere(r"journalctl -u waved .*", _SYSTEMD, _OPERATING, 'lines("journalctl -u waved")'),
    Elsewhere(
        r"sqlite3 /var/lib/waved/.*|tar -C /var/lib/waved .*", _SYSTEMD, _OPERATING,
        'lines("sqlite3 /var/lib/waved/journal.sqlite")',
    ),
    Elsewhere(
        r"sudo (systemctl (stop|start) waved|install -d .*|-u waved (cp|tar) .*)", _SYSTEMD, _OPERATING,
        'lines("sudo systemctl stop waved")',
    ),
    Elsewhere(r"du -sh /var/lib/waved/\*", _SYSTEMD, _OPERATING, '"du -sh /var/lib/waved/*"'),
    Elsewhere(r"sqlite3 journal\.sqlite VACUUM", _SYSTEMD, _OPERATING, '"sqlite3 journal.sqlite VACUUM"'),
    # This machine's own.
    Elsewhere(r"sysctl fs\.inotify\.max_user_watches=524288", "it changes the kernel of the machine the tests run on"),
    Elsewhere(r"journalctl -k", "the kernel's log is the machine's, and may be closed to who runs the tests"),
)  # fmt: skip
"""The first that fits counts."""


def elsewhere(command: str) -> Elsewhere | None:
    """The entry of a command that is not run in a scene."""
    return next((entry for entry in ELSEWHERE if entry.fits(command)), None)
