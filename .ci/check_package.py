"""Builds the wheel and compares it with the tree: every tracked file of `waved` and `wavectl` must be in it, and each
manual page.

An editable install, which the tests run on, would never notice a template or marker that the wheel leaves out.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def tracked_files() -> list[str]:
    """The files git knows and that exist, relative to the checkout; those of a linked folder as files of their own."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], check=True, capture_output=True, text=True)
    names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]
    linked = [name for name in names if (ROOT / name).is_dir()]
    found = [name for name in names if name not in linked]
    for link in linked:
        target = (ROOT / link).resolve().relative_to(ROOT)
        found += [f"{link}/{Path(name).relative_to(target)}" for name in names if Path(name).is_relative_to(target)]
    return found


def wheel_files(tracked: list[str]) -> set[str]:
    """The files of a wheel built from a copy of the tracked files: a `build/` of old would be packed as well."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        for name in tracked:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
        subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, str(copy)], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            return set(archive.namelist())


def main() -> int:
    """Exit status 1 when a file is missing."""
    tracked = tracked_files()
    ours = {name for name in tracked if name.startswith(("waved/", "wavectl/"))}
    built = wheel_files(tracked)
    missing = sorted(ours - built)
    for name in missing:
        hint = "see [tool.setuptools.package-data] in pyproject.toml"
        print(f"error: {name} is not in the wheel; {hint}", file=sys.stderr)
    licensed = any(name.endswith("/LICENSE") for name in built)
    if not licensed:
        print("error: LICENSE is not in the wheel", file=sys.stderr)
    pages = [name for name in tracked if Path(name).parent == Path("docs/man") and name[-1].isdigit()]
    unread = [
        name for name in pages if not any(packed.endswith(f"man{name[-1]}/{Path(name).name}") for packed in built)
    ]
    for name in unread:
        print(f"error: {name} is not in the wheel; see [tool.setuptools.data-files]", file=sys.stderr)
    print(f"{len(ours) - len(missing)} of {len(ours)} files of waved and wavectl are in the wheel")
    return 1 if missing or unread or not licensed else 0


if __name__ == "__main__":
    sys.exit(main())
