"""The JSON schema of a plan file, for editors that complete and check TOML (requirement O2)."""

from __future__ import annotations

import re
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import ModelSchema

from waved.plan.described import described
from waved.plan.models import Plan

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SOURCE = re.compile(r" \(requirements? [A-Z]\d[^)]*\)")


def json_schema() -> dict[str, Any]:
    """The schema as a JSON document, with the keys as they stand in a plan file (`wave`, `agent`, `task`, `pass`)."""
    schema = Plan.model_json_schema(by_alias=True, mode="validation", schema_generator=_Described)
    return {"$schema": DIALECT, **_for_toml(schema), "title": "waved plan"}


class _Described(GenerateJsonSchema):
    """With what each key means."""

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        """The schema of one table."""
        made = super().model_schema(schema)
        model = schema["cls"]
        for name, text in described(model).items():
            made["properties"][model.model_fields[name].alias or name]["description"] = text
        return made


def without_sources(text: str) -> str:
    """A docstring without the ids of the requirements it rests on, which mean nothing to a user."""
    return _SOURCE.sub("", text)


def _for_toml(schema: Any) -> Any:  # noqa: ANN401 — any part of a JSON schema
    """The schema without null, which TOML does not have, and without what only developers need."""
    if isinstance(schema, list):
        return [_for_toml(each) for each in schema if each != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _for_toml(value) for key, value in schema.items() if (key, value) != ("default", None)}
    if isinstance(kept.get("description"), str):
        kept["description"] = without_sources(kept["description"])
    alternatives = kept.get("anyOf")
    if isinstance(alternatives, list) and len(alternatives) == 1:
        del kept["anyOf"]
        kept = {**alternatives[0], **kept}
    return kept
