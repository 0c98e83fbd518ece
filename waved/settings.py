"""The daemon's configuration file: what `/etc/waved/waved.toml` or `~/.config/waved/waved.toml` may say.

One file counts, none is merged with another: `--config`, `$WAVED_CONFIG`, `waved.toml` in `$CONFIGURATION_DIRECTORY`
(set by the units), else in `$XDG_CONFIG_HOME/waved`. A file that is not there says nothing. The reference with all
keys is in docs/operations.md, "Configuration file".
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from waved.config import is_address
from waved.errors import ConfigError, PlanError
from waved.plan import shape
from waved.plan.base import Model
from waved.plan.locate import Locator, show
from waved.plan.quantities import Duration, OutputLimit, Size, Word
from waved.plan.source import read_text

NAME = "waved.toml"
_LONGEST = 256 * 1024


class LogSettings(Model):
    """The `[log]` table."""

    file: Word = ""
    """Write the log here instead of to stderr, which systemd keeps in its journal. An absolute path."""
    max_size: OutputLimit = 50 * 1024 * 1024
    """With `file`: a larger log is renamed to `FILE.1`, and a new one begun."""
    keep: int = Field(default=5, ge=0, le=1000)
    """With `file`: so many older logs are kept, `FILE.1` being the newest."""
    level: Literal["info", "warning", "error"] = "info"
    """The least that is logged: `info` has every event."""

    @field_validator("file")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if value and not value.startswith("/"):
            raise ValueError("must be an absolute path: the daemon's working folder is /")
        return value


@dataclass(frozen=True, slots=True)
class Listen:
    """Where an HTTP endpoint is: a unix socket, or an address."""

    path: Path | None = None
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        return str(self.path) if self.path is not None else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.path is not None or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False  # a name may mean any address


def listen_at(text: str) -> Listen:
    """What "/run/waved/metrics.sock", "127.0.0.1:9417" or "[::1]:9417" says. Raises ValueError for anything else."""
    if text.startswith("/"):
        return Listen(Path(text))
    found = _HOST_AND_PORT.fullmatch(text)
    if found is None or not 0 < int(found[2]) < 65536:
        raise ValueError('must be an absolute path of a socket, or HOST:PORT as "127.0.0.1:9417"')
    return Listen(host=found[1].strip("[]"), port=int(found[2]))


_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+):(\d{1,5})")
_URL = re.compile(r"https?://[^\s/@]+(/\S*)?")


class MetricsSettings(Model):
    """The `[metrics]` table."""

    listen: Word = ""
    """Answer `GET /metrics` (Prometheus) here: a unix socket's path, or an address of this machine."""
    public: bool = False
    """Let `listen` be an address that other machines can reach: they are asked for nothing."""

    @model_validator(mode="after")
    def _local(self) -> MetricsSettings:
        if self.listen and not listen_at(self.listen).is_local and not self.public:
            raise ValueError(
                f"listen: other machines may reach {self.listen}; a loopback address or a socket is expected, "
                "or `public = true`"
            )
        return self


class TracesSettings(Model):
    """The `[traces]` table."""

    endpoint: Word = ""
    """Send a trace of each session that has ended to this OpenTelemetry collector (OTLP over HTTP)."""

    @field_validator("endpoint")
    @classmethod
    def _url(cls, value: str) -> str:
        if value and not _URL.fullmatch(value):
            raise ValueError('must be an address as "http://127.0.0.1:4318", without user and password')
        return value


class RetentionSettings(Model):
    """The `[retention]` table: which sessions that have ended are pruned by themselves. Without a key, none ever is."""

    max_age: Duration | None = None
    """Those that ended longer ago than this."""
    max_sessions: int | None = Field(default=None, ge=0, le=1_000_000)
    """All but so many, the newest."""
    max_size: Size | None = None
    """The oldest, as long as all together take more than this (folders and events, without snapshots)."""


class Settings(Model):
    """The whole file."""

    on_stop: Literal["stop", "detach"] = "stop"
    """What becomes of sessions when the daemon is told to stop: end them, or leave their agents running."""
    socket_group: Word = ""
    """A group whose members may use the control socket (mode 0660); without it only the daemon's own user may."""
    listen: Word = ""
    """Serve authorised clients over TCP at this address as well ("tcp://127.0.0.1:7417"); see `wavectl keys`."""
    log: LogSettings = Field(default_factory=LogSettings)
    """Where the log goes."""
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    """Figures for Prometheus; off by default."""
    traces: TracesSettings = Field(default_factory=TracesSettings)
    """Traces for OpenTelemetry; off by default."""
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    """How long past sessions are kept."""

    @field_validator("listen")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not is_address(value):
            raise ValueError('must be an address as "tcp://127.0.0.1:7417", with a port')
        return value


def find(environ: Mapping[str, str] | None = None) -> Path:
    """Where the configuration file is looked for when none is named."""
    env = os.environ if environ is None else environ
    if env.get("WAVED_CONFIG"):
        return Path(env["WAVED_CONFIG"]).absolute()
    folder = env.get("CONFIGURATION_DIRECTORY", "").partition(":")[0]
    if folder:
        return Path(folder) / NAME
    home = Path(env.get("HOME") or "~").expanduser()
    return Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "waved" / NAME


def load(path: Path, *, required: bool = False) -> Settings:
    """The settings of a file; the defaults when there is none (and it is not `required`).

    Raises ConfigError that lists every mistake with file, line and key.
    """
    if not required and not path.exists():
        return Settings()
    try:
        source = read_text(path, _LONGEST, what="configuration file")
        data = tomllib.loads(source)
    except PlanError as error:
        raise ConfigError(error.message) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        locator = Locator(source)
        found = [
            f"{path}:{locator.line(each.where)}: {show(each.where)}: {each.message}"
            + (f" ({each.hint})" if each.hint else "")
            for each in shape.problems(error, Settings)
        ]
        raise ConfigError("; ".join(found), "docs/operations.md has all keys") from None
