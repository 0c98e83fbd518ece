"""Gemini CLI: `gemini` (npm @google/gemini-cli)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from waved.agents.base import AgentProgram, Deployment, Invocation, Login, first_login, fits_argument, unless_given
from waved.agents.gemini_stream import GeminiReader

_MODES = {"read": "plan", "edit": "auto_edit", "all": "yolo"}


class GeminiProgram(AgentProgram):
    """With `permissions = "edit"` it edits files of the workspace unasked, and runs commands only as far as `args` or
    the user's settings allow it.
    """

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
    provider = "google"
    can_resume = True
    version_command = ("gemini", "--version")

    def invocation(self, deployment: Deployment) -> Invocation:
        """`gemini --prompt=…`, or the prompt on stdin when it is long."""
        args = deployment.args
        argv = ["gemini"]
        argv += unless_given(args, "--output-format", "stream-json", instead=["-o"])
        argv += unless_given(args, "--approval-mode", _MODES[deployment.permissions], instead=["--yolo", "-y"])
        # A folder that nobody has yet said to trust ends gemini with status 55.
        argv += unless_given(args, "--skip-trust")
        if deployment.cwd != deployment.workspace:
            argv += ["--include-directories", str(deployment.workspace)]
        if deployment.model is not None:
            argv += ["--model", deployment.model]
        if deployment.resume:
            argv += unless_given(args, "--resume", deployment.resume, instead=["-r"])
        argv += args
        if fits_argument(deployment.prompt):
            # Only long prompts go to stdin: gemini gives up on it after half a second, which a busy machine can take.
            return Invocation([*argv, f"--prompt={deployment.prompt}"])
        return Invocation(argv, stdin=deployment.prompt.encode("utf-8", "replace"))

    def reader(self, deployment: Deployment) -> GeminiReader:  # noqa: ARG002 — it reads all runs alike
        """Reads stream-json."""
        return GeminiReader(self.provider)

    def own_files(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """See `AgentProgram`."""
        return [Path(env.get("GEMINI_CLI_HOME") or home) / ".gemini"]

    def login_check(self, env: Mapping[str, str], home: Path) -> Login:
        """A key, a cloud's switch, or what gemini keeps after its own login."""
        folder = Path(env.get("GEMINI_CLI_HOME") or home) / ".gemini"
        return first_login(
            env,
            ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI"),
            {"its own login": folder / "oauth_creds.json"},
            "set GEMINI_API_KEY, or log in: start gemini once",
        )
