"""Templates: what they may say, what an agent receives, and errors that name the line."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waved.errors import PlanError
from waved.plan.prompts import check, compose, render

CONTEXT = {
    "session": {"name": "s", "id": "s-1", "folder": "docs/session"},
    "wave": {"name": "w", "index": 0},
    "agent": {"name": "a", "domain": "d", "owns": ["x/**"], "produces": [], "program": "claude"},
    "attempt": 1,
    "tasks": [],
    "failure": "",
    "vars": {"items": "mine"},
    "workspace": "/w",
    "results": [{"assignment": "r", "agent": "r", "wave": "v", "outcome": "succeeded", "produced": ["p.md"]}],
}


@given(st.text(st.characters(exclude_characters="{\r")))
def test_text_without_braces_stays_as_it_is(text):
    assert check(text) is None
    assert render(text, CONTEXT) == text


def test_every_variable_of_the_documentation_is_there():
    template = """{{ session.name }} {{ session.id }} {{ session.folder }} {{ wave.name }} {{ wave.index }}
{{ agent.name }} {{ agent.domain }} {{ agent.owns | join }} {{ agent.produces | join }} {{ agent.program }}
{{ attempt }} {{ failure }}
{% for task in tasks %}{{ task.name }}{% endfor %}{{ workspace }} {{ vars.items }}
{% for result in results %}{{ result.produced | join }}{% endfor %}
"""
    assert check(template, ["items"]) is None
    assert render(template, CONTEXT) == "s s-1 docs/session w 0\na d x/**  claude\n1 \n/w mine\np.md\n"


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("a\nb {{ sesion.name }}", 'line 2 of the template: "sesion" is unknown; did you mean "session"?'),
        ("\n\n{{ session.nam }}", 'line 3 of the template: "session.nam" is unknown; did you mean "name"?'),
        ('{{ agent["domian"] }}', '"agent.domian" is unknown; did you mean "domain"?'),
        ("{{ vars.itms }}", '"vars.itms" is unknown; did you mean "items"?'),
        ("x\n{{ name", "line 2 of the template: unexpected end of template"),
        ("{% if attempt %}", "line 1 of the template"),
        ("{{ attempt | shout }}", "No filter named 'shout'"),
        ("{% include 'other' %}", "other templates cannot be included"),
        ("{{" + "(" * 5000, "nested too deeply"),
        ("x" * 1_100_000, "longer than 1048576 characters"),
    ],
)
def test_what_is_wrong_is_found_before_anything_runs(template, told):
    assert told in (check(template, ["items"]) or "")


@pytest.mark.parametrize(
    "template",
    [
        "{% for agent in results %}{{ agent.wave }}{% endfor %}",
        "{% set wave = attempt %}{{ wave.x is defined }}",
        "{{ vars.more | default('none') }}",
        "{% if vars.more is defined %}x{% endif %}",
    ],
)
def test_what_is_right_is_not_complained_of(template):
    assert check(template, ["items"]) is None


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("a\n{{ sesion }}", 'line 2 of the template: "sesion" is unknown; did you mean "session"?'),
        ("{{ session['nam'] }}", 'line 1 of the template: nothing here is called "nam"; did you mean "name"?'),
        ("\n{{ results[7].agent }}", "line 2 of the template: "),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ workspace.__class__.__mro__ }}", "unsafe"),
        ("{{ range(10 ** 9) | list }}", "Range too big"),
        ("{{ x", "line 1 of the template"),
    ],
)
def test_errors_while_rendering_name_the_line(template, told):
    with pytest.raises(PlanError) as caught:
        render(template, CONTEXT)
    assert told in caught.value.message


def test_a_word_of_a_command_line_may_name_the_whole_prompt():
    assert check("--message={{ prompt }}", word=True) is None
    assert '"prompt" is unknown' in (check("{{ prompt }}") or "")


TASKS = [
    {"name": "t1", "domain": "d", "prompt": "Mend {{ vars.items }}.\n"},
    {"name": "t2", "domain": None, "prompt": ""},
]


class TestCompose:
    def test_everything_in_order(self):
        text = compose(
            instructions=["Be {{ agent.name }}.", "", "In {{ wave.name }}."],
            prompt="Go\n",
            tasks=TASKS,
            context=CONTEXT,
            failure="",
        )
        assert text == "Be a.\n\nIn w.\n\nGo\n\n# Your 2 tasks\n\n## 1. t1 (d)\n\nMend mine.\n\n## 2. t2\n"

    def test_why_the_last_attempt_failed_is_told_once(self):
        context = {**CONTEXT, "attempt": 2}
        told = compose(instructions=[], prompt="Go", tasks=[], context=context, failure="tests: 2 of 9 failed\n")
        assert told.startswith("Go\n\n# This is attempt 2: the one before failed\n\ntests: 2 of 9 failed\n")
        used = compose(
            instructions=[],
            prompt="{% if failure %}Again: {{ failure }}{% endif %}",
            tasks=[],
            context=context,
            failure="x",
        )
        assert used == "Again: x\n"

    def test_the_failure_itself_is_no_template(self):
        told = compose(instructions=[], prompt="Go", tasks=[], context=CONTEXT, failure="{{ 1 / 0 }} {% if")
        assert "{{ 1 / 0 }} {% if" in told

    def test_a_prompt_that_lists_the_tasks_gets_no_second_list(self):
        prompt = "{% for task in tasks %}{{ task.name }}: {{ task.prompt }};{% endfor %}"
        assert (
            compose(instructions=[], prompt=prompt, tasks=TASKS, context=CONTEXT, failure="")
            == "t1: Mend mine.;t2: ;\n"
        )
        counted = compose(instructions=[], prompt="{{ tasks | length }}", tasks=TASKS, context=CONTEXT, failure="")
        assert "## 1. t1" in counted

    def test_an_error_names_the_part(self):
        with pytest.raises(PlanError, match='the prompt of task "t": line 1 of the template'):
            compose(instructions=[], prompt="", tasks=[{"name": "t", "prompt": "{{ x }}"}], context=CONTEXT, failure="")
        with pytest.raises(PlanError, match="the instructions: line 1"):
            compose(instructions=["{{ x }}"], prompt="", tasks=[], context=CONTEXT, failure="")

    @given(st.text(st.characters(exclude_characters="\r")))
    def test_a_failure_text_of_any_kind_arrives(self, failure):
        told = compose(instructions=[], prompt="Go", tasks=[], context=CONTEXT, failure=failure)
        assert failure.strip() in told


def test_workers_import_neither_pydantic_nor_the_models():
    heavy = "m.startswith('pydantic') or m == 'waved.plan.models'"
    code = f"import sys, waved.plan.prompts; print([m for m in sys.modules if {heavy}])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
