"""goose: `goose run` (npm @aaif/goose-acp)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from waved.agents.base import (
    PROVIDER_VARIABLES,
    AgentProgram,
    Deployment,
    Invocation,
    Login,
    cannot_be_held_to,
    first_login,
    unless_given,
    xdg_folders,
)
from waved.agents.goose_stream import GooseReader


class GooseProgram(AgentProgram):
    """Does what it wants to: goose asks about everything or about nothing, so it cannot be held to
    `permissions = "read"`.
    """

    name = "goose"
    executable = "goose"
    passes: tuple[str, ...] = (*PROVIDER_VARIABLES, "DATABRICKS_*", "GOOGLE_API_KEY", "GOOSE_*", "OLLAMA_HOST")
    install_hint = "install it with: npm install -g @aaif/goose-acp"
    can_resume = True
    version_command = ("goose", "--version")

    def invocation(self, deployment: Deployment) -> Invocation:
        """`goose run --instructions FILE`, in a session named after the run. Raises PlanError."""
        cannot_be_held_to("goose", deployment, "read")
        args = deployment.args
        argv = ["goose", "run", "--instructions", str(deployment.prompt_path)]
        argv += [*unless_given(args, "--output-format", "stream-json"), *unless_given(args, "--quiet", instead=["-q"])]
        argv += unless_given(args, "--name", _session(deployment), instead=["-n"])
        if deployment.resume:
            argv += unless_given(args, "--resume", instead=["-r"])
        if deployment.model is not None:
            argv += ["--model", deployment.model]
        # "auto": nobody is there to be asked.
        return Invocation([*argv, *args], {"GOOSE_MODE": "auto"})

    def reader(self, deployment: Deployment) -> GooseReader:
        """Reads stream-json."""
        return GooseReader(_session(deployment), self.provider_of(deployment), deployment.used_before)

    def own_files(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """See `AgentProgram`."""
        return [folder / "goose" for folder in xdg_folders(env, home)]

    def login_check(self, env: Mapping[str, str], home: Path) -> Login:
        """A key of any provider, or what `goose configure` wrote."""
        config = Path(env.get("XDG_CONFIG_HOME") or home / ".config")
        keys = [name for name in PROVIDER_VARIABLES if name.endswith("_KEY")]
        return first_login(
            env,
            ("OPENAI_API_KEY", *keys, "GOOGLE_API_KEY", "DATABRICKS_TOKEN"),
            {"its own configuration": config / "goose/config.yaml"},
            "run: goose configure",
        )


def _session(deployment: Deployment) -> str:
    """goose is told what to call its session: by waved's session and run, so that no two are alike."""
    folder = deployment.folder
    return deployment.resume or f"waved-{folder.parent.parent.name}-{folder.name}"
