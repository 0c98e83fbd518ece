"""Any program at all, as the plan's `command` writes it."""

from __future__ import annotations

from waved.agents.base import AgentProgram, Deployment, Invocation
from waved.errors import PlanError


class CommandProgram(AgentProgram):
    """`command = ["…"]` is executed as it is; `command = "…"` is run by the shell. `args` follow in both.

    In a shell string they are the positional parameters ("$@"), never text the shell interprets.
    """

    name = "command"
    executable = ""
    passes: tuple[str, ...] = ()
    install_hint = ""

    def invocation(self, deployment: Deployment) -> Invocation:
        """The command line; raises PlanError when there is none."""
        command = deployment.command
        if not command:
            raise PlanError("no command to run", 'give the agent `command = ["program", "argument"]`')
        if isinstance(command, str):
            # "sh" is what the shell then calls itself ($0) in its messages.
            parameters = ["sh", *deployment.args] if deployment.args else []
            return Invocation(["/bin/sh", "-c", command, *parameters])
        return Invocation([*command, *deployment.args])
