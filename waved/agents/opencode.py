"""opencode: `opencode run` (npm opencode-ai)."""

from __future__ import annotations

from waved.agents.base import PROVIDER_VARIABLES, AgentProgram, Deployment, Invocation, unless_given


class OpencodeProgram(AgentProgram):
    """What opencode's own configuration allows without asking; what it would ask about is refused."""

    name = "opencode"
    executable = "opencode"
    passes: tuple[str, ...] = (
        *PROVIDER_VARIABLES,
        "GOOGLE_GENERATIVE_AI_API_KEY",
        "OPENCODE_API_KEY",
        "OPENCODE_CONFIG*",
        "OPENCODE_DISABLE_*",
        "OPENCODE_ENABLE_*",
        "OPENCODE_PERMISSION",
    )
    install_hint = "install it with: npm install -g opencode-ai"

    def invocation(self, deployment: Deployment) -> Invocation:
        """`opencode run …`, the prompt on stdin: as a word it would be put in quotes when it holds a space."""
        args = deployment.args
        argv = ["opencode", "run", *unless_given(args, "--format", "json")]
        if deployment.model is not None:
            argv += ["--model", deployment.model]
        env = {"OPENCODE_DISABLE_AUTOUPDATE": "true"}
        return Invocation([*argv, *args], env, deployment.prompt.encode("utf-8", "replace"))
