"""What the feed knows: said against a plain dictionary."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from waved.workspace.known import Change, Known

_PATHS = st.sampled_from(["a", "b", "d/a", "d/b", "d/e/a", "f/a"])
_STEPS = st.lists(st.tuples(_PATHS, st.one_of(st.none(), st.integers(0, 3)), st.booleans()), max_size=40)


@given(_STEPS)
def test_it_says_what_a_dictionary_would(steps: list[tuple[str, int | None, bool]]) -> None:
    known, model = Known(), dict[str, int]()
    for path, stamp, certain in steps:
        before = model.get(path)
        change = known.note(path, stamp, certain=certain)
        if stamp is None:
            model.pop(path, None)
            assert change == (None if before is None else Change(path, "removed"))
        else:
            model[path] = stamp
            if before is None:
                assert change == Change(path, "added")
            else:
                assert change == (Change(path, "modified") if certain or before != stamp else None)
        assert len(known) == len(model)
        assert all(known.has(each) for each in model)


def test_files_of_a_folder_that_is_gone_are_removed_or_replaced() -> None:
    known = Known()
    for path in ("d/a", "d/b"):
        known.note(path, 1, certain=False)
    assert sorted(known.drop_folder("d", remember=True)) == ["d/a", "d/b"]
    assert not known.has_folder("d")
    assert known.note("d/a", None, certain=True) == Change("d/a", "removed")
    known.add_folder("d")
    assert known.note("d/b", 1, certain=True) == Change("d/b", "modified")


def test_below_is_the_folder_and_what_is_in_it_not_what_begins_alike() -> None:
    known = Known()
    for folder in ("", "d", "d/e", "dx"):
        known.add_folder(folder)
    assert known.below("d") == ["d", "d/e"]
    assert known.below("nothing") == []
    assert sorted(known.below("")) == ["", "d", "d/e", "dx"]
