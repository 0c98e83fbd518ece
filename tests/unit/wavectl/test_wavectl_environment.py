"""What is let through to agents, and that no value stays in the plan."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavectl.environment import collect
from wavectl.submission import from_agents
from wavectl.toml import to_toml
from waved.errors import PlanError

ENVIRON = {
    "PATH": "/bin", "HOME": "/home/me", "LC_ALL": "C", "https_proxy": "http://proxy", "XDG_CONFIG_HOME": "/c",
    "SECRET": "s3cret", "AWS_KEY": "k", "AWS_REGION": "r", "ANTHROPIC_API_KEY": "sk",
}  # fmt: skip


def plan(session: dict[str, Any] | None = None, **agent: Any) -> dict[str, Any]:
    table = {"name": "a", "command": "true", **agent}
    return {
        "session": {"name": "s", **({"env": session} if session else {})},
        "wave": [{"name": "w", "agent": [table]}],
    }


def test_only_the_base_passes_when_nothing_is_asked_for(tmp_path: Path) -> None:
    given_plan = plan()
    stripped, environment = collect(given_plan, tmp_path, ENVIRON)
    assert stripped == given_plan
    assert set(environment["base"]) == {"PATH", "HOME", "LC_ALL", "https_proxy", "XDG_CONFIG_HOME"}
    assert environment["session"] == {}
    assert environment["agents"] == {}


def test_pass_set_from_file_and_files(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("line\n")
    (tmp_path / ".env").write_text("# note\nexport A=1\nB='two words'\nAWS_REGION=file\n")
    session = {"pass": ["AWS_*"], "files": [".env"], "from_file": {"TOKEN": "token"}, "set": {"A": "over"}}
    stripped, environment = collect(plan(session), tmp_path, ENVIRON)
    assert environment["session"] == {
        "AWS_KEY": "k", "AWS_REGION": "file", "A": "over", "B": "two words", "TOKEN": "line",
    }  # fmt: skip
    assert stripped["session"]["env"] == {"pass": ["AWS_*"], "set": {"A": ""}}
    assert session["set"] == {"A": "over"}, "what was given is not changed"


def test_an_agent_program_gets_what_it_needs_to_log_in(tmp_path: Path) -> None:
    pytest.importorskip("waved.agents.registry")
    _, environment = collect(plan(use="claude", command=None), tmp_path, ENVIRON)
    assert environment["agents"] == {"a": {"ANTHROPIC_API_KEY": "sk"}}


def test_every_missing_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\0")
    session = {"files": ["one.env"], "from_file": {"X": "two", "Y": "binary"}}
    with pytest.raises(PlanError) as raised:
        collect(plan(session, env={"files": ["three.env"]}), tmp_path, ENVIRON)
    problems = "\n".join(raised.value.problems)
    assert len(raised.value.problems) == 4
    for name in ("one.env: no such file", "two: no such file", "three.env: no such file", "binary: not UTF-8"):
        assert str(tmp_path / name) in problems
    assert 'agent "a"' in problems


def test_values_that_cannot_cross_the_wire_are_left_out(tmp_path: Path) -> None:
    _, environment = collect(plan({"pass": ["BAD", "GOOD"]}), tmp_path, {"BAD": "\udcff", "GOOD": "ü"})
    assert environment["session"] == {"GOOD": "ü"}


texts = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=20)


@given(values=st.dictionaries(st.from_regex(r"[A-Z_]{1,8}", fullmatch=True), texts.map("secret-".__add__), max_size=5))
def test_no_written_value_stays_in_the_plan(values: dict[str, str]) -> None:
    stripped, environment = collect(plan({"set": values}, env={"set": values}), Path("/"), {})
    assert "secret-" not in repr(stripped)
    assert environment["session"] == values
    assert environment["agents"].get("a", {}) == values


@given(
    st.recursive(
        texts | st.booleans() | st.integers(-(2**62), 2**62),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=8,
    ),
    st.lists(st.dictionaries(texts.filter(bool), texts, max_size=3), max_size=3),
)
def test_a_deployed_plan_is_kept_as_toml_that_says_the_same(value: Any, agents: list[dict[str, str]]) -> None:
    whole = {"session": {"name": "x", "any": value}, "wave": [{"name": "w", "gate": {"k": value}, "agent": agents}]}
    expected = {**whole, "wave": [{**whole["wave"][0]}]}
    if not agents:
        del expected["wave"][0]["agent"]
    assert tomllib.loads(to_toml(whole)) == expected


def test_a_workspace_that_is_none_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    agents = [{"name": "a", "command": "true"}]
    with pytest.raises(PlanError, match="does not exist"):
        from_agents(agents, workspace=tmp_path / "none")
    with pytest.raises(PlanError, match="is not a folder"):
        from_agents(agents, workspace=tmp_path / "file")
    with pytest.raises(PlanError, match="no agents"):
        from_agents([])
    with pytest.raises(PlanError, match="cannot read prompt_file"):
        from_agents([{"name": "a", "use": "claude", "prompt_file": str(tmp_path / "none")}])


def test_addresses_of_services_do_not_travel_in_the_plan(tmp_path):
    plan = {
        "session": {"name": "x"},
        "notify": [
            {"url": "slack://hunter2/$CHANNEL"},
            {"url": "$WHOLE"},
            {"url": "mailto://$NOBODY"},
            {"command": "x"},
        ],
        "preview": {"command": "serve", "url": "http://x", "env": {"set": {"KEY": "hunter3"}}},
        "responder": [{"name": "r", "command": "fix", "env": {"set": {"KEY": "hunter4"}}}],
    }
    bare, environment = collect(plan, tmp_path, {"CHANNEL": "dev", "WHOLE": "json://hunter5", "OTHER": "y"})
    assert "hunter" not in str(bare)
    assert [one.get("url") for one in bare["notify"]] == ["slack://$WAVED_NOTIFY_1", "$WHOLE", "mailto://$NOBODY", None]
    assert environment["agents"] == {
        "@notify": {"WAVED_NOTIFY_1": "hunter2/dev", "WHOLE": "json://hunter5"},
        "@preview": {"KEY": "hunter3"},
        "r": {"KEY": "hunter4"},
    }
