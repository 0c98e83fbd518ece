"""What docs/operations.md has an administrator type, typed by root on a booted machine: logs, backup, restore, room.

Programs that a machine may lack (jq, sqlite3) are told of, and their lines left out.
"""

from __future__ import annotations

import shutil

from tests.documents import ROOT, Page, commands
from tests.system.machine import Machine

DOCUMENTED = Page(ROOT / "docs" / "operations.md")
IN_TEXT = ("systemctl status", "systemctl enable waved", "du -sh /var/lib/waved/*")
REMOVES_OUTPUT = "rm -r /var/lib/waved/sessions/SESSION/runs"
SHRINKS = "sqlite3 journal.sqlite VACUUM"
_SUDO = 'sudo() { if [ "$1" = -u ]; then runuser -u "$2" -- "${@:3}"; else "$@"; fi; }; set -o pipefail; '
_FOLLOWED = 124
"""Exit status of timeout(1): what goes on for ever was ended."""


def lines(beginning: str) -> list[str]:
    """The command lines of the block that begins so."""
    found = [block.command_lines() for block in DOCUMENTED.blocks if block.language == "console"]
    (block,) = [each for each in found if each[0].startswith(beginning)]
    return block


def typed(machine: Machine, command: str, *, session: str = "", ends: int = 0) -> str:
    """What a documented command prints. `session` stands in the place of the one the page names."""
    missing = [words[0] for words in commands(command) if words[0] in ("jq", "sqlite3") and not shutil.which(words[0])]
    if missing:
        print(f"not installed, so not tried: {', '.join(missing)}")
        return ""
    for named in ("checkout-x7k2", "SESSION"):
        command = command.replace(named, session)
    command = command.replace('.agent == "api"', '.agent == "a"')
    done = machine.run("bash", "-c", _SUDO + command, ok=False)
    assert done.returncode == ends, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def look(machine: Machine, session: str) -> None:
    """The commands that show: the log in several ways, the state of the service, what takes the room."""
    for line in (each for each in lines("journalctl -u waved") if each.startswith("journalctl")):
        if " -f " in line:
            assert session in typed(machine, f"timeout 1 {line}", ends=_FOLLOWED)
        else:
            typed(machine, line, session=session)
    for line in IN_TEXT:
        assert f"`{line}`" in DOCUMENTED.text
        typed(machine, line.replace("systemctl status", "systemctl status waved"))


def back_up_and_restore(machine: Machine) -> None:
    """All of the state folder is lost in between."""
    machine.run("mkdir", "-p", "/backup")
    for line in lines("sqlite3 /var/lib/waved/journal.sqlite"):
        typed(machine, line)
    stop, *restore = lines("sudo systemctl stop waved")
    typed(machine, stop)
    machine.run("rm", "-r", "/var/lib/waved")
    for line in restore:
        typed(machine, line)


def make_room(machine: Machine, session: str) -> None:
    """Lose the output, and have the journal's file become smaller; that with the daemon stopped."""
    assert f"`{REMOVES_OUTPUT}`" in DOCUMENTED.text and f"`{SHRINKS}`" in DOCUMENTED.text
    typed(machine, REMOVES_OUTPUT, session=session)
    machine.systemctl("stop", "waved")
    typed(machine, f"cd /var/lib/waved && sudo -u waved {SHRINKS}")
    machine.systemctl("start", "waved")
