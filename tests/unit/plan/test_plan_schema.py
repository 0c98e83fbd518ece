"""The JSON schema accepts what waved accepts, and refuses what it refuses; docs/plan.md is what the models say."""

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from plan_writing import plans

from waved.plan import guards, models
from waved.plan.new import template, template_names
from waved.plan.reference import reference, with_keys
from waved.plan.schema import json_schema

DOCS = Path(__file__).parents[3] / "docs"
VALIDATOR = jsonschema.Draft202012Validator(json_schema())
GOOD = {"session": {"name": "s"}, "wave": [{"name": "w", "agent": [{"name": "a", "command": ["true"]}]}]}


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(json_schema())


@given(plans())
def test_every_plan_is_valid(plan):
    VALIDATOR.validate(plan)


@pytest.mark.parametrize("name", template_names())
def test_the_templates_are_valid(name):
    VALIDATOR.validate(tomllib.loads(template(name)))


@pytest.mark.parametrize(
    "more",
    [
        {"timout": 1},
        {"timeout": "10 minuts"},
        {"retries": "3"},
        {"produces": [5]},
        {"gate": {"on_failure": "x"}},
        {"name": "a b"},
    ],
)
def test_mistakes_are_refused(more):
    agent = {"name": "a", "command": ["true"], **more}
    assert not VALIDATOR.is_valid({"session": {"name": "s"}, "wave": [{"name": "w", "agent": [agent]}]})
    assert VALIDATOR.is_valid(GOOD)


def test_keys_are_those_of_the_file_and_each_is_explained():
    schema = json_schema()
    assert {"wave", "session", "snapshots", "preview", "monitor", "responder", "goals", "notify", "report"} == schema[
        "properties"
    ].keys()
    assert "pass" in schema["$defs"]["Environment"]["properties"]
    assert {"agent", "task"} <= schema["$defs"]["Wave"]["properties"].keys()
    for name, table in schema["$defs"].items():
        assert table.get("description"), name
        for key, value in table["properties"].items():
            assert value.get("description"), f"{name}.{key}"
    assert "null" not in re.findall(r'"type": "(\w+)"', json.dumps(schema))


def test_the_reference_page_is_what_the_models_say():
    assert (DOCS / "plan.md").read_text(encoding="utf-8") == reference(), (
        "python -m waved.plan.reference > docs/plan.md"
    )


@pytest.mark.parametrize("kind", guards.SHIPPED_KINDS)
def test_the_page_of_each_monitor_has_its_keys(kind):
    page = (DOCS / "monitors" / f"{kind}.md").read_text(encoding="utf-8")
    assert page == with_keys(page), "python -m waved.plan.reference docs/monitors/*.md"
    for key in guards.model_of(kind).model_fields:
        assert key == "kind" or f"\n| `{key}` |" in page


def test_the_reference_page_has_every_key():
    page = reference()
    for model in (
        models.SessionSettings,
        models.Wave,
        models.Agent,
        models.Task,
        models.Gate,
        models.Check,
        models.Output,
    ):
        for name, field in model.model_fields.items():
            assert f"| `{field.alias or name}` |" in page
