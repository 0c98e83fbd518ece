"""Qwen Code: `qwen` (npm @qwen-code/qwen-code). It speaks the stream-json of Claude Code, with meanings of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from waved.agents.activity import Used, count
from waved.agents.api_errors import cause_of, reset_in
from waved.agents.base import AgentProgram, Deployment, Invocation, Login, first_login, fits_argument, unless_given
from waved.agents.claude_stream import ClaudeReader
from waved.agents.reader import Judgement

_MODES = {"read": "plan", "edit": "auto-edit", "all": "yolo"}
_ERROR = re.compile(r"\[API Error: (.*)", re.DOTALL)
_STATUS = re.compile(r"\b([45]\d\d)\b")


class QwenProgram(AgentProgram):
    """With `permissions = "edit"` it edits files of the workspace unasked; what it would ask about else is refused."""

    name = "qwen"
    executable = "qwen"
    passes: tuple[str, ...] = (
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_BASE_URL",
        "DASHSCOPE_API_KEY",
        "GEMINI_API_KEY",
        "OPENAI_*",
        "QWEN_*",
    )
    install_hint = "install it with: npm install -g @qwen-code/qwen-code"
    can_resume = True
    version_command = ("qwen", "--version")

    def invocation(self, deployment: Deployment) -> Invocation:
        """`qwen … --prompt=…`, or the prompt on stdin when it is long."""
        args = deployment.args
        argv = ["qwen"]
        argv += unless_given(args, "--output-format", "stream-json", instead=["-o"])
        argv += unless_given(args, "--approval-mode", _MODES[deployment.permissions], instead=["--yolo", "-y"])
        if deployment.cwd != deployment.workspace:
            argv += ["--include-directories", str(deployment.workspace)]
        if deployment.model is not None:
            argv += ["--model", deployment.model]
        if deployment.resume:
            argv += unless_given(args, "--resume", deployment.resume, instead=["-r", "--continue", "-c"])
        argv += args
        if fits_argument(deployment.prompt):
            return Invocation([*argv, f"--prompt={deployment.prompt}"])
        return Invocation(argv, stdin=deployment.prompt.encode("utf-8", "replace"))

    def reader(self, deployment: Deployment) -> QwenReader:
        """Reads stream-json."""
        return QwenReader(self.provider_of(deployment), deployment.used_before)

    def own_files(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:  # noqa: ARG002 — as the base class
        """See `AgentProgram`."""
        return [home / ".qwen"]

    def login_check(self, env: Mapping[str, str], home: Path) -> Login:
        """A key, or what qwen keeps after its own login."""
        return first_login(
            env,
            ("OPENAI_API_KEY", "DASHSCOPE_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"),
            {"its own login": home / ".qwen/oauth_creds.json"},
            "set OPENAI_API_KEY (and OPENAI_BASE_URL), or log in: start qwen once",
        )


class QwenReader(ClaudeReader):
    """One run of qwen, as seen of 0.15.10. An error of the API is told as text only: `result` says success all the
    same, and the exit status is 0.
    """

    def __init__(self, provider: str, used_before: Used | None = None) -> None:
        super().__init__(provider, used_before)
        if used_before is not None:
            self._meter.add(used_before)  # its result tells what the whole session used

    @staticmethod
    def _usage_of(usage: Mapping[str, Any]) -> Used:
        """`input_tokens` include those from the cache."""
        return Used(
            count(usage.get("input_tokens")),
            count(usage.get("output_tokens")),
            count(usage.get("cache_read_input_tokens")),
        )

    def judge(self, exit_code: int | None, signal: int | None) -> Judgement:
        """As claude's, but by the words of the result as well."""
        error = _ERROR.match(self.result.text or self.result.error) if self.result is not None else None
        if error is None:
            return super().judge(exit_code, signal)
        message = error[1].rstrip("]")
        status = _STATUS.search(message)
        cause = cause_of(int(status[1]) if status is not None else 0, message=message)
        return Judgement(False, message, cause, reset_in(message) if cause == "rate-limited" else None)
