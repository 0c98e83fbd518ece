"""Claude Code: `claude -p` (npm @anthropic-ai/claude-code)."""

from __future__ import annotations

from waved.agents.base import AgentProgram, Deployment, Invocation, fits_argument, unless_given


class ClaudeProgram(AgentProgram):
    """May edit files of the workspace unasked; run commands only as far as `args` or the user's settings allow it."""

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
        "MAX_THINKING_TOKENS",
    )
    install_hint = "install it with: npm install -g @anthropic-ai/claude-code"

    def invocation(self, deployment: Deployment) -> Invocation:
        """`claude -p …`, the prompt last on the command line, or on stdin when it is long."""
        args = deployment.args
        argv = ["claude", "-p"]
        argv += unless_given(args, "--output-format", "stream-json")
        argv += unless_given(args, "--verbose")
        argv += unless_given(args, "--permission-mode", "acceptEdits", instead=["--dangerously-skip-permissions"])
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
