"""Whose environment agents run in, when others than the daemon's user submit sessions (`socket_group`).

All agents run as the daemon's user. A home, a cache or a key agent of the person who submitted would be closed to them
at best, so what says who and where one is comes from the daemon itself; all else stays as it was collected.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from waved.reactor.specs import Environment

OWN = ("HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "SSH_AUTH_SOCK")
"""Variables of the base environment that belong to a person; and all whose name begins with XDG_."""


def as_ourselves(
    environment: Environment, environ: Mapping[str, str] | None = None, *, remote: bool = False
) -> Environment:
    """The environment with the daemon's own variables in place of the submitter's.

    `remote`: the submitter's PATH is another machine's, too.
    """
    env = os.environ if environ is None else environ

    def is_own(name: str) -> bool:
        return name in OWN or name.startswith("XDG_") or (remote and name == "PATH")

    base = {name: value for name, value in environment.get("base", {}).items() if not is_own(name)}
    base.update({name: value for name, value in env.items() if is_own(name)})
    return {**environment, "base": base}


def without_our_own(environment: Environment) -> Environment:
    """The environment without what says where a daemon is: agents have no business with it unless the plan says so
    (in `env`, or `control`).
    """
    base = {name: value for name, value in environment.get("base", {}).items() if not name.startswith("WAVED_")}
    return {**environment, "base": base}
