"""Names and sizes as a person reads them in a detail: what agents write never reaches a terminal or the wire raw."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_NAME = 200
"""Characters of one file or test name."""


def shown(name: str) -> str:
    """A name in one printable line: control characters and bytes that are no UTF-8 escaped, shortened in the middle."""
    if len(name) > 2 * LONGEST_NAME:
        # Before anything looks at each character: a test's name may have megabytes.
        name = name[:LONGEST_NAME] + name[-LONGEST_NAME:]
    text = name.encode("utf-8", "backslashreplace").decode()
    if not text.isprintable():
        text = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    if len(text) > LONGEST_NAME:
        half = LONGEST_NAME // 2
        text = f"{text[: half - 1]}…{text[-half:]}"
    return text


def some(names: Sequence[str], total: int = 0, limit: int = 3) -> str:
    """The first few of many: "a, b, c and 12 more"; `total` says how many there are when `names` are not all."""
    listed = ", ".join(shown(name) for name in names[:limit])
    more = max(total, len(names)) - min(limit, len(names))
    return f"{listed} and {more} more" if more > 0 else listed


def count(number: int, noun: str) -> str:
    """ "1 file", "3 files"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def size(number: int) -> str:
    """Bytes as "12 bytes", "1.5 KB", "3 GB" (powers of 1024, as plans write them)."""
    if number < 1024:
        return count(number, "byte")
    amount = float(number)
    for unit in ("KB", "MB", "GB"):
        amount /= 1024
        if amount < 1024:
            return f"{amount:.1f}".removesuffix(".0") + f" {unit}"
    return f"{amount / 1024:.1f}".removesuffix(".0") + " TB"
