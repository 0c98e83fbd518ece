"""The locator finds the line of every key, however the TOML is laid out."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st
from plan_writing import Writer, plans

from waved.plan.locate import Locator, show


@given(plans(), st.integers(0, 2**32))
def test_every_key_is_found_on_its_line(plan, seed):
    writer = Writer(seed)
    source = writer.write(plan)
    assert tomllib.loads(source) == plan, "the test's own writer must be right"
    locator = Locator(source)
    assert {where: locator.line(where) for where in writer.where} == writer.where
    assert locator.known() == writer.where


@given(st.text())
def test_any_text_at_all_costs_no_more_than_a_line_number(source):
    assert Locator(source).line(("wave", 0, "name")) >= 1


def test_a_key_that_is_missing_is_told_by_its_nearest_table():
    source = '[session]\nname = "s"\n\n[[wave]]\nname = "a"\n\n[[wave]]\n[[wave.agent]]\nname = "x"\n'
    locator = Locator(source)
    assert locator.line(("wave", 1, "name")) == 7
    assert locator.line(("wave", 1, "agent", 0, "use")) == 8
    assert locator.line(("nothing",)) == 1
    assert locator.line(()) == 1


def test_windows_line_ends_count_once():
    assert Locator("a = 1\r\nb = '''\r\nx\r\n'''\r\nc = 2\r\n").line(("c",)) == 5


def test_a_table_within_a_table_of_a_list_belongs_to_the_newest():
    source = '[[wave]]\n[[wave.agent]]\n[wave.agent.env]\nset = { A = "1",\\u0020B = "2" }\n'.replace("\\u0020", " ")
    source += "[[wave.agent]]\n[[wave]]\n[wave.gate]\n[[wave.agent]]\n[wave.agent.gate]\n"
    locator = Locator(source)
    assert locator.line(("wave", 0, "agent", 0, "env", "set", "B")) == 4
    assert locator.line(("wave", 0, "agent", 1)) == 5
    assert locator.line(("wave", 1, "gate")) == 7
    assert locator.line(("wave", 1, "agent", 0, "gate")) == 9


def test_a_long_string_costs_neither_stack_nor_much_memory():
    source = 'a = """' + 'x"y\n' * 200_000 + '"""\nb = 1\n'
    assert Locator(source).line(("b",)) == 200_002


def test_how_a_key_is_shown():
    assert show(("wave", 1, "agent", 0, "timeout")) == "wave[1].agent[0].timeout"
    assert show(("session", "vars", "a b")) == 'session.vars."a b"'
    assert show(()) == ""
