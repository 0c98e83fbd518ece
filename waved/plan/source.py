"""Reading the text files a plan is made of, with errors a person can act upon."""

from __future__ import annotations

from pathlib import Path

from waved.errors import PlanError


def read_text(path: Path, longest: int, what: str) -> str:
    """The text of a UTF-8 file of at most `longest` bytes, line ends as they are, without a byte order mark.

    Raises PlanError saying what the matter is; `what` names the file's role ("plan", "prompt file").
    """
    try:
        if path.is_dir():
            raise PlanError(f"the {what} {path} is a folder", "name a file")
        with path.open("rb") as file:
            content = file.read(longest + 1)
    except FileNotFoundError:
        hint = "`wavectl plan new` writes one" if what == "plan" else "the path is relative to the plan"
        raise PlanError(f"there is no {what} {path}", hint) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PlanError(f"the {what} {path} cannot be read: {reason}") from None
    if len(content) > longest:
        raise PlanError(f"the {what} {path} is larger than {longest // 1024} KB", "is it the right file?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        found = f"byte 0x{content[error.start]:02x} in line {line}"
        raise PlanError(f"the {what} {path} is not UTF-8 text ({found})", "save it as UTF-8") from None
