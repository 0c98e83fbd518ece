"""`wavectl plan`: exit statuses, JSON, what is drawn, and that nothing is ever overwritten."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from waved.plan.new import template, template_names

GOOD = '[session]\nname = "s"\ntimeout = "1h"\n[[wave]]\nname = "w"\n[[wave.agent]]\nname = "a"\ncommand = ["true"]\n'
ADVISED = GOOD.replace('timeout = "1h"\n', "")
WRONG = GOOD + 'timout = "1m"\n'


def wavectl(*arguments: str | Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from wavectl.cli import main; main()", "plan", *map(str, arguments)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "80", **environment}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=env, timeout=60, check=False)


@pytest.fixture
def folder(tmp_path):
    for name, text in (("good", GOOD), ("advised", ADVISED), ("wrong", WRONG)):
        (tmp_path / f"{name}.toml").write_text(text)
    return tmp_path


class TestCheck:
    @pytest.mark.parametrize(
        ("arguments", "status"),
        [
            (["good.toml"], 0),
            (["advised.toml"], 0),
            (["advised.toml", "--strict"], 65),
            (["good.toml", "--strict"], 0),
            (["good.toml", "wrong.toml"], 65),
            (["missing.toml"], 65),
            ([], 2),
        ],
    )
    def test_exit_statuses(self, folder, arguments, status):
        ran = wavectl("check", *arguments, folder=folder)
        assert (ran.returncode, "Traceback" in ran.stderr) == (status, False), ran

    def test_what_is_said(self, folder):
        ran = wavectl("check", "good.toml", "advised.toml", "wrong.toml", folder=folder)
        good, advice, advised, wrong = ran.stdout.splitlines()
        assert good == "ok good.toml: 1 wave, 1 agent"
        assert advice.startswith('advice advised.toml:5: wave[0].agent[0]: nothing ends "a" if it hangs')
        assert advised == "ok advised.toml: 1 wave, 1 agent"
        assert wrong.startswith('error wrong.toml:9: wave[0].agent[0].timout: unknown key; did you mean "timeout"?')

    def test_as_json(self, folder):
        ran = wavectl("check", "--json", "advised.toml", "wrong.toml", folder=folder)
        advised, wrong = json.loads(ran.stdout)["plans"]
        assert (advised["ok"], advised["problems"], advised["advice"][0]["kind"]) == (True, [], "no-timeout")
        assert (wrong["ok"], wrong["problems"][0]["line"], wrong["problems"][0]["key"]) == (
            False,
            9,
            "wave[0].agent[0].timout",
        )

    def test_a_program_nobody_has_is_advice(self, folder):
        (folder / "x.toml").write_text(GOOD.replace('command = ["true"]', 'use = "claud"\nprompt = "x"'))
        ran = wavectl("check", "x.toml", folder=folder)
        assert ran.returncode == 0
        assert 'no agent program "claud" is installed here (did you mean "claude"?)' in ran.stdout


class TestShow:
    def test_it_fits_80_columns_without_colour(self, folder):
        (folder / "waves.toml").write_text(template("waves"))
        ran = wavectl("show", "waves.toml", folder=folder)
        assert ran.returncode == 0
        lines = ran.stdout.splitlines()
        assert max(map(len, lines)) <= 80
        assert "\x1b" not in ran.stdout
        assert "    └▶ backend-architect/api        claude" in lines
        assert "       └▶ frontend-architect/pages  claude · and after frontend-architect" in lines
        assert "one after another  52m" in lines
        assert "in parallel  27m  48% faster" in lines

    def test_as_json(self, folder):
        (folder / "waves.toml").write_text(template("waves"))
        shown = json.loads(wavectl("show", "waves.toml", "--json", folder=folder).stdout)
        assert (shown["sequential_seconds"], shown["parallel_seconds"]) == (52 * 60, 27 * 60)
        by_key = {each["key"]: each for wave in shown["waves"] for each in wave["assignments"]}
        assert by_key["backend-architect/api"]["requires"] == ["database-specialist"]

    def test_a_wrong_plan(self, folder):
        ran = wavectl("show", "wrong.toml", folder=folder)
        assert ran.returncode == 65
        assert "wrong.toml:9: wave[0].agent[0].timout" in ran.stderr


class TestNew:
    @pytest.mark.parametrize("name", template_names())
    def test_what_is_written_is_right(self, folder, name):
        assert wavectl("new", "--template", name, "new.toml", folder=folder).returncode == 0
        assert wavectl("check", "--strict", "new.toml", folder=folder).returncode == 0

    def test_the_default_has_the_three_waves(self, folder):
        assert wavectl("new", folder=folder).returncode == 0
        waves = tomllib.loads((folder / "plan.toml").read_text())["wave"]
        assert [wave["name"] for wave in waves] == ["research", "execution", "quality"]

    def test_nothing_is_overwritten(self, folder):
        ran = wavectl("new", "good.toml", folder=folder)
        assert ran.returncode == 1
        assert "good.toml exists; it was left as it is" in ran.stderr
        assert (folder / "good.toml").read_text() == GOOD

    def test_what_cannot_be_written_or_does_not_exist(self, folder):
        assert wavectl("new", "none/x.toml", folder=folder).returncode == 66
        ran = wavectl("new", "--template", "minimall", "x.toml", folder=folder)
        assert (ran.returncode, (folder / "x.toml").exists()) == (66, False)
        assert 'did you mean "minimal"?' in ran.stderr

    def test_a_dash_prints_it(self, folder):
        assert wavectl("new", "-", folder=folder).stdout == template("waves")


def test_the_schema_is_printed(folder):
    assert json.loads(wavectl("schema", folder=folder).stdout)["title"] == "waved plan"


def test_the_command_is_imported_without_its_weight():
    heavy = ("pydantic", "rich", "jinja2", "wcmatch")
    code = f"import sys, wavectl.commands.plan; print([m for m in {heavy} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
