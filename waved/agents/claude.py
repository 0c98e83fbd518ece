"""Claude Code: `claude -p` (npm @anthropic-ai/claude-code)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from waved.agents.base import AgentProgram, Deployment, Invocation, Login, first_login, fits_argument, unless_given
from waved.agents.claude_stream import ClaudeReader

_PERMISSIONS: dict[str, tuple[str, list[str]]] = {
    # Whatever would be asked about is refused; what the user's own settings allow is taken back.
    "read": ("dontAsk", ["--disallowedTools=Edit,Write,NotebookEdit"]),
    "edit": ("acceptEdits", []),
    "all": ("bypassPermissions", []),
}


class ClaudeProgram(AgentProgram):
    """With `permissions = "edit"` it edits files of the workspace unasked, and runs commands only as far as `args` or
    the user's settings allow it. `"all"` claude refuses to root, unless IS_SANDBOX=1 says that root is nobody there.
    """

    name = "claude"
    executable = "claude"
    # Not CLAUDE_*: inside a Claude Code session some of these tie a nested claude to its parent.
    passes: tuple[str, ...] = (
        "ANTHROPIC_*",
        "API_TIMEOUT_MS",
        "CLAUDE_CODE_API_KEY_*",
        "CLAUDE_CODE_DISABLE_*",
        "CLAUDE_CODE_MAX_*",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CODE_SKIP_*",
        "CLAUDE_CODE_SUBAGENT_MODEL",
        "CLAUDE_CODE_USE_*",
        "CLAUDE_CONFIG_DIR",
        "DISABLE_ERROR_REPORTING",
        "DISABLE_TELEMETRY",
        "IS_SANDBOX",
        "MAX_THINKING_TOKENS",
    )
    install_hint = "install it with: npm install -g @anthropic-ai/claude-code"
    provider = "anthropic"
    can_resume = True
    version_command = ("claude", "--version")

    def invocation(self, deployment: Deployment) -> Invocation:
        """`claude -p …`, the prompt last on the command line, or on stdin when it is long."""
        args = deployment.args
        argv = ["claude", "-p"]
        argv += unless_given(args, "--output-format", "stream-json")
        argv += unless_given(args, "--verbose")
        mode, more = _PERMISSIONS[deployment.permissions]
        argv += unless_given(args, "--permission-mode", mode, *more, instead=["--dangerously-skip-permissions"])
        if deployment.resume:
            argv += unless_given(args, "--resume", deployment.resume, instead=["-r", "--continue", "-c"])
        if deployment.money_left is not None:
            # It tells its cost when it is done: nobody else could stop it at its budget.
            argv += unless_given(args, "--max-budget-usd", f"{max(deployment.money_left, 0.0001):.4f}")
        if deployment.cwd != deployment.workspace:
            argv += ["--add-dir", str(deployment.workspace)]
        if deployment.model is not None:
            argv += ["--model", deployment.model]
        argv += args
        # Not a fleet of agents that update the program under each other.
        env = {"DISABLE_AUTOUPDATER": "1"}
        if fits_argument(deployment.prompt):
            # Only long prompts go to stdin: claude gives up on it after three seconds, which a busy machine can take.
            # "--": else an option with many values (--allowedTools) would take the prompt as one more.
            return Invocation([*argv, "--", deployment.prompt], env)
        return Invocation(argv, env, deployment.prompt.encode("utf-8", "replace"))

    def reader(self, deployment: Deployment) -> ClaudeReader | None:
        """Reads stream-json; nothing when `args` ask for another form."""
        if unless_given(deployment.args, "--output-format") or "stream-json" in " ".join(deployment.args):
            return ClaudeReader(self.provider, deployment.used_before)
        return None

    def own_files(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """See `AgentProgram`."""
        config = env.get("CLAUDE_CONFIG_DIR")
        return [Path(config)] if config else [home / ".claude", home / ".claude.json"]

    def login_check(self, env: Mapping[str, str], home: Path) -> Login:
        """A key or token, a cloud's switch, or what claude keeps after /login."""
        folder = Path(env.get("CLAUDE_CONFIG_DIR") or home / ".claude")
        variables = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK")
        return first_login(
            env,
            (*variables, "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY"),
            {"its own login": folder / ".credentials.json"},
            "set ANTHROPIC_API_KEY, or log in: start claude once and type /login",
        )
