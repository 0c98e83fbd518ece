"""waved: systemd for coding agents. See docs/architecture.md for the rooms of this package."""

from waved.version import __version__

__all__ = ["__version__"]
