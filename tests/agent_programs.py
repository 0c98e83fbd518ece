"""Real agent programs, run as waved would run them, against the scripted API: for integration tests and recordings.

Where they are: `$WAVED_TEST_AGENTS/bin`, or what `.ci/agents` installs into the user's cache folder. A program that is
not there is skipped by name.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from waved.agents.activity import Activity, Result, SessionNamed, Used
from waved.agents.base import AgentProgram, Deployment, Permissions
from waved.agents.reader import Judgement, Reader
from waved.agents.registry import find_program
from waved.agents.side_files import SideFileTail

Kind = TypeVar("Kind")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
FOLDER = Path(os.environ.get("WAVED_TEST_AGENTS") or CACHE / "waved-test-agents")
KEY = "scripted-key"


def executable_of(name: str) -> Path:
    """Where the program is; skips the test, and says so, when it is not installed."""
    path = FOLDER / "bin" / find_program(name).executable
    if not path.exists():
        pytest.skip(f"{name} is not installed in {FOLDER}: run .ci/agents {name}")
    return path


def environment(name: str, url: str, home: Path) -> dict[str, str]:
    """What makes the program talk to the scripted API and to nobody else; writes its configuration under `home`."""
    env = {
        "PATH": f"{FOLDER / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
        "TMPDIR": str(home),
        "TERM": "dumb",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
    }
    return {**env, **_SETTINGS[name](url, home)}


def _claude(url: str, _home: Path) -> dict[str, str]:
    return {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": KEY,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": "0",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_TELEMETRY": "1",
        "IS_SANDBOX": "1",
    }


def _codex(url: str, home: Path) -> dict[str, str]:
    folder = home / ".codex"
    folder.mkdir(exist_ok=True)
    provider = {
        "name": "scripted",
        "base_url": f"{url}/v1",
        "env_key": "CODEX_API_KEY",
        "wire_api": "responses",
        "request_max_retries": 0,
        "stream_max_retries": 0,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in provider.items()]
    top = 'model = "gpt-5"\nmodel_provider = "scripted"\n[features]\nplugins = false\n'
    (folder / "config.toml").write_text("\n".join([top, "[model_providers.scripted]", *lines]) + "\n")
    return {"CODEX_HOME": str(folder), "CODEX_API_KEY": KEY}


def _opencode(url: str, _home: Path) -> dict[str, str]:
    models = {"scripted-1": {"name": "scripted", "tool_call": True, "cost": {"input": 2, "output": 10}}}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{url}/v1", "apiKey": KEY},
        "models": models,
    }
    config = {"provider": {"scripted": provider}, "share": "disabled", "autoupdate": False, "snapshot": False}
    return {"OPENCODE_CONFIG_CONTENT": json.dumps(config), "OPENCODE_DISABLE_MODELS_FETCH": "1"}


def _gemini(url: str, home: Path) -> dict[str, str]:
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "general": {"maxAttempts": 1},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
    }
    (home / ".gemini").mkdir(exist_ok=True)
    (home / ".gemini/settings.json").write_text(json.dumps(settings))
    return {"GEMINI_API_KEY": KEY, "GOOGLE_GEMINI_BASE_URL": url, "GEMINI_CLI_NO_RELAUNCH": "1"}


def _qwen(url: str, home: Path) -> dict[str, str]:
    settings = {"privacy": {"usageStatisticsEnabled": False}, "general": {"disableAutoUpdate": True}}
    (home / ".qwen").mkdir(exist_ok=True)
    (home / ".qwen/settings.json").write_text(json.dumps(settings))
    return {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": KEY, "OPENAI_MODEL": "scripted-1"}


def _aider(url: str, home: Path) -> dict[str, str]:
    caches = home / ".aider/caches"
    caches.mkdir(parents=True, exist_ok=True)
    # Else it looks for prices on the network.
    (caches / "model_prices_and_context_window.json").write_text("{}")
    return {"OPENAI_API_BASE": f"{url}/v1", "OPENAI_API_KEY": KEY}


def _mini(url: str, _home: Path) -> dict[str, str]:
    return {
        "OPENAI_API_BASE": f"{url}/v1",
        "OPENAI_API_KEY": KEY,
        "MSWEA_COST_TRACKING": "ignore_errors",
        "MSWEA_MODEL_RETRY_STOP_AFTER_ATTEMPT": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }


def _goose(url: str, _home: Path) -> dict[str, str]:
    return {
        "GOOSE_PROVIDER": "openai",
        "GOOSE_MODEL": "scripted-1",
        "OPENAI_HOST": url,
        "OPENAI_API_KEY": KEY,
        "GOOSE_DISABLE_KEYRING": "1",
        "GOOSE_TELEMETRY_ENABLED": "false",
    }


_SETTINGS: dict[str, Callable[[str, Path], dict[str, str]]] = {
    "aider": _aider,
    "claude": _claude,
    "codex": _codex,
    "gemini": _gemini,
    "goose": _goose,
    "mini": _mini,
    "opencode": _opencode,
    "qwen": _qwen,
}
MODELS = {
    "aider": "openai/scripted-1",
    "gemini": "gemini-2.5-pro",
    "mini": "openai/scripted-1",
    "opencode": "scripted/scripted-1",
}
"""What programs have to be told; the others have a model of their own."""
ARGS = {"aider": ["--edit-format", "diff", "--map-tokens", "0"]}


@dataclass
class Ran:
    """One run of a program, and what its reader made of it."""

    pieces: list[tuple[int, bytes]] = field(default_factory=list)
    """What was printed, in the pieces it came in: stream and bytes."""
    activities: list[Activity] = field(default_factory=list)
    judgement: Judgement = field(default_factory=lambda: Judgement(None))
    exit_code: int | None = None
    signal: int | None = None

    def output(self, stream: int = 1) -> bytes:
        """All of one stream."""
        return b"".join(data for which, data in self.pieces if which == stream)

    def of(self, kind: type[Kind]) -> list[Kind]:
        """The activities of that kind."""
        return [activity for activity in self.activities if isinstance(activity, kind)]

    @property
    def used(self) -> Used:
        """The sum."""
        amounts = self.of(Used)
        costs = [used.cost for used in amounts if used.cost is not None]
        return Used(
            sum(used.input for used in amounts),
            sum(used.output for used in amounts),
            sum(used.cached for used in amounts),
            sum(used.cache_write for used in amounts),
            sum(costs) if costs else None,
        )

    @property
    def session(self) -> str:
        """The program's own session."""
        return self.of(SessionNamed)[-1].program_session

    @property
    def result(self) -> Result:
        """The last result."""
        return self.of(Result)[-1]


class Running:
    """A program at work. `until` reads on, `finish` sees it to its end; what it leaves behind is ended with it."""

    def __init__(
        self,
        name: str,
        url: str,
        repository: Path,
        home: Path,
        prompt: str,
        *,
        args: list[str] | None = None,
        permissions: Permissions = "all",
        resume: str = "",
        used_before: Used | None = None,
        more_env: dict[str, str] | None = None,
    ) -> None:
        executable_of(name)
        self.program: AgentProgram = find_program(name)
        folder = home / f"run-{time.monotonic_ns()}"
        folder.mkdir(parents=True)
        prompt_path = folder / "prompt.md"
        prompt_path.write_text(prompt)
        self.deployment = Deployment(
            command=None,
            args=[*ARGS.get(name, []), *(args or [])],
            model=MODELS.get(name),
            prompt=prompt,
            prompt_path=prompt_path,
            workspace=repository,
            cwd=repository,
            folder=folder,
            attempt=1,
            permissions=permissions,
            resume=resume,
            used_before=used_before,
        )
        invocation = self.program.invocation(self.deployment)
        reader = self.program.reader(self.deployment)
        assert reader is not None
        self.reader: Reader = reader
        self.side_files = SideFileTail(reader)
        self.ran = Ran()
        stdin = folder / "stdin"
        stdin.write_bytes(invocation.stdin or b"")
        env = {**environment(name, url, home), **invocation.env, **(more_env or {}), "TEST_RUN": folder.name}
        with stdin.open("rb") as opened:
            self.process = subprocess.Popen(
                [str(executable_of(name)), *invocation.argv[1:]],
                cwd=repository,
                env=env,
                stdin=opened,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        self._selector = selectors.DefaultSelector()
        for number, stream in enumerate((self.process.stdout, self.process.stderr), 1):
            assert stream is not None
            self._selector.register(stream, selectors.EVENT_READ, number)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_error: object) -> None:
        for process in self._tree():
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.process.wait()
        self._selector.close()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _tree(self) -> Iterator[psutil.Process]:
        """All that descends from it, orphans in sessions of their own included: they keep its environment."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("TEST_RUN") == self.deployment.folder.name:
                    yield process

    def until(self, what: Callable[[Ran], bool], seconds: float = 60.0) -> Ran:
        """Read until it is so, or all is read; fails after that time."""
        deadline = time.monotonic() + seconds
        while not what(self.ran) and self._selector.get_map():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s; seen: {self.ran.activities}; printed: {self.ran.pieces}")
            for key, _ in self._selector.select(0.2):
                data = os.read(key.fd, 65536)
                if data:
                    self.ran.pieces.append((key.data, data))
                    self.ran.activities += self.reader.feed(data, key.data)
                else:
                    self._selector.unregister(key.fileobj)
            self.ran.activities += self.side_files.poll()
        return self.ran

    def send(self, number: signal.Signals) -> None:
        """To the program alone, as a person's `kill` would."""
        self.process.send_signal(number)

    def finish(self, seconds: float = 60.0) -> Ran:
        """See it to its end and judge it."""
        self.until(lambda _ran: self.process.poll() is not None, seconds)
        for process in self._tree():  # what it left behind may hold its streams open
            if process.pid != self.process.pid:
                with contextlib.suppress(psutil.Error):
                    process.kill()
        code = self.process.wait(seconds)
        self.until(lambda _ran: False, seconds)
        self.ran.activities += self.side_files.drain() + self.reader.close()
        self.ran.exit_code, self.ran.signal = (code, None) if code >= 0 else (None, -code)
        self.ran.judgement = self.reader.judge(self.ran.exit_code, self.ran.signal)
        return self.ran


def make_repository(folder: Path) -> Path:
    """A git repository with one committed file."""
    repository = folder / "repository"
    repository.mkdir(parents=True)
    (repository / "README.md").write_text("# demo\nline two\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run(
            ["git", "-c", "user.name=Test", "-c", "user.email=test@example.org", *words],
            cwd=repository,
            check=True,
            env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"},
        )
    return repository
