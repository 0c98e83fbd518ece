"""Records what real agent programs print: `python -m tests.record_agents [PROGRAM…]` writes tests/fixtures/agents/.

Each recording is a folder: `stdout`, `stderr` and `side` (the program's side file) as they were, but for names of this
machine; `run.json` says the program's version, how it ended, and what the scripted API served meanwhile.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.agent_programs import FOLDER, Ran, Running, environment, executable_of, make_repository
from tests.scripted_api import Call, ScriptedApi, Turn, Usage
from waved.agents.activity import ToolCalled
from waved.agents.base import Permissions
from waved.agents.registry import find_program

PLACE = Path(tempfile.gettempdir()) / "waved-recording"
"""Always the same, so that its name can be found again in whatever form a program writes it."""
FIXTURES = Path(__file__).parent / "fixtures/agents"

EDIT = [
    Turn("I look first.", (Call("read", "README.md"),), "What is there?", Usage(1100, 40, 200, 100)),
    Turn("Editing.", (Call("edit", "README.md", "line two\n", "line two, edited\n"),), "", Usage(1200, 60, 300)),
    Turn("Checking.", (Call("shell", command="git status --short && cat README.md"),), "", Usage(1250, 30, 400)),
    Turn("Edited README.md.", usage=Usage(1300, 12, 1500)),
]
SUBMIT = Turn(
    "Done.", (Call("shell", command="echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"),), "", Usage(1300, 12, 1500)
)
"""How mini-swe-agent is told that all is done."""
LONG = [Turn("This takes a while.", (Call("shell", command="sleep 300"),), "", Usage(1000, 20))]
UNAUTHORIZED = [Turn(status=401)]
LIMITED = [EDIT[0], Turn(status=429, headers={"retry-after": "7200"})]
OVERLOADED = [Turn(status=529)]


def until_reset() -> tuple[str, dict[str, Any]]:
    """A moment in two hours, as headers and as the body say it."""
    moment = str(int(time.time()) + 7200)
    return moment, {"plan_type": "plus", "resets_at": int(moment)}


def claude_limit() -> list[Turn]:
    """What a subscription answers when its five hours are used up."""
    headers = {
        "retry-after": "7200",
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-reset": until_reset()[0],
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
    }
    return [EDIT[0], Turn(status=429, headers=headers)]


def codex_limit() -> list[Turn]:
    """The same of the other provider."""
    return [EDIT[0], Turn(status=429, error="usage_limit_reached", details=until_reset()[1])]


def in_a_tool(ran: Ran) -> bool:
    """A tool has been called."""
    return bool(ran.of(ToolCalled))


@dataclass
class Scene:
    """One recording."""

    turns: Callable[[], list[Turn]]
    permissions: Permissions = "all"
    args: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    resumes: bool = False
    """Run once before, and go on with that session."""
    kill: signal.Signals | None = None
    """Sent once a tool is at work."""


def scene(turns: list[Turn], **more: Any) -> Scene:
    """Of turns that are always the same."""
    return Scene(lambda: turns, **more)


WITH_TOKEN = {"ANTHROPIC_API_KEY": "", "CLAUDE_CODE_OAUTH_TOKEN": "scripted-token"}
BACKGROUND = [
    Turn("Starting it.", (Call("raw", tool="Bash", arguments={"command": "sleep 1", "run_in_background": True}),)),
    Turn("It runs.", usage=Usage(500, 20)),
    Turn("It has ended.", usage=Usage(700, 30)),
]
SCENES: dict[str, dict[str, Scene]] = {
    "claude": {
        "edit": scene(EDIT),
        "partial": scene([replace(turn, pieces=1) for turn in EDIT], args=["--include-partial-messages"]),
        "denied": scene(EDIT[1:], permissions="read"),
        "background": scene(BACKGROUND),
        "resumed": scene(EDIT, resumes=True),
        "max-turns": scene(EDIT, args=["--max-turns", "2"]),
        "max-budget": scene(EDIT, args=["--max-budget-usd", "0.005"]),
        "retry": scene([Turn(status=529), *EDIT], env={"CLAUDE_CODE_MAX_RETRIES": "2"}),
        "401": scene(UNAUTHORIZED),
        "429": scene(LIMITED),
        "429-reset": Scene(claude_limit, env=WITH_TOKEN),
        "529": scene(OVERLOADED),
        "sigterm": scene(LONG, kill=signal.SIGTERM),
        "sigint": scene([Turn(hang=True)], kill=signal.SIGINT),
    },
    "codex": {
        "edit": scene(EDIT),
        "resumed": scene(EDIT, resumes=True),
        "401": scene(UNAUTHORIZED),
        "429": scene(LIMITED),
        "429-reset": Scene(codex_limit),
        "529": scene(OVERLOADED),
        "sigterm": scene(LONG, kill=signal.SIGTERM),
    },
}
for name in ("gemini", "goose", "qwen", "opencode", "aider", "mini"):
    # aider calls once; goose waits for as long as it is told to, and says nothing.
    limited = {"aider": [Turn(status=429)], "goose": [EDIT[0], Turn(status=429)]}.get(name, LIMITED)
    turns = {"aider": [EDIT[1]], "mini": [*EDIT[:3], SUBMIT]}.get(name, EDIT)
    SCENES[name] = {"edit": scene(turns), "401": scene(UNAUTHORIZED), "429": scene(limited)}
    if name in ("opencode", "qwen"):
        del SCENES[name]["429"]  # they do so too, and it is all they say
    if name != "aider":
        SCENES[name]["sigterm"] = scene(LONG, kill=signal.SIGTERM)
    if name in ("goose", "qwen", "opencode"):
        SCENES[name]["resumed"] = scene(EDIT, resumes=True)


def record(program: str, title: str, one: Scene, api: ScriptedApi, folder: Path) -> None:
    """Run it, and write what it printed."""
    repository, home = make_repository(folder), folder / "home"
    home.mkdir()
    script = f"{program}-{title}"
    url = api.script(script, one.turns(), repository, toolless=program == "aider")
    more: dict[str, Any] = {}
    if one.resumes:
        with Running(program, url, repository, home, "Look.", permissions="all") as first:
            before = first.finish()
        more = {"resume": before.session, "used_before": before.used}
        subprocess.run(["git", "checkout", "-q", "."], cwd=repository, check=True)
        api.script(script, EDIT, repository)
    arguments = {"permissions": one.permissions, "args": one.args, "more_env": one.env, **more}
    with Running(program, url, repository, home, "Edit README.md.", **arguments) as running:
        if one.kill is not None:
            if program in ("opencode", "mini"):  # they tell of a tool when it has ended
                running.until(lambda _ran: bool(api.served(script)))
                time.sleep(1.0)
            elif one.turns()[0].calls:
                running.until(in_a_tool)
            else:
                running.until(lambda ran: bool(ran.pieces))
                time.sleep(1.0)  # nothing tells from outside that the request is on its way
            running.send(one.kill)
        ran = running.finish(120)
        side = [file.path.read_bytes() for file in running.reader.side_files if file.path.exists()]
    target = FIXTURES / script
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    scrub = scrubber(folder)
    for name, data in (("stdout", ran.output(1)), ("stderr", ran.output(2)), ("side", b"".join(side))):
        if data:
            (target / name).write_bytes(scrub(data))
    used_before = asdict(more["used_before"]) if more else None
    facts = {
        "version": version_of(program, environment(program, url, home)),
        "exit_code": ran.exit_code,
        "signal": ran.signal,
        "served": asdict(api.used(script)),
        "answers": [served.status for served in api.served(script) if served.turn >= 0],
        "used_before": used_before,
    }
    (target / "run.json").write_text(json.dumps(facts, indent=1) + "\n")
    print(script, ran.judgement, f"{sum(len(data) for _, data in ran.pieces)} bytes", sep="  ", flush=True)


def version_of(program: str, env: dict[str, str]) -> str:
    """What `version_command` says."""
    command = find_program(program).version_command
    said = subprocess.run(
        [str(executable_of(program)), *command[1:]], env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    return find_program(program).version_in(said.stdout + said.stderr)


UUID = re.compile(rb"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")


def scrubber(folder: Path) -> Callable[[bytes], bytes]:
    """Takes the names of this machine and of these sessions out of what was printed."""
    seen: dict[bytes, bytes] = {}

    def number(match: re.Match[bytes]) -> bytes:
        return seen.setdefault(match[0], b"00000000-0000-4000-8000-%012d" % (len(seen) + 1))

    def scrub(data: bytes) -> bytes:
        for path, name in (
            (folder / "repository", b"/home/dev/repository"),
            (folder / "home", b"/home/dev"),
            (FOLDER.resolve(), b"/opt/agents"),
            (FOLDER, b"/opt/agents"),
            (Path.home() / "", b"/home/dev"),
        ):
            for form in (str(path), str(path).replace("/", "-"), str(path).replace("/", "\\/")):
                if len(form) > 4:
                    data = data.replace(form.encode(), name if "/" in form else b"-home-dev")
        data = re.sub(rb"127\.0\.0\.1:\d+", b"127.0.0.1:8000", data)
        data = re.sub(rb'("user_id": ?)"[^"]+"', rb'\1"user"', data)
        data = re.sub(rb"Linux [0-9][^ ]* #[^<\\]*", b"Linux 6.1.0 #1 SMP x86_64", data)
        data = re.sub(rb"/run-\d+/", b"/run/", data)
        return UUID.sub(number, data)

    return scrub


def main() -> None:
    """Record what the arguments name: programs ("claude") or single recordings ("claude-edit")."""
    chosen = sys.argv[1:] or list(SCENES)
    with ScriptedApi() as api:
        for program, scenes in SCENES.items():
            for title, one in scenes.items():
                if program in chosen or f"{program}-{title}" in chosen:
                    shutil.rmtree(PLACE, ignore_errors=True)
                    PLACE.mkdir()
                    try:
                        record(program, title, one, api, PLACE)
                    finally:
                        shutil.rmtree(PLACE)


if __name__ == "__main__":
    main()
