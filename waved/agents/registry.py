"""Agent programs by name: the built-in ones, and those that installed packages add (entry-point group `waved.agents`).

Only the program that is asked for is imported, so a broken plug-in costs nobody else anything. Built-in programs are
found without any package metadata, and their names cannot be taken by a plug-in.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from waved.agents.base import AgentProgram, PlainProgram, Program
from waved.errors import NotFoundError, WavedError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "waved.agents"
"""The entry-point group of packages that add agent programs."""

BUILT_IN = {
    "aider": "waved.agents.aider:AiderProgram",
    "claude": "waved.agents.claude:ClaudeProgram",
    "codex": "waved.agents.codex:CodexProgram",
    "command": "waved.agents.command:CommandProgram",
    "gemini": "waved.agents.gemini:GeminiProgram",
    "goose": "waved.agents.goose:GooseProgram",
    "mini": "waved.agents.mini:MiniProgram",
    "opencode": "waved.agents.opencode:OpencodeProgram",
    "qwen": "waved.agents.qwen:QwenProgram",
}
"""Module and class of waved's own programs, by name."""


def program_names() -> list[str]:
    """Every name that `use` may say, sorted; nothing is imported."""
    return sorted({*BUILT_IN, *_plug_ins()})


def find_program(name: str) -> AgentProgram:
    """The program of that name.

    Raises NotFoundError when there is none, and WavedError when the package that offers it cannot be used.
    """
    target = BUILT_IN.get(name)
    if target is not None:
        module, _, attribute = target.partition(":")
        built_in: AgentProgram = getattr(import_module(module), attribute)()
        return built_in
    offers = _plug_ins().get(name, ())
    if not offers:
        raise NotFoundError(f'no agent program "{name}"', _hint(name))
    if len(offers) > 1:
        packages = " and ".join(_package(offer) for offer in offers)
        raise WavedError(f'agent program "{name}" is offered by {packages}', "uninstall one of them")
    return _load(name, offers[0])


def _load(name: str, offer: EntryPoint) -> AgentProgram:
    hint = f"mend, update or uninstall {_package(offer)}"
    try:
        loaded: Any = offer.load()
        program = loaded() if isinstance(loaded, type) else loaded
    except (Exception, SystemExit) as error:
        # Somebody else's code: whatever it raises must become a message about that package.
        reason = f"{type(error).__name__}: {error}"
        raise WavedError(f'agent program "{name}" cannot be loaded: {reason}', hint) from error
    missing = _missing(program)
    if missing:
        raise WavedError(f'agent program "{name}" ({offer.value}) lacks {", ".join(missing)}', hint)
    found: Program = program
    return found if isinstance(found, AgentProgram) else PlainProgram(found)


def _missing(program: object) -> list[str]:
    """Names of what a plug-in's object lacks to be a `Program`."""
    wrong = [
        name for name in ("name", "executable", "install_hint") if not isinstance(getattr(program, name, None), str)
    ]
    passes = getattr(program, "passes", None)
    if not isinstance(passes, tuple) or not all(isinstance(item, str) for item in passes):
        wrong.append("passes (a tuple of names)")
    if not callable(getattr(program, "invocation", None)):
        wrong.append("invocation()")
    return wrong


@cache
def _plug_ins() -> dict[str, tuple[EntryPoint, ...]]:
    """What installed packages offer, by name. Read once a process: a new package is seen by the next daemon."""
    from importlib.metadata import entry_points

    found: dict[str, dict[str, EntryPoint]] = {}
    for offer in entry_points(group=GROUP):
        if offer.name not in BUILT_IN:
            # By value: a package that lies on the path twice offers the same thing, not two.
            found.setdefault(offer.name, {})[offer.value] = offer
    return {name: tuple(offers.values()) for name, offers in found.items()}


def _package(offer: EntryPoint) -> str:
    return f"{offer.dist.name} {offer.dist.version}" if offer.dist is not None else offer.value


def _hint(name: str) -> str:
    from waved.plan.near import near

    names = program_names()
    close = near(name, names)
    return close or f'programs: {", ".join(names)}; for any other write `command = ["{name}", …]`'
