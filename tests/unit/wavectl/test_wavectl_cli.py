"""The program as a whole: what it imports, its exit statuses, what a person sees of errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from fake_daemon import FakeDaemon

from wavectl.cli import COMMANDS
from waved.errors import ExitStatus

PROGRAM = [sys.executable, "-c", "from wavectl.cli import main; main()"]
Run = Callable[..., Result]


def wavectl(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, timeout=60, **options)  # type: ignore[call-overload]


def imported_by(code: str) -> set[str]:
    report = f"{code}\nimport sys\nprint(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, timeout=60, check=True)
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


def test_the_command_line_itself_imports_only_click() -> None:
    before = imported_by("import click, gc")
    assert imported_by("import wavectl.cli") - before <= {"wavectl"}
    assert "zmq" not in imported_by("import wavectl")


def test_help_lists_all_commands_without_importing_them() -> None:
    names = imported_by(
        "import sys; sys.argv = ['wavectl', '--help']\n"
        "from wavectl.cli import cli\ncli.main(['--help'], standalone_mode=False)"
    )
    assert not names & {"zmq", "rich", "pydantic", "msgpack"}
    shown = wavectl("--help").stdout
    for name, text in COMMANDS.items():
        assert name in shown
        assert text in shown


@pytest.mark.parametrize("command", [["status"], ["list"], ["deploy", "--detach", "a=true"], ["deploy", "a=true"]])
def test_light_commands_stay_light(command: list[str], daemon: FakeDaemon) -> None:
    """Before the submission is sent, and for status and list at all, nothing heavy is imported."""
    daemon.record()
    wavectl("--socket", daemon.endpoint, "deploy", "first=true", "--detach")
    names = imported_by(
        f"from wavectl.cli import cli\ncli.main(['--socket', {daemon.endpoint!r}, *{command!r}], standalone_mode=False)"
    )
    assert "zmq" in names
    assert not names & {"rich", "pydantic", "structlog", "jinja2", "dotenv", "wcmatch"}


@pytest.mark.parametrize("name", list(COMMANDS))
def test_each_command_has_help(name: str) -> None:
    done = wavectl(name, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: wavectl " + name in done.stdout


def test_version() -> None:
    assert wavectl("--version").stdout.startswith("wavectl ")


def test_exit_statuses_of_errors(daemon: FakeDaemon, tmp_path: Path) -> None:
    here = ["--socket", daemon.endpoint]
    bad = tmp_path / "bad.toml"
    bad.write_text('[session]\nname = "x"\n[[wave]]\nname = "w"\n[[wave.agent]]\nname = "a"\ncomand = "true"\n')
    cases = [
        ([*here, "status", "nobody"], 66, "error: no session"),
        ([*here, "run", str(bad)], 65, "bad.toml:7"),
        ([*here, "stat"], 2, 'did you mean "status"?'),
        ([*here, "deploy"], 2, "say which agents"),
        ([*here, "deploy", "no sign"], 2, "neither NAME="),
        ([*here, "deploy", "a=true", "--workspace", str(tmp_path / "none")], 65, "does not exist"),
        (["--socket", str(tmp_path / "none"), "status"], 69, "hint: start one with `wavectl daemon start`"),
        (["--socket", str(tmp_path / "none"), "deploy", "a=true"], 69, "no such socket"),
    ]
    for arguments, status, said in cases:
        done = wavectl(*arguments)
        assert done.returncode == status, (arguments, done)
        assert said in done.stderr
        assert done.stdout == ""
        assert "Traceback" not in done.stderr


def test_with_json_errors_are_json_on_stdout_too(daemon: FakeDaemon) -> None:
    done = wavectl("--socket", daemon.endpoint, "status", "nobody", "--json")
    assert done.returncode == 66
    assert json.loads(done.stdout)["error"]["code"] == "not-found"


@pytest.mark.parametrize(
    ("raised", "said"),
    [("RuntimeError('boom')", "RuntimeError: boom"), ("OSError(22, 'boom')", "OSError: [Errno 22] boom")],
)
def test_a_defect_is_one_line_unless_asked_for_more(raised: str, said: str, daemon: FakeDaemon) -> None:
    code = (
        "import wavectl.commands.list as module\n"
        f"def boom(*a, **k): raise {raised}\n"
        "module.connect = boom\nfrom wavectl.cli import main\nmain(['list'])"
    )
    quiet = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert quiet.returncode == 70
    assert quiet.stderr.splitlines()[0] == f"error: {said}"
    assert "Traceback" not in quiet.stderr
    loud = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env={**os.environ, "WAVED_DEBUG": "1"}
    )
    assert "Traceback" in loud.stderr


def test_a_reader_that_goes_away_is_no_error(daemon: FakeDaemon, wavectl: Run) -> None:
    wavectl("deploy", "a=true", "--detach")
    session = next(iter(daemon.sessions))
    daemon.emit(3000, session)
    command = subprocess.Popen(
        [*PROGRAM, "--socket", daemon.endpoint, "events", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.readline()
    command.stdout.close()
    assert command.stderr.read() == b""
    command.stderr.close()
    assert command.wait(30) == 141


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_stream_that_was_closed_is_no_error(closed: int, daemon: FakeDaemon) -> None:
    """What is opened next would get its number: what is printed must not reach the daemon's socket."""
    command = [*PROGRAM, "--socket", daemon.endpoint, "status", "nobody"]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}{"<" if closed == 0 else ">"}&-', "sh", *command],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == ExitStatus.NOT_FOUND
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ([] if closed == 2 else ["error", "hint"])


@pytest.mark.parametrize("arguments", [["--help"], ["completion", "bash"]])
def test_output_that_cannot_be_written_is_said(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.returncode == ExitStatus.OUTPUT
        assert done.stderr.startswith("error: what was to be printed cannot be written: No space left on device\n")
        unsaid = subprocess.run([*PROGRAM, "statsu"], stderr=full, timeout=60)
        assert unsaid.returncode == ExitStatus.USAGE


def test_the_program_ends_without_taking_the_interpreter_apart() -> None:
    """That takes a sixth of a command's time; what was printed into a buffer is there."""
    code = "import atexit; atexit.register(print, 'apart')\nfrom wavectl.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: wavectl")
    assert "apart" not in done.stdout


def test_run_starts_to_end_and_exits_by_outcome(daemon: FakeDaemon, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(
        '[session]\nname = "demo"\ntimeout = "1m"\n[[wave]]\nname = "one"\n'
        '[[wave.agent]]\nname = "a"\ncommand = ["true"]\n'
        'gate = { commands = ["check"] }\n'
    )
    here = ["--socket", daemon.endpoint, "run", str(plan), "--workspace", str(tmp_path)]
    good = wavectl(*here)
    assert good.returncode == 0, good.stderr
    assert "✓ demo succeeded" in good.stdout
    daemon.exits = {"a": 3}
    failed = wavectl(*here)
    assert failed.returncode == 1
    assert "exit code 3" in failed.stdout
    assert "wavectl retry s2-demo" in failed.stdout
    daemon.checklist = [("workspace", False)]
    refused = wavectl(*here)
    assert refused.returncode == 4
    assert "--waive workspace" in refused.stdout
    as_json = wavectl(*here, "--json")
    lines = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert lines[0]["kind"] == "session.submitted"
    assert lines[-1]["kind"] == "summary"
    assert lines[-1]["view"]["outcome"] == "refused"


def test_ctrl_c_away_from_a_terminal_detaches(daemon: FakeDaemon) -> None:
    import signal

    daemon.hold = {"a"}
    command = subprocess.Popen(
        [*PROGRAM, "--socket", daemon.endpoint, "deploy", "a=true"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert command.stdout is not None
    for line in command.stdout:
        if "started (pid" in line:
            break
    command.send_signal(signal.SIGINT)
    _, said = command.communicate(timeout=30)
    assert command.returncode == 130
    assert "rejoin with `wavectl watch s1-deploy`" in said
    assert daemon.sessions["s1-deploy"].phase == "running"


def test_completion_scripts_and_session_names(daemon: FakeDaemon, wavectl: Run) -> None:
    for shell in ("bash", "zsh", "fish"):
        script = wavectl("completion", shell)
        assert "_WAVECTL_COMPLETE" in script.output
    wavectl("deploy", "a=true", "--detach")
    environment = {
        **os.environ, "_WAVECTL_COMPLETE": "zsh_complete", "COMP_WORDS": "wavectl status s", "COMP_CWORD": "2",
        "WAVED_SOCKET": daemon.endpoint,
    }  # fmt: skip
    done = subprocess.run(PROGRAM, capture_output=True, text=True, env=environment, timeout=60)
    assert "s1-deploy" in done.stdout


def test_every_command_and_exit_status_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "wavectl.md").read_text()
    for name in COMMANDS:
        assert f"`wavectl {name}" in page
    for status in ExitStatus:
        assert f"\n| {status.value} |" in page
