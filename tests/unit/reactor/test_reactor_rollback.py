"""What goes back to what."""

from __future__ import annotations

from waved.reactor.rollback import chosen, good_version, of_agent
from waved.workspace.records import Label, Snapshot, Version


def snapshot(name: str, time: float) -> Snapshot:
    """One that is known by its time."""
    return Snapshot(name, name, time, Label("x"))


FIRST = snapshot("s1", 10.0)


def version(name: str, time: float, blob: str) -> Version:
    """A version of a file; its content is its name."""
    return Version(snapshot(name, time), blob, 0o100644)


def choose(*versions: Version) -> str:
    """Which snapshot the newest good version is in; good is what begins so."""
    return good_version(versions, FIRST, str.encode, lambda data: data.startswith(b"good")).id


def test_the_newest_good_version_comes_back() -> None:
    assert choose(version("s4", 40, "bad"), version("s3", 30, "good 2"), version("s1", 10, "good 1")) == "s3"


def test_what_the_session_began_with_is_the_oldest_there_is() -> None:
    assert choose(version("s4", 40, "bad"), version("old", 5, "good"), version("older", 2, "good 0")) == "s1"
    assert choose(version("s4", 40, "bad"), version("old", 5, "bad too"), version("older", 2, "good 0")) == "s1"


def test_a_file_that_was_never_good_goes_where_it_came_from() -> None:
    assert choose(version("s4", 40, "bad"), version("s3", 30, "bad 0")) == "s1"


def test_a_version_in_which_it_was_removed_is_passed_over() -> None:
    assert choose(version("s4", 40, "bad"), version("s3", 30, ""), version("s2", 20, "good")) == "s2"


def test_an_agent_s_files_are_those_it_owns_and_those_it_wrote_last() -> None:
    writers = {"src/theirs.ts": "other", "docs/mine.md": "me"}
    changed = ["src/a.ts", "src/theirs.ts", "docs/mine.md", "docs/told.md", "docs/x.md", "app/[id].tsx"]
    found = of_agent(changed, ["app/**"], {"docs/told.md", "src/theirs.ts"}, lambda path: writers.get(path, ""), "me")
    assert found == ["docs/mine.md", "docs/told.md", "app/[id].tsx"]


def test_a_person_names_files_folders_and_patterns() -> None:
    changed = ["src/a.ts", "src/b/c.ts", "srcs/d.ts", "e.md"]
    assert chosen(changed, ["src"]) == ["src/a.ts", "src/b/c.ts"]
    assert chosen(changed, ["src/b/", "*.md"]) == ["src/b/c.ts", "e.md"]
    assert chosen(changed, ["**/*.ts"]) == ["src/a.ts", "src/b/c.ts", "srcs/d.ts"]
