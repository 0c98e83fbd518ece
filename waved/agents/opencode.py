"""opencode: `opencode run` (npm opencode-ai)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from waved.agents.base import (
    PROVIDER_VARIABLES,
    AgentProgram,
    Deployment,
    Invocation,
    Login,
    first_login,
    unless_given,
    xdg_folders,
)
from waved.agents.opencode_stream import OpencodeReader

_READ_ONLY = '{"edit":"deny","bash":"deny"}'


class OpencodeProgram(AgentProgram):
    """With `permissions = "edit"`: what opencode's own configuration allows without asking (by default files of the
    workspace and commands); what it would ask about is refused.
    """

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
    can_resume = True
    version_command = ("opencode", "--version")

    def invocation(self, deployment: Deployment) -> Invocation:
        """`opencode run …`, the prompt on stdin: as a word it would be put in quotes when it holds a space."""
        args = deployment.args
        argv = ["opencode", "run", *unless_given(args, "--format", "json")]
        if deployment.model is not None:
            argv += ["--model", deployment.model]
        if deployment.permissions == "all":
            argv += unless_given(args, "--auto")
        if deployment.resume:
            argv += unless_given(args, "--session", deployment.resume, instead=["-s", "--continue", "-c"])
        env = {"OPENCODE_DISABLE_AUTOUPDATE": "true"}
        if deployment.permissions == "read":
            env["OPENCODE_PERMISSION"] = _READ_ONLY
        return Invocation([*argv, *args], env, deployment.prompt.encode("utf-8", "replace"))

    def reader(self, deployment: Deployment) -> OpencodeReader:
        """Reads what `--format json` prints."""
        return OpencodeReader(self.provider_of(deployment))

    def own_files(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """See `AgentProgram`."""
        return [folder / "opencode" for folder in xdg_folders(env, home)]

    def login_check(self, env: Mapping[str, str], home: Path) -> Login:
        """A key of any provider, a configuration that may hold one, or what `opencode auth login` keeps."""
        data = Path(env.get("XDG_DATA_HOME") or home / ".local/share")
        keys = [name for name in PROVIDER_VARIABLES if name.endswith("_KEY")]
        return first_login(
            env,
            ("OPENCODE_API_KEY", "OPENAI_API_KEY", *keys, "OPENCODE_CONFIG", "OPENCODE_CONFIG_CONTENT"),
            {"its own login": data / "opencode/auth.json"},
            "set the key of your provider, or run: opencode auth login",
        )
