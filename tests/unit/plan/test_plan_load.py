"""Loading a plan: what is right comes through, what is wrong is told with file, line, key and what to do."""

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_writing import Writer, plans

from waved.errors import PlanError
from waved.plan.load import examine, load_plan, plan_from_json, plan_to_json
from waved.plan.models import Plan

GOOD = """\
[session]
name = "s"

[[wave]]
name = "w"

[[wave.agent]]
name = "a"
command = ["true"]
"""


def problems_of(folder: Path, text: str | bytes) -> list[str]:
    path = folder / "plan.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PlanError) as caught:
        load_plan(path)
    assert caught.value.exit_status == 65
    assert f"{len(caught.value.problems)} problem" in caught.value.message
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def test_a_good_plan_is_loaded(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(GOOD)
    loaded = load_plan(path)
    assert loaded.plan.waves[0].agents[0].command == ["true"]
    assert (loaded.path, loaded.source) == (path, GOOD)


@given(plans(), st.integers(0, 2**32))
def test_what_is_written_is_what_is_loaded(tmp_path_factory, plan, seed):
    path = tmp_path_factory.mktemp("plan") / "plan.toml"
    path.write_bytes(Writer(seed).write(plan).encode())
    loaded, problems = examine(path)
    if loaded is None:
        # Random requirements may wait for each other, which is not this test's subject.
        assert all("wait" in str(problem) for problem in problems)
    else:
        assert loaded.plan == Plan.model_validate(plan)
        assert plan_from_json(json.loads(json.dumps(plan_to_json(loaded.plan)))) == loaded.plan


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "timout = 5",
            'plan.toml:10: wave[0].agent[0].timout: unknown key; did you mean "timeout"? (allowed: name, use',
        ),
        (
            'timeout = "10 minuts"',
            'plan.toml:10: wave[0].agent[0].timeout: "10 minuts" is not a duration; write it as "90s"',
        ),
        ("timeout = -5", "plan.toml:10: wave[0].agent[0].timeout: must be greater than 0; found -5"),
        ("timeout = inf", "timeout: is longer than a year"),
        ("timeout = nan", "timeout: is longer than a year"),
        ("timeout = true", "timeout: must be a duration"),
        ("retries = 1.5", "retries: must be a whole number; found 1.5"),
        ('retries = "3"', 'retries: must be a whole number; found "3"'),
        ("retries = 101", "retries: must be at most 100; found 101"),
        ('critical = "no"', 'critical: must be true or false; found "no"'),
        ("prompt = 5", "prompt: must be text in quotes"),
        ('owns = "docs/**"', "owns: must be a list: [ … ]; found"),
        ('owns = ["/etc/*"]', 'wave[0].agent[0].owns[0]: "/etc/*" is an absolute path'),
        ('owns = ["a/../../b"]', 'owns[0]: "a/../../b" leads outside'),
        ('owns = ["{1..1000000}"]', "stand for more than 1000 patterns"),
        ('produces = [{ path = "x", min_size = "2 apples" }]', '"2 apples" is not a size'),
        ("produces = [5]", "produces[0]: must be a table"),
        ('needs = ["b"]', 'wave[0].agent[0].needs[0]: no agent "b" in this plan (agents of this plan: a)'),
        ('needs = ["a"]', 'agent "a" waits for itself'),
        (
            'gate = { on_failure = "rety" }',
            'must be one of "retry", "rollback", "continue", "stop"; found "rety" (did you mean "retry"?)',
        ),
        ("gate = { commands = [[]] }", "gate.commands[0].run: is empty; name the program to run"),
        ("gate = { commands = [5] }", "gate.commands[0]: must be a table"),
        (
            'gate = { commands = [{ run = ["x"], agents = ["b"] }] }',
            'gate.commands[0].agents[0]: no agent "b" in this wave',
        ),
        (
            'prompt = "{{ sesion.name }}"',
            'plan.toml:10: wave[0].agent[0].prompt: line 1 of the template: "sesion" is unknown',
        ),
        ('prompt = "{{ vars.x }}"', '"vars.x" is unknown'),
        ('prompt = "{% if %}"', "wave[0].agent[0].prompt: line 1 of the template"),
        ('prompt_file = "none.md"', "plan.toml:10: wave[0].agent[0].prompt_file: there is no prompt file none.md"),
        ('prompt = "x"\nprompt_file = "y"', "give either `prompt` or `prompt_file`, not both"),
        ('use = "claude"', '`command` belongs to `use = "command"`, not to `use = "claude"`'),
        ("env = { set = { TOKEN = 5 } }", "env.set.TOKEN: must be text in quotes"),
        ('env = { set = { "A=B" = "x" } }', "env.set"),
        ('args = ["{{ agent.nam }}"]', 'args[0]: line 1 of the template: "agent.nam" is unknown'),
        ('args = ["a\\u0000b"]', "args[0]: holds a NUL character"),
    ],
)
def test_one_mistake_is_told_where_it_stands(tmp_path, line, told):
    problems = problems_of(tmp_path, GOOD + line + "\n")
    assert len(problems) == 1, problems
    assert told in problems[0]
    assert problems[0].startswith("plan.toml:")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "plan.toml: the plan is empty"),
        ("  \n\n", "the plan is empty"),
        ("# nothing\n", "there is no [session] table"),
        ("a = \n", "plan.toml:1:5: not TOML: Invalid value"),
        (
            "[session]\nname = s\n",
            'plan.toml:2:8: not TOML: Invalid value in: name = s (text needs quotes: key = "value")',
        ),
        ("[wave]\n[[wave]]\n", "[[wave]], with two brackets"),
        ("a = [1,\n", "plan.toml:1:"),
        (b"\xff\xfe[\x00s\x00", "is not UTF-8 text (byte 0xff in line 1) (save it as UTF-8)"),
        ("a = " + "[" * 5000 + "]" * 5000, "cannot be read"),
        ("a = " + "1" * 5000, "cannot be read"),
        ("[session]\nname = 's'\n", "there is no [[wave]]"),
        ("[session]\nname = 's'\n[[wave]]\nname = 'w'\n", "plan.toml:3: wave[0].agent: this wave has no agent"),
        (GOOD + "[[waves]]\nname = 'x'\n", 'plan.toml:10: waves: unknown key; did you mean "wave"?'),
        (GOOD.replace('"a"', '"my agent"'), '"my agent" is not a name (names are letters'),
        (GOOD + "use = 'x\x01'\n", "not TOML: Found invalid character"),
        ("x" * (4 * 1024 * 1024 + 1), "is larger than 4096 KB"),
    ],
)
def test_files_that_are_no_plan(tmp_path, text, told):
    problems = problems_of(tmp_path, text)
    assert any(told in problem for problem in problems), problems


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path):
    text = (
        GOOD.replace('name = "s"', 'name = "s"\ntimout = "1m"') + 'timeout = "soon"\n[[wave.agent]]\nuse = "claude"\n'
    )
    lines = [problem.partition(": ")[0] for problem in problems_of(tmp_path, text)]
    assert lines == ["plan.toml:3", "plan.toml:11", "plan.toml:12"]


def test_no_more_problems_than_help(tmp_path):
    problems = problems_of(tmp_path, GOOD + "owns = [" + "5," * 500 + "]\n")
    assert len(problems) == 51
    assert "and 450 more problems" in problems[-1]


def test_folders_and_missing_files(tmp_path):
    for path, told in (
        (tmp_path, "is a folder"),
        (tmp_path / "x.toml", "there is no plan"),
        (Path("a\0b"), "cannot be read"),
    ):
        with pytest.raises(PlanError) as caught:
            load_plan(path)
        assert told in caught.value.problems[0]


def test_a_byte_order_mark_does_no_harm(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load_plan(path).plan.session.name == "s"


def test_values_of_variables_are_never_shown(tmp_path):
    problems = problems_of(tmp_path, GOOD + 'env = { set = { TOKEN = ["hunter2"] } }\n')
    assert "hunter2" not in "".join(problems)


class TestPromptFiles:
    def test_they_are_read_relative_to_the_plan(self, tmp_path):
        (tmp_path / "prompts").mkdir()
        (tmp_path / "prompts" / "a.md").write_text("Do {{ agent.name }}.\n")
        (tmp_path / "all.md").write_text("Be brief.")
        path = tmp_path / "plan.toml"
        task = '[[wave.task]]\nname = "t"\nagent = "a"\nprompt_file = "prompts/a.md"\n'
        text = GOOD.replace('name = "s"', 'name = "s"\ninstructions_file = "all.md"')
        path.write_text(text + 'prompt_file = "prompts/a.md"\n' + task)
        plan = load_plan(path).plan
        assert plan.waves[0].agents[0].prompt == plan.waves[0].tasks[0].prompt == "Do {{ agent.name }}.\n"
        assert plan.session.instructions == "Be brief."
        assert "_file" not in json.dumps(plan_to_json(plan))

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (b"a\nb\n{{ nam }}\n", "plan.toml:10: wave[0].agent[0].prompt_file: a.md: line 3 of the template"),
            (b"", "a.md is empty"),
            (b"\xff", "a.md is not UTF-8 text"),
            (b"a\0b", "NUL"),
            (b"x" * (1024 * 1024 + 1), "a.md is larger than 1024 KB"),
        ],
    )
    def test_what_is_wrong_in_one_is_told_at_its_key(self, tmp_path, content, told):
        (tmp_path / "a.md").write_bytes(content)
        problems = problems_of(tmp_path, GOOD + 'prompt_file = "a.md"\n')
        assert len(problems) == 1
        assert told in problems[0]

    def test_a_folder_is_no_prompt(self, tmp_path):
        assert "is a folder" in problems_of(tmp_path, GOOD + 'prompt_file = "."\n')[0]


class TestVariables:
    def test_they_replace_and_add(self, tmp_path):
        path = tmp_path / "plan.toml"
        path.write_text(
            GOOD + 'prompt = "{{ vars.a }}{{ vars.b }}"\n[session.vars]\na = "1"\n'.replace("[session", "[session")
        )
        assert examine(path)[0] is None
        assert load_plan(path, {"b": "2", "a": "3"}).plan.session.vars == {"a": "3", "b": "2"}


class TestFromJson:
    def test_a_plan_is_read_by_its_keys_or_its_names(self):
        data = tomllib.loads(GOOD)
        by_names = {"session": data["session"], "waves": [{"name": "w", "agents": data["wave"][0]["agent"]}]}
        assert plan_from_json(data) == plan_from_json(by_names)

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"session": None}, "session: must be a table"),
            ({"wave": []}, "wave: is empty"),
            ({"wave": {"x": 1}}, "wave: must be a list"),
            ({"more": 1}, "more: unknown key"),
            ({"session": {"name": "s", "instructions_file": "/etc/passwd"}}, "files are read by the client"),
            ({"session": {"name": "s", "instructions": "{{ x }}"}}, "session.instructions: line 1"),
            ({"session": {"name": "s", "min_free_disk": 10**400}}, "is larger than any file"),
            ({"session": {"name": "s", "min_free_disk": "9" * 400}}, "is larger than any file"),
            ({"session": {"name": "s", "timeout": 10**400}}, "longer than a year"),
            ({"session": {"name": "s", "timeout": "9" * 400 + "h"}}, "longer than a year"),
            ({"session": {"name": "s" * 10**6}}, "is not a name"),
        ],
    )
    def test_what_a_client_sends_is_never_trusted(self, change, told):
        with pytest.raises(PlanError) as caught:
            plan_from_json({**tomllib.loads(GOOD), **change})
        assert told in caught.value.message
        assert len(caught.value.message) < 500

    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda each: (
                st.lists(each)
                | st.dictionaries(
                    st.sampled_from(
                        ["session", "wave", "agent", "task", "name", "gate", "env", "set", "commands", "x"]
                    ),
                    each,
                )
            ),
        )
    )
    def test_no_shape_brings_another_error(self, data):
        with pytest.raises(PlanError):
            plan_from_json(data)
