"""What all tables of a plan are made of: the base model, command lines, environments."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from waved.plan.quantities import VariableName, Word


def _command_line(value: object) -> object:
    """One clear message in place of one for each half of the union."""
    words = [word for word in (value if isinstance(value, list) else [value]) if isinstance(word, str)]
    if not isinstance(value, str) and (not isinstance(value, list) or len(words) != len(value)):
        raise ValueError('must be a list of words (["pytest", "-q"]) or one string, which the shell runs')
    if any("\0" in word for word in words):
        raise ValueError("holds a NUL character, which no program can be given")
    if not words or not words[0].strip():
        raise ValueError("is empty; name the program to run")
    return value


CommandLine = Annotated[str | list[str], BeforeValidator(_command_line)]
"""A list is executed as it is; a string is run by the shell."""


class Model(BaseModel):
    """Base of every table: unknown keys are errors, types are exact, values do not change after loading."""

    # strict: TOML has types, so `parallel = "no"` is a mistake to point out, not something to guess at.
    # populate_by_name: in Python one writes `Plan(waves=…)`; in a plan file only `[[wave]]` is read.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Environment(Model):
    """What of the environment an agent sees. Values never enter the journal; only names do."""

    pass_: list[str] = Field(default_factory=list, alias="pass")
    """Names (globs such as "AWS_*") passed through from the environment `wavectl` was called in."""
    set: dict[VariableName, Word] = Field(default_factory=dict)
    """Variables set to a value written here."""
    from_file: dict[VariableName, Word] = Field(default_factory=dict)
    """Variables whose value is the content of a file (one trailing newline removed)."""
    files: list[Word] = Field(default_factory=list)
    """`.env` files to read variables from."""
    secrets: list[str] = Field(default_factory=list)
    """Names (globs) whose values are masked in log, journal and errors whatever they look like (security.md)."""
