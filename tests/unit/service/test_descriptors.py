"""How many descriptors are left is counted, holes and all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from waved import descriptors


@pytest.mark.parametrize("kernel", ["tells", "does not tell"])
def test_those_above_a_hole_count(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kernel == "does not tell":
        monkeypatch.setattr(os, "stat", lambda _: os.stat_result((0,) * 10))
    before = descriptors.descriptors_left()
    opened = [os.open("/", os.O_PATH) for _ in range(20)]
    try:
        os.close(opened.pop(0))  # the lowest is free again; a daemon that forked workers has many such holes
        assert descriptors.descriptors_left() == before - 19
    finally:
        for each in opened:
            os.close(each)
    assert descriptors.descriptors_left() == before
    assert descriptors.limit() - before == len(list(Path("/proc/self/fd").iterdir())) - 1
