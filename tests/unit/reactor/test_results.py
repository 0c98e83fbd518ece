"""What agents are told of those before them: bounded, and no more than is known (requirement O7)."""

from __future__ import annotations

from tests.unit.domain.driving import Driver, agent
from waved.domain import events as ev
from waved.domain.usage import Usage
from waved.reactor.results import LONGEST_WORDS, MOST_PATHS, results


def driver(count: int, *, guarded: bool = False) -> Driver:
    """A wave of so many agents, and one more that waits for all of them."""
    names = [f"a{number}" for number in range(count)]
    first = [agent(name, produces=["out/*.md"]) for name in names]
    waves = [{"name": "w", "agent": [*first, agent("z", needs=names)]}]
    return Driver({"session": {"name": "s"}, "wave": waves}, guarded=guarded)


def test_of_one_that_runs_the_plan_is_told_and_of_one_that_ended_what_was_found() -> None:
    session = driver(1)
    before = results(session.session, 0, ["a0"])
    assert (before[0]["outcome"], before[0]["produced"], before[0]["last_words"]) == ("succeeded", ["out/*.md"], "")
    session.do(ev.RunActed("s", "s/a0#1", "tool", wrote=["out/a.md", "src/b.py"], usage=Usage().as_dict()))
    session.ends("a0#1", last_words="All is done.")
    (gate,) = session.session.gates.values()
    session.do(ev.CheckEnded("s", gate.id, 0, True, gate.checks[0].name, files=["out/a.md"]))
    (after,) = results(session.session, 0, ["a0"])
    assert after["verified"]
    assert (after["produced"], after["expected"]) == (["out/a.md"], ["out/*.md"])
    assert (after["changed"], after["files_changed"]) == (["out/a.md", "src/b.py"], 2)
    assert after["last_words"] == "All is done."


def test_all_of_it_is_bounded() -> None:
    count = 40
    session = driver(count)
    for number in range(count):
        run = f"a{number}#1"
        session.do(ev.RunActed("s", f"s/{run}", "tool", wrote=[f"{number}/{each}" for each in range(500)]))
        session.ends(run, last_words="x" * 5000)
    for gate in list(session.session.gates.values()):
        session.do(ev.CheckEnded("s", gate.id, 0, True, gate.checks[0].name))
    told = results(session.session, 0, [f"a{number}" for number in range(count)])
    assert sum(len(each["changed"]) for each in told) <= MOST_PATHS + count
    assert sum(len(each["last_words"]) for each in told) <= LONGEST_WORDS + count
    assert {each["files_changed"] for each in told} == {200}
