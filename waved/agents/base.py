"""What an agent program is to waved: from the options of one run to a command line (requirement O8, docs/agents.md).

Imported in the zygote that forks workers: standard library only, and nothing happens on import.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, Protocol, runtime_checkable

from waved.agents.activity import Used
from waved.agents.reader import Reader
from waved.errors import PlanError

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

Permissions = Literal["read", "edit", "all"]
"""What an agent may do unasked (`permissions` in a plan): look only; edit files of the workspace; anything."""


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
    permissions: Permissions = "edit"
    resume: str = ""
    """The program's own session to go on with (`SessionNamed`), for programs that can; "": a new one."""
    used_before: Used | None = None
    """The sum of what has been counted of that session: several programs report what it used from its first day on."""
    money_left: float | None = None
    """US dollars that budgets leave to this run, for programs that can hold themselves to it; None: no limit."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What is executed."""

    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)
    """Set for this run, over everything the plan says."""
    stdin: bytes | None = None
    """What the program reads; None is /dev/null. Never a pipe that stays open: several programs wait on it."""


@dataclass(frozen=True, slots=True)
class Login:
    """Whether a program will be able to reach its provider, as far as can be told without trying."""

    ok: bool | None
    """None: it cannot be told."""
    detail: str = ""
    """What it will use ("ANTHROPIC_API_KEY", "~/.codex/auth.json"), or what is missing. Never a secret."""


@runtime_checkable
class Program(Protocol):
    """What an agent program must have. A plug-in offers a class (or object) of this shape in the entry-point group
    `waved.agents`; it had better derive from `AgentProgram`, which has a default for everything else.
    """

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


class AgentProgram:
    """An agent program with all that waved can make use of. What `waved.agents.registry.find_program` returns.

    Everything but the members of `Program` has a default: nothing is read, and the exit status is all that is known.
    """

    name: str = ""
    executable: str = ""
    passes: tuple[str, ...] = ()
    install_hint: str = ""
    provider: str = ""
    """Whose limits it runs into: "anthropic", "openai", "google"; "": it depends on the model (`provider_of`)."""
    can_resume: bool = False
    """Whether `invocation` heeds `Deployment.resume`."""
    writes: tuple[str, ...] = ()
    """Names of files it writes in the run's own folder (`Deployment.folder`), for a run in a sandbox."""
    version_command: tuple[str, ...] = ()
    """Prints the version, without network; (): not known."""
    distribution: str = ""
    """The Python package it comes in, by which its version is found; "": it is none."""

    def invocation(self, deployment: Deployment) -> Invocation:
        """The command line of one run; must neither start nor write anything."""
        raise NotImplementedError

    def reader(self, deployment: Deployment) -> Reader | None:  # noqa: ARG002 — for those that override it
        """Reads what that run prints; None: nothing is read. Must not touch any file."""
        return None

    def provider_of(self, deployment: Deployment) -> str:
        """The provider of that run: `provider`, or what stands before the "/" of the model's name; "": not known."""
        vendor, slash, _ = (deployment.model or "").partition("/")
        return self.provider or (vendor if slash else "")

    def own_files(self, env: Mapping[str, str], home: Path) -> Sequence[Path]:  # noqa: ARG002 — as above
        """Files and folders of its own (login, sessions, caches) that it has to be able to write, in a sandbox, too."""
        return ()

    def version_in(self, printed: str) -> str:
        """The version in what `version_command` printed; "" when there is none."""
        found = _VERSION.search(printed)
        return found.group() if found is not None else ""

    def login_check(self, env: Mapping[str, str], home: Path) -> Login:  # noqa: ARG002 — as above
        """Whether it can log in, judged by variables and by which files there are: no network, no program, no token."""
        return Login(None)


_VERSION = re.compile(r"\d+(?:\.\d+)+(?:[\w.+-]*\w)?")


class PlainProgram(AgentProgram):
    """A plug-in's program that has the members of `Program`, and as many of the others as it likes."""

    _OPTIONAL: ClassVar = (
        "provider",
        "can_resume",
        "writes",
        "own_files",
        "version_command",
        "distribution",
        "reader",
        "provider_of",
        "version_in",
        "login_check",
    )

    def __init__(self, program: Program) -> None:
        self.name = program.name
        self.executable = program.executable
        self.passes = program.passes
        self.install_hint = program.install_hint
        self._program = program
        for member in self._OPTIONAL:
            if hasattr(program, member):
                setattr(self, member, getattr(program, member))

    def invocation(self, deployment: Deployment) -> Invocation:
        """As the plug-in builds it."""
        return self._program.invocation(deployment)


def fits_argument(prompt: str) -> bool:
    """Whether a prompt can be a word of a command line: short enough for Linux, and without NUL."""
    return len(prompt.encode("utf-8", "replace")) <= LONGEST_ARGUMENT and "\0" not in prompt


def cannot_be_held_to(program: str, deployment: Deployment, *levels: Permissions) -> None:
    """Refuse a run whose `permissions` the program has no means to keep. Raises PlanError."""
    if deployment.permissions in levels:
        raise PlanError(
            f'{program} cannot be held to permissions = "{deployment.permissions}"',
            "leave it out, or use a program that can (docs/agents.md)",
        )


def first_login(env: Mapping[str, str], variables: Sequence[str], files: Mapping[str, Path], missing: str) -> Login:
    """The first credential there is: a variable that is set, or a file (shown as its key); else what is missing."""
    for variable in variables:
        if env.get(variable):
            return Login(True, variable)
    for shown, file in files.items():
        if file.is_file():
            return Login(True, shown)
    return Login(False, missing)


def xdg_folders(env: Mapping[str, str], home: Path) -> list[Path]:
    """Where programs keep configuration, data, state and caches of a user (XDG Base Directory Specification)."""
    places = {"CONFIG": ".config", "DATA": ".local/share", "STATE": ".local/state", "CACHE": ".cache"}
    return [Path(env.get(f"XDG_{name}_HOME") or home / place) for name, place in places.items()]


def unless_given(args: Sequence[str], *words: str, instead: Sequence[str] = ()) -> list[str]:
    """`words` (an option and perhaps its value), or nothing when `args` hold that option, or one of `instead`, already.

    Several programs refuse an option that is given twice, so what the user writes must replace waved's default.
    """
    names = (words[0], *instead)
    taken = any(argument == name or argument.startswith(name + "=") for argument in args for name in names)
    return [] if taken else list(words)
