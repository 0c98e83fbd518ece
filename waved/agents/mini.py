"""mini-swe-agent: `mini` (PyPI mini-swe-agent)."""

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
    fits_argument,
    unless_given,
    xdg_folders,
)
from waved.agents.mini_trajectory import MiniReader

_TRAJECTORY = "mini.traj.json"


class MiniProgram(AgentProgram):
    """All it has is a shell, and nothing holds it back: it cannot be held to `permissions = "read"`."""

    name = "mini"
    writes = (_TRAJECTORY,)
    executable = "mini"
    passes: tuple[str, ...] = (*PROVIDER_VARIABLES, "LITELLM_*", "MSWEA_*")
    install_hint = "install it with: pipx install mini-swe-agent"
    distribution = "mini-swe-agent"
    version_command = ("mini", "--help")
    """It has no option that prints the version, but says it in passing."""

    def invocation(self, deployment: Deployment) -> Invocation:
        """`mini --yolo --task …`; its trajectory lies in the run's folder. Raises PlanError."""
        cannot_be_held_to("mini", deployment, "read")
        args = deployment.args
        argv = ["mini", *unless_given(args, "--yolo", instead=["-y"]), *unless_given(args, "--exit-immediately")]
        argv += ["--output", str(deployment.folder / _TRAJECTORY)]
        if deployment.model is not None:
            argv += ["--model", deployment.model]
        # It takes no prompt from a file.
        long = f"Your task stands in the file {deployment.prompt_path}: read all of it first."
        task = deployment.prompt if fits_argument(deployment.prompt) else long
        # Without the first it asks for its set-up at the keyboard.
        return Invocation([*argv, *args, "--task", task], {"MSWEA_CONFIGURED": "true", "MSWEA_SILENT_STARTUP": "1"})

    def reader(self, deployment: Deployment) -> MiniReader:
        """Reads the trajectory."""
        return MiniReader(deployment.folder / _TRAJECTORY, self.provider_of(deployment))

    def own_files(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:
        """See `AgentProgram`."""
        return [folder / "mini-swe-agent" for folder in xdg_folders(env, home)]

    def login_check(self, env: Mapping[str, str], home: Path) -> Login:
        """A key of any provider, or the file in which `mini-extra config` keeps it."""
        config = Path(env.get("XDG_CONFIG_HOME") or home / ".config")
        keys = [name for name in PROVIDER_VARIABLES if name.endswith("_KEY")]
        return first_login(
            env,
            ("OPENAI_API_KEY", *keys),
            {"its own configuration": config / "mini-swe-agent/.env"},
            "set the key of your provider, or run: mini-extra config setup",
        )
