"""Random trees and random changes: a restore brings back every byte, and every bit of the permissions."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.workspace.conftest import tree
from waved.workspace.records import SnapshotLimits
from waved.workspace.shadow import Shadow

NAMES = st.one_of(
    st.sampled_from([b"a", b"b", b"a.b", b"A", b"-x", b" ", b"a\nb", b'"', b"\\", b"*", b":x", b"\xff\xfe", b"a-"]),
    st.binary(min_size=1, max_size=6),
).filter(
    lambda name: (
        not set(name) & {0, 0x2F}
        and name not in (b".", b"..")
        and name.lower() not in (b".git", b".gitmodules", b".gitignore")
    )
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(b"/".join)
CONTENTS = st.one_of(st.sampled_from([b"", b"x\r\n", b"$Id$\n"]), st.binary(max_size=200))
FILES = st.tuples(CONTENTS, st.sampled_from([0o644, 0o755, 0o600, 0o700, 0o664, 0o444, 0o777, 0o640]))
ENTRIES = st.one_of(FILES, st.binary(min_size=1, max_size=20).filter(lambda target: 0 not in target))
TREES = st.dictionaries(PATHS, ENTRIES, max_size=12)
STEPS = st.lists(st.tuples(PATHS, st.one_of(st.none(), ENTRIES)), max_size=12)


def clear(path: bytes) -> None:
    if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114 — bytes
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)  # noqa: PTH108 — bytes


def put(root: Path, path: bytes, entry: tuple[bytes, int] | bytes | None) -> None:
    """Make the path what `entry` says, whatever is there, as an agent would."""
    place = os.fsencode(root)
    parts = path.split(b"/")
    for part in parts[:-1]:
        place += b"/" + part
        if not os.path.lexists(place) or not stat.S_ISDIR(os.lstat(place).st_mode):
            if entry is None:
                return
            clear(place)
            os.mkdir(place)  # noqa: PTH102 — bytes
    place += b"/" + parts[-1]
    clear(place)
    if isinstance(entry, bytes):
        os.symlink(entry, place)  # noqa: PTH211 — bytes
    elif entry is not None:
        with open(place, "wb") as file:  # noqa: PTH123 — bytes
            file.write(entry[0])
        os.chmod(place, entry[1])  # noqa: PTH101 — bytes


@given(told=st.booleans(), before=TREES, steps=STEPS, more=STEPS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_round_trip(told: bool, before: dict[bytes, tuple[bytes, int] | bytes], steps: list, more: list) -> None:
    folder = Path(tempfile.mkdtemp(prefix="waved-t-"))
    try:
        root = folder / "ws"
        root.mkdir()
        for path, entry in before.items():
            put(root, path, entry)
        shadow = Shadow.open(folder / "state", root, SnapshotLimits(min_free=0))
        first, was_first = shadow.take("first"), tree(root)
        for path, entry in steps:
            put(root, path, entry)
        names = [os.fsdecode(path) for path, _ in steps]
        second, was_second = shadow.take("second", names if told else None), tree(root)
        assert not shadow.take("nothing was missed").new
        assert {change.path for change in shadow.changed(first, second)} <= {
            os.fsdecode(path) for path in {**was_first, **was_second}
        }
        for path, entry in more:
            put(root, path, entry)
        was_third = tree(root)
        done = shadow.restore(second, None)
        assert done.failed == []
        assert tree(root) == was_second
        assert shadow.restore(first, None).failed == []
        assert tree(root) == was_first
        assert shadow.restore(done.present, None).failed == []
        assert tree(root) == was_third
    finally:
        shutil.rmtree(folder)
