"""What an agent program is to waved: from the options of one run to a command line (requirement O8, docs/agents.md).

Imported in the zygote that forks workers: standard library only, and nothing happens on import.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

LONGEST_ARGUMENT = 100_000
"""Bytes of a prompt on the command line. Linux refuses one argument of 128 KiB or more (E2BIG)."""

PROVIDER_VARIABLES = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "DEEPSEEK_API_KEY",
    "GEMINI_API_KEY",
    "GROQ_API_KEY",
    "MISTRAL_API_KEY",
    "OPENAI_*",
    "OPENROUTER_API_KEY",
    "XAI_API_KEY",
)
"""Environment names (globs) of programs that talk to many model providers."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The options of one run, as a program turns them into a command line. Templates are rendered already."""

    command: str | list[str] | None
    """What the plan's `command` says: for the program "command" only."""
    args: list[str]
    """More arguments, from the plan; they come after waved's own, so that the program's last word is the user's."""
    model: str | None
    prompt: str
    prompt_path: Path
    """A file that holds `prompt`, readable for as long as the run lasts."""
    workspace: Path
    cwd: Path
    """Where the run is started: the workspace or a folder in it."""
    folder: Path
    """The run's own folder, for what should not lie in the workspace."""
    attempt: int


@dataclass(frozen=True, slots=True)
class Invocation:
    """What is executed."""

    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)
    """Set for this run, over everything the plan says."""
    stdin: bytes | None = None
    """What the program reads; None is /dev/null. Never a pipe that stays open: several programs wait on it."""


@runtime_checkable
class Program(Protocol):
    """An agent program. A plug-in offers a class (or object) of this shape in the entry-point group `waved.agents`."""

    name: str
    """As a plan writes it: `use = "claude"`."""
    executable: str
    """What the checklist looks for on PATH; "" when the plan itself names it."""
    passes: tuple[str, ...]
    """Environment names (globs) it needs from the user: "ANTHROPIC_*"."""
    install_hint: str
    """What to do when the executable is missing."""

    def invocation(self, deployment: Deployment) -> Invocation:
        """The command line of one run; must neither start nor write anything."""
        ...


def fits_argument(prompt: str) -> bool:
    """Whether a prompt can be a word of a command line: short enough for Linux, and without NUL."""
    return len(prompt.encode("utf-8", "replace")) <= LONGEST_ARGUMENT and "\0" not in prompt


def unless_given(args: Sequence[str], *words: str, instead: Sequence[str] = ()) -> list[str]:
    """`words` (an option and perhaps its value), or nothing when `args` hold that option, or one of `instead`, already.

    Several programs refuse an option that is given twice, so what the user writes must replace waved's default.
    """
    names = (words[0], *instead)
    taken = any(argument == name or argument.startswith(name + "=") for argument in args for name in names)
    return [] if taken else list(words)
