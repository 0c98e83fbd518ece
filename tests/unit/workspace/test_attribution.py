"""Whose doing a change is: nobody is accused where it cannot be told."""

from __future__ import annotations

import fnmatch

from hypothesis import given
from hypothesis import strategies as st

from waved.workspace.attribution import RECENT, Running, attribute, owns


def run(name: str, *owned: str) -> Running:
    return Running(name, f"run-{name}", owned, "execution", 0.0)


def test_an_agents_own_word_counts_most() -> None:
    running = [run("front", "client/**"), run("back", "server/**")]
    writer = attribute("client/a.ts", 100.0, {"back": 99.0}, running)
    assert (writer.assignment, writer.run, writer.how) == ("back", "run-back", "its own output says so")


def test_its_word_is_about_writes_near_it_and_only_while_it_runs() -> None:
    running = [run("front", "client/**"), run("back", "server/**")]
    assert attribute("client/a.ts", 100.0, {"back": 99.0 - RECENT}, running).assignment == "front"
    assert attribute("client/a.ts", 100.0, {"back": 101.0}, running).assignment == "back"
    assert attribute("client/a.ts", 100.0, {"gone": 100.0}, running).assignment == "front"


def test_of_two_who_say_so_the_one_nearer_in_time_is_meant() -> None:
    running = [run("front"), run("back")]
    assert attribute("a", 100.0, {"front": 95.0, "back": 99.5}, running).assignment == "back"


def test_the_owner_then_the_only_one_then_nobody() -> None:
    front, back, free = run("front", "client"), run("back", "server/**"), run("free")
    assert attribute("client/deep/a.ts", 1.0, {}, [front, back, free]).how == "it owns the path"
    assert attribute("docs/a.md", 1.0, {}, [front]).how == "no other agent ran"
    assert attribute("docs/a.md", 1.0, {}, [front, back, free]).assignment == "free"
    assert attribute("docs/a.md", 1.0, {}, [front, back]).assignment == ""
    assert attribute("docs/a.md", 1.0, {}, []).how == "no agent ran"
    assert attribute("x/a", 1.0, {}, [run("one", "x/**"), run("two", "x/*"), free]).assignment == ""


_NAMES = st.sampled_from(["a", "b", "ab", ".x", "c d"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=4).map("/".join)


@given(_PATHS, st.lists(st.tuples(_NAMES, st.lists(_PATHS, max_size=2)), unique_by=lambda pair: pair[0], max_size=4))
def test_only_who_runs_is_named_and_the_order_does_not_matter(path: str, agents: list[tuple[str, list[str]]]) -> None:
    running = [run(name, *owned) for name, owned in agents]
    writer = attribute(path, 1.0, {}, running)
    assert writer.assignment in {"", *(each.assignment for each in running)}
    assert writer.how
    assert attribute(path, 1.0, {}, running[::-1]) == writer
    owners = [each for each in running if owns(each.owns, path)]
    if len(owners) == 1:
        assert writer.assignment == owners[0].assignment
    if len(owners) > 1 and len(running) > 1:
        assert writer.assignment == ""


@given(_PATHS, _PATHS)
def test_a_plain_pattern_owns_itself_and_all_below(pattern: str, path: str) -> None:
    assert owns([pattern], path) == (path == pattern or path.startswith(pattern + "/"))


@given(st.sampled_from(["*", "a*", "?", "*b"]), _NAMES)
def test_wildcards_in_one_segment_match_as_fnmatch_does(pattern: str, name: str) -> None:
    assert owns([pattern], name) == fnmatch.fnmatchcase(name, pattern)
