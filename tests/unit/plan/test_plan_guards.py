"""What is wrong with a plan's guards, said with its place (requirements M1–M8, R1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from waved.plan.load import examine

BASE = """\
[session]
name = "s"

[[wave]]
name = "w"

[[wave.agent]]
name = "api"
command = ["true"]
"""


def problems(tmp_path: Path, more: str) -> list[str]:
    path = tmp_path / "plan.toml"
    path.write_text(BASE + more)
    return [str(each).removeprefix(f"{path}:") for each in examine(path)[1]]


RESPONDER = '[[responder]]\nname = "fixer"\ncommand = ["fix"]\n'


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            '[[monitor]]\nkind = "corruption"\n[[monitor]]\nkind = "corruption"\n',
            ['13: monitor[1].kind: a second monitor named "corruption" (give this one a name: name = "…")'],
        ),
        (
            '[[monitor]]\nkind = "progress"\nwaves = ["v"]\nagents = ["apo"]\n',
            [
                '12: monitor[0].waves[0]: no wave "v" in this plan (waves of this plan: w)',
                '13: monitor[0].agents[0]: no agent "apo" in this plan (did you mean "api"?)',
            ],
        ),
        (
            f'{RESPONDER}[[monitor]]\nkind = "progress"\nreactions = ["start-agent"]\n',
            [
                "15: monitor[0].reactions[0]: `start-agent` without `agent` "
                '(say which: { do = "start-agent", agent = "…" } (responders: fixer))'
            ],
        ),
        (
            f'{RESPONDER}[[monitor]]\nkind = "progress"\nreactions = [{{ do = "start-agent", agent = "fixr" }}]\n',
            ['15: monitor[0].reactions[0].agent: no [[responder]] "fixr" in this plan (did you mean "fixer"?)'],
        ),
        (
            '[[responder]]\nname = "api"\ncommand = ["fix"]\nneeds = ["api"]\n',
            [
                '11: responder[0].name: an agent is named "api" as well '
                "(runs and logs are called by it: give this one another name)",
                "13: responder[0].needs: `needs` means nothing for a responder (remove it)",
            ],
        ),
        (
            '[[monitor]]\nkind = "preview"\n',
            ['11: monitor[0].kind: there is no [preview] to watch (add [preview] with url = "http://localhost:…")'],
        ),
        (
            '[preview]\nurl = "http://localhost:{port}/"\n',
            [
                "11: preview.url: `{port}` is a port that waved leases, and nothing is started on it "
                "(give it a `command`, which finds the port in $PORT; or write the port that is used)"
            ],
        ),
        ("[[notify]]\n", ["10: notify[0]: tells nobody (give it `command` or `url`)"]),
        (
            '[[notify]]\ncommand = ["mail"]\nurl = "slack://x"\n',
            ["10: notify[0]: has both `command` and `url` (write two [[notify]] tables)"],
        ),
        (
            '[[monitor]]\nkind = "corruption"\npattern = ["x"]\n',
            [
                '12: monitor[0].pattern: unknown key; did you mean "patterns"? (allowed: name, waves, reactions, kind, '
                "paths, exclude, patterns, markers, parse, emptied, settle, interval)"
            ],
        ),
        (
            '[[monitor]]\nkind = "corruptoin"\n',
            [
                '11: monitor[0].kind: no monitor of kind "corruptoin"; did you mean "corruption"? (kinds that ship: '
                "file-changes, corruption, preview, progress, timeouts, file-size, ownership, command; plug-ins add "
                "others (entry points waved.monitors))"
            ],
        ),
        (
            '[[monitor]]\nkind = "reactions"\n',
            [
                '11: monitor[0].kind: "reactions" is a monitor of waved\'s own (give this one another name)',
            ],
        ),
        (
            '[snapshots]\nenabled = false\n[[monitor]]\nkind = "corruption"\n'
            '[[monitor]]\nkind = "file-size"\npaths = ["**"]\nreactions = ["rollback-agent"]\n',
            [
                "12: monitor[0]: what it does if `reactions` are not given restores files, and no snapshots are taken "
                '(say what is done instead: reactions = ["alert"])',
                "17: monitor[1].reactions[0]: `rollback-agent` has nothing to go back to: no snapshots are taken "
                "(remove `enabled = false` from [snapshots], or this)",
            ],
        ),
        (
            '[[monitor]]\nkind = "corruption"\npatterns = ["("]\n',
            [
                "12: monitor[0].patterns[0]: is not a regular expression: missing ), unterminated subpattern "
                "at position 0"
            ],
        ),
    ],
)
def test_problems_have_a_place_and_say_what_to_do(tmp_path: Path, more: str, expected: list[str]) -> None:
    assert problems(tmp_path, more) == expected


def test_nothing_can_be_rolled_back_without_snapshots(tmp_path: Path) -> None:
    text = BASE.replace('command = ["true"]', 'command = ["true"]\nrollback = "on-failure"')
    path = tmp_path / "plan.toml"
    later = '[[wave]]\nname = "x"\ngate = { on_failure = "rollback" }\n[[wave.agent]]\nname = "b"\ncommand = ["true"]\n'
    path.write_text(f"{text}[snapshots]\nenabled = false\n{later}")
    found = [str(each).removeprefix(f"{path}:") for each in examine(path)[1]]
    assert [each.partition(" ")[0] for each in found] == ["10:", "15:"]
    assert all("nothing can be rolled back" in each for each in found)


def test_a_plug_ins_kind_is_left_to_the_plug_in(tmp_path: Path) -> None:
    assert problems(tmp_path, '[[monitor]]\nkind = "spelling"\n[monitor.options]\nlanguage = "en"\n') == []


def test_only_responders_are_told_of_a_finding(tmp_path: Path) -> None:
    fine = f'{RESPONDER}prompt = "See {{{{ finding.path }}}}, line {{{{ finding.line }}}}."\n'
    assert problems(tmp_path, fine) == []
    wrong = f'{RESPONDER}prompt = "See {{{{ finding.pth }}}}."\n'
    assert '"finding.pth" is unknown; did you mean "path"?' in problems(tmp_path, wrong)[0]
    path = tmp_path / "other.toml"
    path.write_text(BASE + 'prompt = "{{ finding.path }}"\n')
    (found,) = examine(path)[1]
    assert "only the prompt of a [[responder]]" in str(found)


def test_a_responders_prompt_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "fix.md").write_text("Mend {{ finding.path }}.")
    path = tmp_path / "plan.toml"
    path.write_text(f'{BASE}{RESPONDER}prompt_file = "fix.md"\n')
    loaded, found = examine(path)
    assert found == []
    assert loaded is not None
    assert loaded.plan.responders[0].prompt == "Mend {{ finding.path }}."
