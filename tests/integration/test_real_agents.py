"""Real agent programs at work on a real repository, against the scripted API: what they do, and what is read of it.

claude and codex are what CI installs and tests with. The others are chosen with `-m all_programs`: each of them takes
seconds of a processor only to start.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent_programs import MODELS, Running, environment, executable_of, make_repository
from tests.record_agents import EDIT, LIMITED, SUBMIT, claude_limit, codex_limit, version_of
from tests.scripted_api import Call, ScriptedApi, Turn, Usage
from wavectl.doctor import Finding, examine
from waved.agents.activity import RateLimited, Result, SessionNamed, ToolCalled
from waved.agents.installed import installed_version
from waved.agents.registry import find_program

IN_CI = ["claude", "codex"]
both = pytest.mark.parametrize("name", IN_CI)


def and_also(*others: str) -> pytest.MarkDecorator:
    """Those of CI, and these when all programs are wanted."""
    return pytest.mark.parametrize(
        "name", [*IN_CI, *(pytest.param(name, marks=pytest.mark.all_programs) for name in others)]
    )


each = and_also("aider", "gemini", "goose", "mini", "opencode", "qwen")
resuming = and_also("opencode", "gemini", "goose", "qwen")
held_to_reading = and_also("opencode", "gemini", "qwen")


@pytest.fixture(scope="module")
def api() -> Iterator[ScriptedApi]:
    with ScriptedApi() as serving:
        yield serving


class Place:
    """A repository to work on, and a home for the program."""

    def __init__(self, folder: Path, api: ScriptedApi) -> None:
        self.repository = make_repository(folder)
        self.home = folder / "home"
        self.home.mkdir()
        self.api = api

    def run(self, name: str, turns: list[Turn], **more: object) -> Running:
        """The program, at work on these turns; they are served under its name."""
        executable_of(name)
        url = self.api.script(self.script(name), turns, self.repository, toolless=name == "aider")
        return Running(name, url, self.repository, self.home, "Edit README.md.", **more)  # type: ignore[arg-type]

    def script(self, name: str) -> str:
        """What the program's turns are called at the server."""
        return f"{name}-{self.home.parent.name}"

    def served(self, name: str) -> Usage:
        """The sum of what it was served."""
        return self.api.used(self.script(name))


@pytest.fixture
def place(tmp_path: Path, api: ScriptedApi) -> Place:
    return Place(tmp_path, api)


def turns_for(name: str) -> list[Turn]:
    """An edit, in as many steps as the program takes."""
    if name == "aider":
        return [EDIT[1]]
    return [*EDIT[:3], SUBMIT] if name == "mini" else EDIT


@each
def test_it_edits_a_repository_and_every_figure_is_right(place: Place, name: str) -> None:
    with place.run(name, turns_for(name)) as running:
        ran = running.finish()
    assert (place.repository / "README.md").read_text() == "# demo\nline two, edited\n"
    changed = subprocess.run(["git", "status", "--short"], cwd=place.repository, capture_output=True, text=True)
    assert " M README.md" in changed.stdout
    assert (ran.judgement.ok, ran.judgement.reason, ran.exit_code) == (True, "", 0)
    assert running.reader.finished
    served = place.served(name)
    assert (ran.used.input, ran.used.output) == (served.prompt, served.output)
    if name == "claude":
        assert (ran.used.cached, ran.used.cache_write) == (served.cached, served.cache_write)
        assert ran.used.cost == json.loads(ran.output().splitlines()[-1])["total_cost_usd"]
    if name != "mini":
        written = [path for call in ran.of(ToolCalled) for path in call.paths_written]
        assert {Path(place.repository, path).name for path in written} == {"README.md"}


@both
def test_a_rate_limit_says_when_it_ends(place: Place, name: str) -> None:
    now = time.time()
    turns = claude_limit() if name == "claude" else codex_limit()
    env = {"ANTHROPIC_API_KEY": "", "CLAUDE_CODE_OAUTH_TOKEN": "scripted"} if name == "claude" else {}
    with place.run(name, turns, more_env=env) as running:
        ran = running.finish()
    (limited,) = ran.of(RateLimited)
    assert limited.reset_at is not None
    # codex tells it to the minute.
    assert now + 7200 - 5 <= limited.reset_at <= now + 7200 + 120
    judged = ran.judgement
    assert (judged.ok, judged.cause, judged.reset_at) == (False, "rate-limited", limited.reset_at)


@both
def test_a_rate_limit_without_a_time_is_one_all_the_same(place: Place, name: str) -> None:
    with place.run(name, LIMITED) as running:
        ran = running.finish()
    assert (ran.judgement.ok, ran.judgement.cause, ran.judgement.reset_at) == (False, "rate-limited", None)


@both
def test_a_wrong_key_is_told_as_such(place: Place, name: str) -> None:
    with place.run(name, [Turn(status=401)]) as running:
        ran = running.finish()
    assert (ran.judgement.ok, ran.judgement.cause) == (False, "login")
    assert ran.exit_code == 1


@both
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_one_that_is_ended_in_the_midst_has_failed_and_can_go_on(
    place: Place, name: str, number: signal.Signals
) -> None:
    # claude refuses a plain "sleep 60", and goes on at once.
    endless = "until [ -e never ]; do sleep 0.1; done"
    long = Turn("This takes a while.", (Call("shell", command=endless),), usage=Usage(1000, 20))
    with place.run(name, [long]) as running:
        running.until(lambda ran: bool(ran.of(ToolCalled)))
        # What has not been written down yet cannot be gone on with.
        running.until(lambda ran: name == "codex" or bool(list(place.home.glob(f".claude/**/{ran.session}.jsonl"))))
        running.send(number)
        ran = running.finish()
    assert (ran.judgement.ok, ran.judgement.cause) == (False, "interrupted")
    before = ran.used
    # A codex that is killed in a turn never tells what the turn used.
    assert before.input == (0 if name == "codex" else place.served(name).prompt)
    with place.run(name, EDIT, resume=ran.session, used_before=before) as again:
        ran = again.finish()
    assert ran.judgement.ok is True
    assert ran.session == running.ran.session
    assert (place.repository / "README.md").read_text() == "# demo\nline two, edited\n"
    served = place.served(name)
    assert ran.used.input == served.prompt


@resuming
def test_a_session_that_is_not_there_is_told_as_such(place: Place, name: str) -> None:
    nobody = "ses_0000000000000000000000000" if name == "opencode" else "11111111-1111-4111-8111-111111111111"
    with place.run(name, EDIT, resume=nobody) as running:
        ran = running.finish()
    assert (ran.judgement.ok, ran.judgement.cause) == (False, "no-session"), ran.judgement
    assert place.served(name) == Usage(0, 0)


def test_claude_with_something_in_the_background_has_given_its_result(place: Place) -> None:
    """It hangs after its result, as long as the task does: a reader knows that it is done."""
    arguments = {"command": "sleep 60", "run_in_background": True}
    turns = [Turn("Starting.", (Call("raw", tool="Bash", arguments=arguments),)), Turn("It runs.")]
    with place.run("claude", turns) as running:
        running.until(lambda ran: bool(ran.of(Result)))
        assert running.reader.finished
        assert running.process.poll() is None
        running.send(signal.SIGKILL)
        ran = running.finish()
    assert ran.judgement.ok is True
    assert ran.used.input == place.served("claude").prompt


@held_to_reading
def test_what_may_only_read_edits_nothing(place: Place, name: str) -> None:
    turns = [Turn("Writing.", (Call("shell", command="echo x > README.md"),)), Turn("Not allowed, it seems.")]
    with place.run(name, turns, permissions="read") as running:
        running.finish()
    assert (place.repository / "README.md").read_text() == "# demo\nline two\n"


@each
def test_its_version_is_found(place: Place, name: str) -> None:
    executable_of(name)
    version = version_of(name, environment(name, place.api.url("nobody"), place.home))
    assert version.count(".") >= 2
    assert installed_version(str(executable_of(name)), find_program(name).distribution) == version
    if name == "claude":
        with place.run(name, [Turn("Hello.")]) as running:
            assert running.finish().of(SessionNamed)[0].version == version


def test_doctor_tells_their_versions_and_whether_they_can_log_in(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = place.home / "bin"
    programs.mkdir()
    keys = {"claude": "ANTHROPIC_API_KEY", "codex": "CODEX_API_KEY"}
    for name in keys:
        (programs / name).symlink_to(executable_of(name))
        for key, value in environment(name, place.api.url("nobody"), place.home).items():
            monkeypatch.setenv(key, value)
    monkeypatch.setenv("PATH", f"{programs}:/usr/local/bin:/usr/bin:/bin")
    for variable in ("CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)

    def told() -> dict[str, Finding]:
        return {found.what: found for found in examine(str(place.home / "no.sock")) if found.what in keys}

    found = told()
    for name, key in keys.items():
        assert (found[name].ok, found[name].detail) == (True, f"logged in: {key}")
        assert found[name].version == version_of(name, dict(os.environ))
        monkeypatch.delenv(key)
    found = told()
    for name, key in keys.items():
        assert (found[name].ok, key in found[name].detail) == (False, True)


def test_models_are_told_where_a_program_has_none() -> None:
    assert all(find_program(name).provider == "" for name in MODELS if name != "gemini")
