"""aider (PyPI aider-chat)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from waved.agents.aider_log import AiderReader
from waved.agents.base import PROVIDER_VARIABLES, AgentProgram, Deployment, Invocation, Login, first_login, unless_given

_LOG = "aider.jsonl"


class AiderProgram(AgentProgram):
    """Edits files and leaves them uncommitted, as the other programs do: several aiders in one repository would fight
    over its index. `args` may say `--auto-commits`; files to edit are given there too. With `permissions = "read"` it
    answers and edits nothing; commands it never runs unasked.
    """

    name = "aider"
    writes = (_LOG, "aider.chat.md", "aider.input")
    executable = "aider"
    passes: tuple[str, ...] = (*PROVIDER_VARIABLES, "AIDER_*", "AZURE_API_*", "OLLAMA_API_BASE")
    install_hint = "install it with: pipx install aider-chat"
    distribution = "aider-chat"
    version_command = ("aider", "--version")

    def invocation(self, deployment: Deployment) -> Invocation:
        """`aider --message-file …`; its history and log lie in the run's folder, not in the workspace."""
        folder = deployment.folder
        argv = ["aider", "--message-file", str(deployment.prompt_path), "--yes-always"]
        argv += ["--no-stream", "--no-pretty", "--no-fancy-input"]
        argv += ["--no-check-update", "--no-show-release-notes", "--no-analytics"]
        # --yes-always would otherwise install a browser for the first address in a prompt.
        argv += ["--disable-playwright"]
        argv += ["--no-auto-commits", "--no-dirty-commits", "--no-gitignore"]
        argv += ["--analytics-log", str(folder / _LOG)]
        argv += ["--chat-history-file", str(folder / "aider.chat.md")]
        argv += ["--input-history-file", str(folder / "aider.input")]
        if deployment.permissions == "read":
            argv += unless_given(deployment.args, "--chat-mode", "ask", instead=["--edit-format"])
        if deployment.model is not None:
            argv += ["--model", deployment.model]
        return Invocation([*argv, *deployment.args])

    def reader(self, deployment: Deployment) -> AiderReader:
        """Reads the log of its doings, and from what it prints which files it changed and what failed."""
        return AiderReader(deployment.folder / _LOG, self.provider_of(deployment))

    def own_files(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:  # noqa: ARG002 — as the base class
        """See `AgentProgram`."""
        return [home / ".aider"]

    def login_check(self, env: Mapping[str, str], home: Path) -> Login:
        """A key of any provider, or a file in which aider looks for one."""
        keys = [name for name in PROVIDER_VARIABLES if name.endswith("_KEY")]
        return first_login(
            env,
            ("OPENAI_API_KEY", *keys, "AIDER_OPENAI_API_KEY", "AIDER_ANTHROPIC_API_KEY", "AZURE_API_KEY"),
            {"~/.aider.conf.yml": home / ".aider.conf.yml", "~/.env": home / ".env"},
            "set the key of your provider, such as OPENAI_API_KEY",
        )
