"""aider (PyPI aider-chat)."""

from __future__ import annotations

from waved.agents.base import PROVIDER_VARIABLES, AgentProgram, Deployment, Invocation


class AiderProgram(AgentProgram):
    """Edits files and leaves them uncommitted, as the other programs do: several aiders in one repository would fight
    over its index. `args` may say `--auto-commits`; files to edit are given there too.
    """

    name = "aider"
    executable = "aider"
    passes: tuple[str, ...] = (*PROVIDER_VARIABLES, "AIDER_*", "AZURE_API_*", "OLLAMA_API_BASE")
    install_hint = "install it with: pipx install aider-chat"

    def invocation(self, deployment: Deployment) -> Invocation:
        """`aider --message-file …`; its history and log lie in the run's folder, not in the workspace."""
        folder = deployment.folder
        argv = ["aider", "--message-file", str(deployment.prompt_path), "--yes-always"]
        argv += ["--no-stream", "--no-pretty", "--no-fancy-input"]
        argv += ["--no-check-update", "--no-show-release-notes", "--no-analytics"]
        # --yes-always would otherwise install a browser for the first address in a prompt.
        argv += ["--disable-playwright"]
        argv += ["--no-auto-commits", "--no-dirty-commits", "--no-gitignore"]
        argv += ["--analytics-log", str(folder / "aider.jsonl")]
        argv += ["--chat-history-file", str(folder / "aider.chat.md")]
        argv += ["--input-history-file", str(folder / "aider.input")]
        if deployment.model is not None:
            argv += ["--model", deployment.model]
        return Invocation([*argv, *deployment.args])
