"""Advice: each kind where it is right, and none where it is not."""

import time
from pathlib import Path
from typing import Any

import pytest

from waved.plan.lint import lint
from waved.plan.load import load_plan
from waved.plan.models import Plan
from waved.plan.new import template, template_names


def agent(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "use": "claude", "prompt": "Do it.", "timeout": "10m", **more}


def plan(*waves: dict[str, Any], **session: Any) -> Plan:
    numbered = [{"name": f"w{number}", **wave} for number, wave in enumerate(waves)]
    return Plan.model_validate({"session": {"name": "s", **session}, "wave": numbered})


def kinds(made: Plan) -> list[str]:
    return [advice.kind for advice in lint(made)]


THREE = [agent(name, owns=[f"{name}/**"], expect="5m") for name in ("front", "back", "data")]


class TestOneByOne:
    def test_a_wave_that_could_run_together(self):
        [advice] = lint(plan({"agent": THREE, "parallel": False}))
        assert (advice.kind, advice.seconds_saved) == ("sequential-wave", 600)
        assert advice.where == ("wave", 0, "parallel")
        assert "saves about 10m" in str(advice)

    def test_a_session_that_could_run_together(self):
        [advice] = lint(plan({"agent": THREE}, {"agent": [agent("x", owns=["x/"])]}, parallel=False))
        assert (advice.kind, advice.seconds_saved) == ("sequential-session", 600)

    def test_agents_that_share_something_may_take_turns(self):
        assert kinds(plan({"agent": [agent("a", owns=["x/**"]), agent("b", owns=["x/y.md"])], "parallel": False})) == []
        mentions = [agent("a", produces=["docs/api.md"]), agent("b", prompt="Read docs/api.md first.")]
        assert kinds(plan({"agent": mentions, "parallel": False})) == []

    def test_too_few_places(self):
        [advice] = lint(plan({"agent": THREE}, max_parallel=2))
        assert (advice.kind, advice.seconds_saved) == ("few-places", 300)
        assert "set max_parallel to 3" in advice.hint
        assert kinds(plan({"agent": THREE}, max_parallel=3)) == []

    def test_a_wait_for_an_agent_one_shares_nothing_with(self):
        [advice] = lint(plan({"agent": [THREE[0], {**THREE[1], "needs": ["front"]}]}))
        assert (advice.kind, advice.seconds_saved) == ("needless-wait", 300)
        assert advice.where == ("wave", 0, "agent", 1, "needs", 0)

    @pytest.mark.parametrize(
        "second",
        [
            {"prompt": "Use what front wrote."},
            {"prompt": "Read front/api.ts."},
            {"prompt": "{% for r in results %}{{ r.agent }}{% endfor %}"},
            {"owns": ["front/x"]},
            {"owns": []},
        ],
    )
    def test_a_wait_that_may_have_its_reason(self, second):
        assert kinds(plan({"agent": [THREE[0], {**THREE[1], "needs": ["front"], **second}]})) == []

    def test_waves_of_one_agent_each(self):
        [advice] = lint(plan(*({"agent": [each]} for each in THREE)))
        assert (advice.kind, advice.seconds_saved) == ("lonely-waves", 600)
        assert 'the waves "w0", "w1", "w2"' in advice.message

    def test_waves_that_are_held_apart_by_a_gate_or_by_what_they_share(self):
        gated = {"agent": [THREE[0]], "gate": {"commands": [["make"]]}}
        assert kinds(plan(gated, {"agent": [THREE[1]]})) == []
        assert kinds(plan({"agent": [THREE[0]]}, {"agent": [agent("x", prompt="Test front/")]})) == []
        assert kinds(plan({"agent": [agent("build")]}, {"agent": [agent("deploy")]})) == []


class TestTogether:
    def test_paths_that_two_own(self):
        [advice] = lint(plan({"agent": [agent("a", owns=["src/**"]), agent("b", owns=["lib/*", "**/*.tsx"])]}))
        assert advice.kind == "shared-paths"
        assert '"src/**" and "**/*.tsx"' in advice.message

    def test_a_folder_owns_what_is_in_it(self):
        assert kinds(plan({"agent": [agent("a", owns=["src"]), agent("b", owns=["src/x.ts"])]})) == ["shared-paths"]

    def test_owners_that_never_meet(self):
        two = [agent("a", owns=["src/**"]), agent("b", owns=["src/**"], needs=["a"])]
        assert kinds(plan({"agent": two})) == []
        assert kinds(plan({"agent": [two[0]]}, {"agent": [agent("b", owns=["src/**"])]})) == []
        assert kinds(plan({"agent": [two[0], agent("b", owns=["src/**"])], "parallel": False})) == []

    @pytest.mark.parametrize(
        "reader",
        [
            {"prompt": "Build the endpoints on db/schema.sql."},
            {"prompt": "See `db/` for the tables."},
            {"use": None, "command": ["psql", "-f", "db/schema.sql"], "prompt": ""},
            {"use": None, "command": "cat ./db/schema.sql | wc", "prompt": ""},
            {"args": ["--add-dir", "db/"]},
        ],
    )
    def test_what_another_makes_at_the_same_time(self, reader):
        made = [agent("data", produces=["db/schema.sql"]), agent("back", **reader)]
        [advice] = lint(plan({"agent": made}))
        assert advice.kind == "reads-unfinished"
        assert 'needs = ["data"]' in advice.hint
        assert kinds(plan({"agent": [made[0], {**made[1], "needs": ["data"]}]})) == []

    def test_a_task_that_names_it_counts_too(self):
        wave = {
            "agent": [agent("data", owns=["db/**"]), agent("back", domain="api")],
            "task": [{"name": "t", "domain": "api", "prompt": "Query db/tables.py."}],
        }
        assert kinds(plan(wave)) == ["reads-unfinished"]

    @pytest.mark.parametrize(
        "prompt",
        [
            "Do not touch db/schema.sql.",
            "Leave db/ alone.",
            "See https://example.org/db/schema.sql and/or ask.",
            "{{ agent.owns }} db is not a path",
            "Change mine/x.sql only.",
        ],
    )
    def test_what_is_not_read_at_all(self, prompt):
        made = [agent("data", owns=["db/**", "**/*"][:1]), agent("back", prompt=prompt, owns=["mine/**"])]
        assert kinds(plan({"agent": made})) == []


class TestSettings:
    @pytest.mark.parametrize(
        ("more", "kind"),
        [
            ({"timeout": None}, "no-timeout"),
            ({"expect": "20m"}, "short-timeout"),
            ({"backoff": "5s"}, "no-retries"),
            ({"gate": {"on_failure": "retry", "retries": 0}}, "no-retries"),
            ({"gate": {"retries": 2}}, "no-retries"),
            ({"gate": {"commands": [{"run": "x", "min_pass_rate": 0.9}]}}, "no-junit"),
            ({"gate": {"commands": [["echo", "{{ agent.name }}"]]}}, "not-a-template"),
            ({"use": None, "command": "echo {{ agent.name }}"}, "not-a-template"),
            ({"owns": ["src/**"], "produces": ["docs/x.md"]}, "not-owned"),
        ],
    )
    def test_what_does_nothing_is_pointed_out(self, more, kind):
        assert kinds(plan({"agent": [agent("a", **more)]})) == [kind]

    @pytest.mark.parametrize(
        "more",
        [
            {"use": None, "command": "docker ps --format '{{.Names}} {{range .Ports}}x{{end}}'"},
            {"use": None, "command": ["echo", "{{ agent.name }}"]},
            {"owns": ["docs/**"], "produces": ["docs/x.md"]},
            {"backoff": "5s", "retries": 1},
        ],
    )
    def test_what_is_right_is_not(self, more):
        assert kinds(plan({"agent": [agent("a", **more)]})) == []

    def test_a_timeout_the_wave_never_lets_come(self):
        assert kinds(plan({"agent": [agent("a")], "timeout": "5m"})) == ["long-timeout"]


def test_a_wrong_plan_gets_problems_and_no_advice():
    assert lint(plan({"agent": [agent("a", needs=["b"], timeout=None)]})) == []


@pytest.mark.parametrize("name", template_names())
def test_the_templates_need_no_advice(name, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(template(name))
    assert load_plan(path).advice() == []


def test_the_example_needs_no_advice():
    example = Path(__file__).parents[3] / "docs" / "examples" / "parallel-deployment.toml"
    loaded = load_plan(example)
    assert loaded.advice() == []
    assert [len(wave.agents) for wave in loaded.plan.waves] == [3, 3, 3]


def test_hundreds_of_agents_are_judged_at_once():
    many = [agent(f"a{n}", prompt=f"Read src/m{n}/x.py.", owns=[f"docs/s{n}/**", f"src/m{n}/**"]) for n in range(300)]
    made = plan({"agent": [*many, agent("last", prompt="Read src/m7/x.py.")]})
    started = time.process_time()
    assert [advice.where for advice in lint(made)] == [("wave", 0, "agent", 300)]
    assert time.process_time() - started < 5, "pairs that cannot meet must not be compared in full"


class TestSandbox:
    def test_a_model_out_of_reach(self):
        [advice] = lint(plan({"agent": [agent("a")]}, sandbox={"network": False}))
        assert (advice.kind, advice.where) == ("no-network", ("wave", 0, "agent", 0, "sandbox"))

    def test_a_command_needs_no_network_and_an_agent_may_have_its_own_sandbox(self):
        command = {"name": "c", "command": ["true"], "timeout": "1m"}
        agents = [command, agent("a", sandbox="none"), agent("b", sandbox="workspace")]
        assert lint(plan({"agent": agents}, sandbox={"network": False})) == []
