"""Near matches: what somebody most likely meant by a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable


def near(name: str, known: Iterable[str]) -> str:
    """'did you mean "timeout"?' for a name close to a known one; "" when none is close."""
    from difflib import get_close_matches

    by_fold = {each.casefold().replace("-", "_"): each for each in known}
    close = get_close_matches(name[:100].casefold().replace("-", "_"), list(by_fold), n=1, cutoff=0.6)
    return f'did you mean "{by_fold[close[0]]}"?' if close else ""
