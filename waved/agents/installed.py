"""Which version of a program is installed, by the files it came with: for programs whose output does not tell.

No process is started: asking six programs of Node for `--version` costs ten seconds of a processor. A program that was
installed by other means than npm or pip is not found out.

Imported in workers: standard library only.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

_LARGEST = 256 * 1024
"""Bytes of a package.json that is read."""


def installed_version(executable: str, distribution: str = "") -> str:
    """The version of what `executable` (a path, links are followed) belongs to; "" when that cannot be told.

    Of a package of npm that is what its package.json says; of a Python package, whose `distribution` has to be named,
    the name of its metadata.
    """
    file = Path(os.path.realpath(executable))
    try:
        return _from_pip(file, distribution) if distribution else _from_npm(file)
    except (OSError, ValueError):
        return ""


def _from_npm(file: Path) -> str:
    for folder in file.parents:
        above = folder.parent
        if above.name == "node_modules" or (above.name.startswith("@") and above.parent.name == "node_modules"):
            package = json.loads(_read(folder / "package.json"))
            version = package.get("version") if isinstance(package, dict) else None
            return version[:100] if isinstance(version, str) else ""
    return ""


def _read(file: Path) -> bytes:
    """Its beginning. It may be anything by now: a pipe that nobody writes to must not hold us up."""
    fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(fd, _LARGEST)
    finally:
        os.close(fd)


def _from_pip(file: Path, distribution: str) -> str:
    wanted = distribution.lower().replace("-", "_")
    for metadata in file.parent.parent.glob("lib/python3*/site-packages/*.dist-info"):
        name, _, version = metadata.name.removesuffix(".dist-info").partition("-")
        if name.lower() == wanted:
            return version[:100]
    return ""
