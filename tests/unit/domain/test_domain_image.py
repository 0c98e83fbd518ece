"""Images of state: everything comes back, sharing included; what no image can hold is refused, never changed."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.likeness import difference
from tests.unit.domain.driving import Driver, agent, one_wave
from waved.domain import image
from waved.domain.image import ImageError, decode, encode, shape
from waved.domain.image_codecs import Codec, Tables, classes_from, codecs_of
from waved.domain.state import ChecklistItem, Gate, Node, Run, Session
from waved.plan.models import Plan


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(slots=True)
class Leaf:
    number: float
    name: str = ""


@dataclass(frozen=True)
class Frozen:
    leaf: Leaf
    words: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Everything:
    """Of each type that an image can hold one."""

    plan: Plan
    leaves: dict[str, Leaf] = field(default_factory=dict)
    chosen: Leaf | None = None
    either: Leaf | Frozen | str | list[int] | None = None
    heap: list[tuple[float, str]] = field(default_factory=list)
    ordered: dict[str, None] = field(default_factory=OrderedDict)
    numbered: dict[int, list[Leaf]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    frozen: frozenset[int] = frozenset()
    colour: Colour = Colour.RED
    mode: Literal["a", "b"] = "a"
    noted: Annotated[int, "a note"] = 0
    free: Any = None
    data: bytes = b""
    up: Everything | None = None


PLAN = Plan.model_validate(one_wave(agent("a"), agent("b", needs=["a"])))


def through_image(root: Any) -> Any:
    """Written and read back, as `encode` and `decode` do with a session."""
    cls = type(root)
    tables = Tables(root.plan)
    tables.place(cls, root)
    packed = image.pack(tables)
    return image.unpack(packed, cls, Plan.model_validate(root.plan.model_dump(by_alias=True)))


_LEAVES = st.builds(Leaf, st.floats(allow_nan=False) | st.integers(-(2**62), 2**62), st.text())


@st.composite
def anything(draw: st.DrawFn) -> Everything:
    leaves = draw(st.lists(_LEAVES, min_size=1, max_size=5))
    shared = st.sampled_from(leaves)
    heap = draw(st.lists(st.tuples(st.floats(allow_nan=False), st.text())))
    heapq.heapify(heap)
    plain: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers(0, 2**63) | st.text() | st.binary()
    made = Everything(
        plan=PLAN,
        leaves={str(number): leaf for number, leaf in enumerate(leaves)},
        chosen=draw(st.none() | shared),
        either=draw(st.none() | shared | st.builds(Frozen, shared, st.tuples(st.text())) | st.text() | st.just([1, 2])),
        heap=heap,
        ordered=draw(st.sampled_from((dict, OrderedDict)))(dict.fromkeys(draw(st.lists(st.text())))),
        numbered=draw(st.dictionaries(st.integers(-5, 5), st.lists(shared))),
        names=draw(st.sets(st.text())),
        frozen=draw(st.frozensets(st.integers(0, 9))),
        colour=draw(st.sampled_from(Colour)),
        mode=draw(st.sampled_from(("a", "b"))),
        free=draw(st.lists(plain) | st.dictionaries(st.text(), st.lists(plain)) | plain),
        data=draw(st.binary()),
    )
    made.up = draw(st.sampled_from((None, made)))
    return made


@given(anything())
def test_everything_comes_back_as_it_was(made: Everything) -> None:
    assert difference(made, through_image(made)) == ""


def test_a_session_in_the_midst_of_things_comes_back() -> None:
    driver = Driver(
        one_wave(
            agent("a", retries=3, produces=["x"], gate={"commands": ["true"]}), agent("b", needs=["a"]), agent("c"),
            gate={"commands": [{"run": "t", "junit": "*.xml"}]}, session={"timeout": 60.0},
        )
    )  # fmt: skip
    driver.fails("c#1")
    driver.fails("a#1")
    driver.at(102.0)
    driver.ends("a#2", leftovers=["7 sh"], max_rss=5)
    session = driver.session
    assert session.gates, "a gate is being gone through"
    back = decode(encode(session), Plan.model_validate(session.plan.model_dump(by_alias=True)))
    assert difference(session, back) == ""
    assert back == session
    assert back.nodes["a"].gate is next(iter(back.gates.values()))
    assert back.nodes["a"].runs[1] is back.runs["s/a#2"]
    assert back.nodes["a"].agent is back.plan.waves[0].agents[0]
    assert type(back.ready) is OrderedDict
    assert back.current is back.waves[0]


def test_every_state_class_is_in_the_shape_and_can_be_written() -> None:
    assert {Session, Node, Run, Gate, ChecklistItem} <= set(classes_from(Session))
    for cls in classes_from(Session):
        assert all(isinstance(codec, Codec) for _, codec in codecs_of(cls))
    assert "waved.domain.state.Run\n  id: <class 'str'>\n" in shape()


def test_another_field_or_type_is_another_shape() -> None:
    @dataclass
    class One:
        number: int

    @dataclass
    class Other:
        number: int | None

    Other.__qualname__ = One.__qualname__
    assert shape(One) != shape(Other)
    assert shape(One) == shape(One)


class Texts(list[str]):
    pass


def test_what_no_image_can_hold_is_refused() -> None:
    shared = [1, 2]
    for wrong in (
        Everything(plan=PLAN, names={"x"}, free=shared, up=Everything(plan=PLAN, either=Texts())),  # type: ignore[arg-type]
        Everything(plan=PLAN, free=Texts()),
        Everything(plan=PLAN, free=(1, 2)),
        Everything(plan=PLAN, free=Leaf(1)),
        Everything(plan=PLAN, free=2**70),
        Everything(plan=PLAN, free="\ud800"),
        Everything(plan=PLAN, chosen=Frozen(Leaf(1))),  # type: ignore[arg-type]
        Everything(plan=PLAN, either=shared, up=Everything(plan=PLAN, either=shared)),
        Everything(plan=PLAN, up=Everything(plan=PLAN.model_copy())),
    ):
        with pytest.raises(ImageError):
            through_image(wrong)


def test_a_type_without_a_codec_is_named() -> None:
    @dataclass
    class Odd:
        number: complex

    with pytest.raises(ImageError, match="complex"):
        shape(Odd)
