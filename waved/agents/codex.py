"""Codex: `codex exec` (npm @openai/codex)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from waved.agents.base import AgentProgram, Deployment, Invocation, Login, first_login, unless_given
from waved.agents.codex_stream import CodexReader

_NO_SANDBOX = "--dangerously-bypass-approvals-and-sandbox"
_SANDBOX = {"read": "read-only", "edit": "workspace-write", "all": "danger-full-access"}


class CodexProgram(AgentProgram):
    """May change the workspace and run commands inside codex's own sandbox; never asks."""

    name = "codex"
    executable = "codex"
    # Not CODEX_*: inside a codex session some of these describe that session's sandbox.
    passes: tuple[str, ...] = ("CODEX_API_KEY", "CODEX_CA_CERTIFICATE", "CODEX_HOME", "OPENAI_*")
    install_hint = "install it with: npm install -g @openai/codex"
    provider = "openai"
    can_resume = True
    version_command = ("codex", "--version")

    def invocation(self, deployment: Deployment) -> Invocation:
        """`codex exec … -`, the prompt on stdin."""
        args = deployment.args
        argv = ["codex", "exec"]
        argv += unless_given(args, "--json")
        argv += unless_given(args, "--skip-git-repo-check")
        argv += unless_given(args, "--sandbox", _SANDBOX[deployment.permissions], instead=["-s", _NO_SANDBOX])
        if _NO_SANDBOX not in args:
            argv += ["--config", 'approval_policy="never"']
        if deployment.cwd != deployment.workspace:
            argv += ["--add-dir", str(deployment.workspace)]
        if deployment.model is not None:
            argv += ["--model", deployment.model]
        resume = ["resume", deployment.resume] if deployment.resume else []
        return Invocation([*argv, *args, *resume, "-"], stdin=deployment.prompt.encode("utf-8", "replace"))

    def reader(self, deployment: Deployment) -> CodexReader:
        """Reads what `--json` prints."""
        return CodexReader(self.provider, deployment.used_before)

    def own_files(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """See `AgentProgram`."""
        return [Path(env.get("CODEX_HOME") or home / ".codex")]

    def login_check(self, env: Mapping[str, str], home: Path) -> Login:
        """A key, or what `codex login` keeps."""
        folder = Path(env.get("CODEX_HOME") or home / ".codex")
        return first_login(
            env,
            ("CODEX_API_KEY", "OPENAI_API_KEY"),
            {"its own login": folder / "auth.json"},
            "set CODEX_API_KEY, or run: codex login",
        )
