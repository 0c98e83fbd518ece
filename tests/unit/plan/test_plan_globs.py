"""Path patterns: what matches is what is found, nothing leads outside, and overlap never says no wrongly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waved.errors import PlanError
from waved.plan.globs import find, matches, overlap, problem

segments = st.text(st.sampled_from("ab.*?"), min_size=1, max_size=4).filter(
    lambda text: text not in (".", "..") and "**" not in text
)
patterns = st.lists(
    st.one_of(segments, st.sampled_from(["**", "[ab]", "[!a]*", "{a,b}", "{a,b/c}.a"])), min_size=1, max_size=4
).map("/".join)
paths = st.lists(
    st.text(st.sampled_from("abc."), min_size=1, max_size=3).filter(lambda text: text not in (".", "..")),
    min_size=1,
    max_size=4,
).map("/".join)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    for name in ("a", "b", "ab", ".a", "aa/a", "aa/b", "aa/.b/a", "aa/.b/b", "ba/ab/aa/b", "ba/c.a", "c/a", "c/b.a"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    return root


def every_file(root):
    return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]


@given(patterns)
def test_what_is_found_is_what_matches(tree, pattern):
    assert find(tree, [pattern], 1000) == sorted(path for path in every_file(tree) if matches(pattern, path))


@given(patterns, patterns, paths)
def test_patterns_that_match_one_path_overlap(first, second, path):
    assert not (matches(first, path) and matches(second, path)) or overlap(first, second)
    assert overlap(first, second) == overlap(second, first)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("client/**", "**/*.tsx", True),
        ("client/**", "server/**", False),
        ("a/*.ts", "a/*.tsx", False),
        ("a/[ab]c", "a/[!a]c", True),
        ("a/[ab]c", "a/cc", False),
        ("a/[[:alpha:]]", "a/b", True),
        ("a/x*", "a/*y", True),
        ("src/{a,b}/**", "src/c/**", False),
        ("src/{a,b}/**", "src/b/x", True),
        ("docs/", "docs/a/b.md", True),
        ("./docs/*", "docs/a.md", True),
        (r"a\*", "ab", False),
    ],
)
def test_overlap(first, second, expected):
    assert overlap(first, second) is expected


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("docs/**/*.md", "docs/a.md", True),
        ("docs/**/*.md", "docs/x/.y/a.md", True),
        ("docs/{a,b}/*.md", "docs/b/x.md", True),
        ("docs/*.md", "docs/x/a.md", False),
        ("docs/", "docs/x/a.md", True),
        ("*", ".hidden", True),
        ("[!a]", "b", True),
        ("a.md", "a.md\n", False),
    ],
)
def test_matches(pattern, path, expected):
    assert matches(pattern, path) is expected


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("", "is empty"),
        ("/etc/*", "is an absolute path"),
        ("{/etc,b}/x", "is an absolute path"),
        ("a/../b", "leads outside"),
        ("{a,..}/b", "leads outside"),
        ("{1..1000000}", "more than 1000 patterns"),
        ("{a,b}" * 40, "more than 1000 patterns"),
        ("a\0", "NUL"),
        ("x" * 5000, "longer than 4096"),
        ("*a" * 30, 'more than 8 "*"'),
    ],
)
def test_patterns_that_cannot_be_used(tmp_path, pattern, told):
    assert told in (problem(pattern) or "")
    for use in (lambda: matches(pattern, "a"), lambda: find(tmp_path, [pattern], 1), lambda: overlap(pattern, "a")):
        with pytest.raises(PlanError):
            use()


def test_links_never_lead_outside(tmp_path):
    outside, root = tmp_path / "outside", tmp_path / "root"
    for folder in (outside, root, root / "real"):
        folder.mkdir()
        (folder / "secret.md").write_text("x")
    (root / "folder").symlink_to(outside)
    (root / "loop").symlink_to(root)
    (root / "out.md").symlink_to(outside / "secret.md")
    (root / "in.md").symlink_to(root / "real" / "secret.md")
    (root / "broken.md").symlink_to(root / "nowhere")
    assert find(root, ["**/*.md", "folder/*.md", "loop/real/*.md"], 100) == ["in.md", "real/secret.md", "secret.md"]


def test_gits_own_folder_counts_only_when_named(tmp_path):
    (tmp_path / ".git" / "hooks").mkdir(parents=True)
    (tmp_path / ".git" / "hooks" / "a.md").write_text("x")
    assert find(tmp_path, ["**/*.md"], 10) == []
    assert find(tmp_path, [".git/hooks/*.md"], 10) == [".git/hooks/a.md"]


def test_the_limit_holds_and_what_is_missing_is_nothing(tree):
    assert len(find(tree, ["**/*"], 3)) == 3
    assert find(tree, ["none/here/*.md"], 3) == []
    assert find(tree / "missing", ["*"], 3) == []


def test_odd_names_are_found_as_they_are(tmp_path):
    for name in ("a b.md", "ü.md", "new\nline.md", "[x].md"):
        (tmp_path / name).write_text("x")
    assert find(tmp_path, ["*.md"], 10) == sorted(["a b.md", "ü.md", "new\nline.md", "[x].md"])
