"""Gemini CLI: `gemini` (npm @google/gemini-cli)."""

from __future__ import annotations

from waved.agents.base import AgentProgram, Deployment, Invocation, fits_argument, unless_given


class GeminiProgram(AgentProgram):
    """May edit files of the workspace unasked; run commands only as far as `args` or the user's settings allow it."""

    name = "gemini"
    executable = "gemini"
    passes: tuple[str, ...] = (
        "GEMINI_API_KEY",
        "GEMINI_CLI_HOME",
        "GEMINI_MODEL",
        "GEMINI_SANDBOX",
        "GEMINI_SYSTEM_MD",
        "GOOGLE_*",
    )
    install_hint = "install it with: npm install -g @google/gemini-cli"

    def invocation(self, deployment: Deployment) -> Invocation:
        """`gemini --prompt=…`, or the prompt on stdin when it is long."""
        args = deployment.args
        argv = ["gemini"]
        argv += unless_given(args, "--output-format", "stream-json", instead=["-o"])
        argv += unless_given(args, "--approval-mode", "auto_edit", instead=["--yolo", "-y"])
        # A folder that nobody has yet said to trust ends gemini with status 55.
        argv += unless_given(args, "--skip-trust")
        if deployment.cwd != deployment.workspace:
            argv += ["--include-directories", str(deployment.workspace)]
        if deployment.model is not None:
            argv += ["--model", deployment.model]
        argv += args
        if fits_argument(deployment.prompt):
            # Only long prompts go to stdin: gemini gives up on it after half a second, which a busy machine can take.
            return Invocation([*argv, f"--prompt={deployment.prompt}"])
        return Invocation(argv, stdin=deployment.prompt.encode("utf-8", "replace"))
