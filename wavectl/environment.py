"""What agents get to see of the environment `wavectl` was called in.

Nothing is passed on that was not asked for: a short list that every program needs, what the agent program needs to
log in (its own globs, `waved.agents`), and what the plan's `env` tables name. Values travel beside the plan, never in
it: the plan is journalled, so what is written in it of values is taken out here (names stay).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from waved.errors import PlanError

BASE = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "XDG_*", "SSH_AUTH_SOCK",
    "http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO",
    "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "PYENV_ROOT", "NVM_DIR", "NVM_BIN", "JAVA_HOME",
    "CARGO_HOME", "RUSTUP_HOME", "GOPATH", "GOROOT", "NO_COLOR",
)  # fmt: skip
"""Names (globs) every agent gets: what programs need to find tools, user, language and network."""

PREVIEW, NOTIFY = "@preview", "@notify"
"""Where their values stand beside those of agents."""
_PLAIN = re.compile(r"\w+")
"""A pattern that only its own name matches."""
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
Values = dict[str, str]


def collect(
    plan: Mapping[str, Any], folder: Path, environ: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The plan without environment values, and the environment: `{base, session, agents: {AGENT: {…}}}`.

    `plan`: a plan as JSON (`wave` and `agent` lists, `env` tables); it is not changed. `folder`: what the plan's paths
    are relative to. Raises PlanError naming each file that cannot be read and each agent program that is unknown.
    """
    env = os.environ if environ is None else environ
    problems: list[str] = []
    stripped = dict(plan)
    session, stripped["session"] = _take_env(plan.get("session"), "session", folder, env, problems)
    agents: dict[str, Values] = {}
    if isinstance(plan.get("wave"), list):
        stripped["wave"] = [_take_wave(wave, folder, env, agents, problems) for wave in plan["wave"]]
    _take_guards(stripped, folder, env, agents, problems)
    if problems:
        raise PlanError("the environment the plan asks for cannot be collected", "", tuple(problems))
    environment = {"base": _matching(BASE, env), "session": session, "agents": agents}
    return stripped, environment


def _take_wave(
    wave: Any,  # noqa: ANN401 — JSON of any shape
    folder: Path,
    env: Mapping[str, str],
    agents: dict[str, Values],
    problems: list[str],
) -> Any:  # noqa: ANN401 — JSON of any shape
    if not isinstance(wave, dict) or not isinstance(wave.get("agent"), list):
        return wave  # of the wrong shape: the daemon says so, with the key
    kept = []
    for agent in wave["agent"]:
        name = str(agent.get("name", "")) if isinstance(agent, dict) else ""
        values, bare = _take_env(agent, f'agent "{name}"', folder, env, problems)
        if isinstance(agent, dict):
            # What the plan says goes before what the program is known to need.
            values = {**_program_values(agent, env, problems), **values}
        if values:
            agents[name] = values
        kept.append(bare)
    return {**wave, "agent": kept}


def _take_guards(
    plan: dict[str, Any], folder: Path, env: Mapping[str, str], agents: dict[str, Values], problems: list[str]
) -> None:
    """What the preview's server, responders and notifications see, each for itself; `plan` loses the values."""
    if isinstance(plan.get("preview"), dict):
        agents[PREVIEW], plan["preview"] = _take_env(plan["preview"], "preview", folder, env, problems)
    if isinstance(plan.get("responder"), list):
        plan["responder"] = _take_wave({"agent": plan["responder"]}, folder, env, agents, problems)["agent"]
    if isinstance(plan.get("notify"), list):
        agents[NOTIFY] = {}
        plan["notify"] = [_take_address(one, number, env, agents[NOTIFY]) for number, one in enumerate(plan["notify"])]
    for name in (PREVIEW, NOTIFY):
        if not agents.get(name, True):
            del agents[name]


def _take_address(notify: Any, number: int, env: Mapping[str, str], values: Values) -> Any:  # noqa: ANN401 — JSON
    """The table without what is secret in its address: that goes into `values`, under a name that stands for it.

    Names that are not in the environment stay, so that the daemon can say which they are.
    """
    url = notify.get("url") if isinstance(notify, dict) else None
    if not isinstance(url, str):
        return notify
    names = [first or second for first, second in _VARIABLE.findall(url)]
    known = {name: env[name] for name in names if name in env and _is_text(env[name])}
    scheme, separator, rest = url.partition("://")
    if not separator or len(known) < len(set(names)):
        values.update(known)
        return notify
    stands_for = f"WAVED_NOTIFY_{number + 1}"
    values[stands_for] = _VARIABLE.sub(lambda found: known[found[1] or found[2]], rest)
    return {**notify, "url": f"{scheme}://${stands_for}"}


def _program_values(agent: Mapping[str, Any], env: Mapping[str, str], problems: list[str]) -> Values:
    name = agent.get("use")
    if not isinstance(name, str) or name == "command":
        return {}
    from waved.agents.registry import find_program
    from waved.errors import WavedError

    try:
        return _matching(find_program(name).passes, env)
    except WavedError as error:
        problem = f'agent "{agent.get("name", "")}": {error.message}' + (f" ({error.hint})" if error.hint else "")
        problems.append(problem)
        return {}


def _take_env(
    table: object, owner: str, folder: Path, env: Mapping[str, str], problems: list[str]
) -> tuple[Values, Any]:
    """The values an `env` table stands for, and the table's owner without them."""
    owning: dict[str, Any] = table if isinstance(table, dict) else {}
    wanted = owning.get("env")
    if not isinstance(wanted, dict):
        return {}, table
    values = _matching([str(name) for name in wanted.get("pass") or ()], env)
    for name in wanted.get("files") or ():
        values.update(_dotenv(folder / str(name), owner, problems))
    for variable, name in dict(wanted.get("from_file") or {}).items():
        text = _read(folder / str(name), owner, problems)
        if text is not None:
            values[variable] = text.removesuffix("\n")
    bare: dict[str, Any] = {key: value for key, value in wanted.items() if key not in ("from_file", "files")}
    written = wanted.get("set")
    if isinstance(written, dict):
        values.update({variable: value for variable, value in written.items() if isinstance(value, str)})
        # Only values that are text are taken out: what is of the wrong shape stays, so that the daemon can name it.
        bare["set"] = {variable: "" if isinstance(value, str) else value for variable, value in written.items()}
    return values, {**owning, "env": bare}


def _matching(patterns: Iterable[str], env: Mapping[str, str]) -> Values:
    # Most are plain names: a pattern is compiled for each glob, which a command line that starts fast has no time for.
    names = set(patterns)
    globs = [name for name in names if not _PLAIN.fullmatch(name)]
    return {
        name: value
        for name, value in env.items()
        if (name in names or any(fnmatchcase(name, glob) for glob in globs)) and _is_text(name) and _is_text(value)
    }


def _is_text(value: str) -> bool:
    """False for bytes that are no UTF-8 (Python keeps them as lone surrogates): they cannot cross the wire."""
    return not any("\ud800" <= character <= "\udfff" for character in value) and "\0" not in value


def _read(path: Path, owner: str, problems: list[str]) -> str | None:
    try:
        text = path.expanduser().read_text(encoding="utf-8")
    except FileNotFoundError:
        problems.append(f"{path}: no such file (named in env of {owner})")
    except UnicodeDecodeError:
        problems.append(f"{path}: not UTF-8 text (named in env of {owner})")
    except OSError as error:
        problems.append(f"{path}: cannot be read: {error.strerror} (named in env of {owner})")
    else:
        if "\0" not in text:
            return text
        problems.append(f"{path}: holds a NUL byte, which no environment variable can (named in env of {owner})")
    return None


def _dotenv(path: Path, owner: str, problems: list[str]) -> Values:
    text = _read(path, owner, problems)
    if text is None:
        return {}
    from io import StringIO

    from dotenv import dotenv_values

    return {name: value for name, value in dotenv_values(stream=StringIO(text)).items() if value is not None}
