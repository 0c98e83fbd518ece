"""Codex: `codex exec` (npm @openai/codex)."""

from __future__ import annotations

from waved.agents.base import AgentProgram, Deployment, Invocation, unless_given

_NO_SANDBOX = "--dangerously-bypass-approvals-and-sandbox"


class CodexProgram(AgentProgram):
    """May change the workspace and run commands inside codex's own sandbox; never asks."""

    name = "codex"
    executable = "codex"
    # Not CODEX_*: inside a codex session some of these describe that session's sandbox.
    passes: tuple[str, ...] = ("CODEX_API_KEY", "CODEX_CA_CERTIFICATE", "CODEX_HOME", "OPENAI_*")
    install_hint = "install it with: npm install -g @openai/codex"

    def invocation(self, deployment: Deployment) -> Invocation:
        """`codex exec … -`, the prompt on stdin."""
        args = deployment.args
        argv = ["codex", "exec"]
        argv += unless_given(args, "--json")
        argv += unless_given(args, "--skip-git-repo-check")
        argv += unless_given(args, "--sandbox", "workspace-write", instead=["-s", _NO_SANDBOX])
        if _NO_SANDBOX not in args:
            argv += ["--config", 'approval_policy="never"']
        if deployment.cwd != deployment.workspace:
            argv += ["--add-dir", str(deployment.workspace)]
        if deployment.model is not None:
            argv += ["--model", deployment.model]
        return Invocation([*argv, *args, "-"], stdin=deployment.prompt.encode("utf-8", "replace"))
