"""The sources of the code that folds, as they are on disk. Imports none of them: it is asked before they are, too."""

from __future__ import annotations

import hashlib
from pathlib import Path

import waved

_FOLDING = ("version.py", "domain", "plan")


def digest() -> str:
    """A digest of every source file that has a part in what events add up to. Raises OSError when none is there."""
    root = Path(waved.__file__).parent
    files = sorted(path for name in _FOLDING for path in (root / name, *(root / name).rglob("*.py")) if path.is_file())
    found = hashlib.blake2b(digest_size=16)
    for path in files:
        content = path.read_bytes()
        found.update(f"{path.relative_to(root)} {len(content)}\n".encode() + content)
    if not files:
        raise FileNotFoundError(2, "the sources of waved are not there", str(root))
    return found.hexdigest()
