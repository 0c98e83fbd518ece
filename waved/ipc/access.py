"""Who may use the control socket: the daemon's own user, or a group's members as well (`socket_group`)."""

from __future__ import annotations

import contextlib
import grp
import os

from waved.config import Locations
from waved.errors import ConfigError

OWNER_ONLY, WITH_GROUP = 0o600, 0o660
_FOLDER_OWNER_ONLY, _FOLDER_WITH_GROUP = 0o700, 0o710


def share(locations: Locations, group: str) -> None:
    """Let `group` use the control socket, and nobody else; "" for the daemon's user alone.

    Members may enter the socket's folder and not list it. State and journal stay the user's own. Raises ConfigError
    when there is no such group, or the daemon's user may not give files to it.
    """
    if not group:
        # What another configuration allowed before is allowed no more.
        with contextlib.suppress(OSError):
            locations.control_socket.chmod(OWNER_ONLY)
            locations.runtime.chmod(_FOLDER_OWNER_ONLY)
        return
    number = number_of(group)
    try:
        for path, mode in ((locations.runtime, _FOLDER_WITH_GROUP), (locations.control_socket, WITH_GROUP)):
            os.chown(path, -1, number)
            path.chmod(mode)
    except OSError as error:
        hint = f"the daemon's user has to be a member: usermod -aG {group} USER"
        raise ConfigError(f"socket_group: {path} cannot be given to {group!r}: {error.strerror}", hint) from None


def number_of(group: str) -> int:
    """The number of `socket_group`; -1 for none. Raises ConfigError when there is no such group."""
    if not group:
        return -1
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ConfigError(f"socket_group: there is no group {group!r}", f"make it: groupadd --system {group}") from None
