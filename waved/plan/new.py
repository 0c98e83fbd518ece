"""The templates `wavectl plan new` writes: commented plans to begin with."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from waved.errors import ConflictError, NotAllowedError, NotFoundError
from waved.plan.near import near

DEFAULT = "waves"


def template_names() -> list[str]:
    """The names of all templates, the default first."""
    files = resources.files("waved.plan").joinpath("templates").iterdir()
    names = sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))
    return sorted(names, key=lambda name: name != DEFAULT)


def template(name: str) -> str:
    """The text of a template; raises NotFoundError for an unknown name."""
    if name not in template_names():
        raise NotFoundError(
            f'no template "{name}"', near(name, template_names()) or f"templates: {', '.join(template_names())}"
        )
    return resources.files("waved.plan").joinpath("templates", f"{name}.toml").read_text(encoding="utf-8")


def write_template(name: str, path: Path) -> None:
    """Write a template to a file that does not exist yet.

    Raises ConflictError when it does, NotFoundError for an unknown template or folder, NotAllowedError when it cannot
    be written.
    """
    text = template(name)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConflictError(f"{path} exists; it was left as it is", "name another file") from None
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"there is no folder {path.parent}", "make it first") from None
    except OSError as error:
        raise NotAllowedError(f"{path} cannot be written: {error.strerror}") from None
