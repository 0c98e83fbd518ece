"""Monitors by kind: those that ship with waved, and those that installed packages add (entry points `waved.monitors`).

Some kinds look at no file and live elsewhere: `file-changes` and `timeouts` are deadlines of the domain, `progress` is
measured by the worker, `command` and `preview` are runs of the pool.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from waved.errors import NotFoundError, WavedError
from waved.monitors.base import ContentMonitor, Factory
from waved.monitors.corruption import Corruption
from waved.monitors.file_size import FileSize
from waved.monitors.ownership import Ownership
from waved.plan.guards import (
    SHIPPED_KINDS,
    CorruptionMonitor,
    FileChangesMonitor,
    FileSizeMonitor,
    MonitorBase,
    OwnershipMonitor,
    PluginMonitor,
)

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "waved.monitors"
"""The entry-point group of packages that add monitors."""


def content_monitors(settings: Iterable[MonitorBase]) -> list[ContentMonitor]:
    """The monitors among `settings` that look into files."""
    found: list[ContentMonitor] = []
    for table in settings:
        if isinstance(table, CorruptionMonitor):
            found.append(Corruption(table))
        elif isinstance(table, FileSizeMonitor):
            found.append(FileSize(table))
    return found


def ownership_monitors(settings: Iterable[MonitorBase]) -> list[Ownership]:
    """The ownership monitors among `settings`."""
    return [Ownership(table) for table in settings if isinstance(table, OwnershipMonitor)]


def plug_ins(settings: Iterable[MonitorBase]) -> list[PluginMonitor]:
    """The tables of kinds that plug-ins add."""
    return [table for table in settings if isinstance(table, PluginMonitor)]


def sweep_interval(settings: Iterable[MonitorBase]) -> float:
    """Seconds between two sweeps of the feed: the shortest any monitor asks for."""
    tables = (CorruptionMonitor, FileSizeMonitor, FileChangesMonitor)
    return min((table.interval for table in settings if isinstance(table, tables)), default=60.0)


def unknown_kinds(settings: Iterable[MonitorBase]) -> list[str]:
    """Kinds that neither ship with waved nor are offered by a package; nothing is imported."""
    return [table.kind for table in plug_ins(settings) if table.kind not in _offers()]


def kinds() -> list[str]:
    """Every kind a plan may name, sorted; nothing is imported."""
    return sorted({*SHIPPED_KINDS, *_offers()})


def find_factory(kind: str) -> Factory:
    """What makes monitors of a plug-in's kind.

    Raises NotFoundError when no package offers it, and WavedError when the one that does cannot be used.
    """
    offers = _offers().get(kind, ())
    if not offers:
        from waved.plan.near import near

        known = kinds()
        raise NotFoundError(f'no monitor of kind "{kind}"', near(kind, known) or f"kinds: {', '.join(known)}")
    if len(offers) > 1:
        packages = " and ".join(_package(offer) for offer in offers)
        raise WavedError(f'monitors of kind "{kind}" are offered by {packages}', "uninstall one of them")
    hint = f"mend, update or uninstall {_package(offers[0])}"
    try:
        loaded: Any = offers[0].load()
    except (Exception, SystemExit) as error:
        # Somebody else's code: whatever it raises must become a message about that package.
        reason = f"{type(error).__name__}: {error}"
        raise WavedError(f'monitors of kind "{kind}" cannot be loaded: {reason}', hint) from error
    if not callable(loaded):
        raise WavedError(f'monitors of kind "{kind}" cannot be made: {offers[0].value} cannot be called', hint)
    factory: Factory = loaded
    return factory


@cache
def _offers() -> dict[str, tuple[EntryPoint, ...]]:
    """What installed packages offer, by kind. Read once a process: a new package is seen by the next daemon."""
    from importlib.metadata import entry_points

    found: dict[str, dict[str, EntryPoint]] = {}
    for offer in entry_points(group=GROUP):
        if offer.name not in SHIPPED_KINDS:
            # By value: a package that lies on the path twice offers the same thing, not two.
            found.setdefault(offer.name, {})[offer.value] = offer
    return {name: tuple(offers.values()) for name, offers in found.items()}


def _package(offer: EntryPoint) -> str:
    return f"{offer.dist.name} {offer.dist.version}" if offer.dist is not None else offer.value
