"""Finding agent programs: built-in ones without metadata, plug-ins through real installed distributions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from waved.agents import registry
from waved.agents.base import Deployment, Program
from waved.errors import NotFoundError, WavedError

GOOD = """
class Gander:
    name, executable, passes, install_hint = "gander", "gander", ("GANDER_*",), "install gander"
    def invocation(self, deployment):
        raise NotImplementedError
"""

AddPackage = Callable[..., None]


@pytest.fixture
def add_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AddPackage]:
    """Installs a distribution that offers agent programs, for the length of a test."""
    registry._plug_ins.cache_clear()
    added: list[str] = []

    def add(module: str, source: str, **offers: str) -> None:
        site = tmp_path / f"site-{module}"
        info = site / f"{module}-1.2.dist-info"
        info.mkdir(parents=True)
        (site / f"{module}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.2\n")
        lines = [f"{name} = {module}:{target}" for name, target in offers.items()]
        (info / "entry_points.txt").write_text("\n".join(["[waved.agents]", *lines]) + "\n")
        monkeypatch.syspath_prepend(str(site))
        added.append(module)
        registry._plug_ins.cache_clear()

    yield add
    registry._plug_ins.cache_clear()
    for module in added:
        sys.modules.pop(module, None)


def test_a_plug_in_is_found(add_package: AddPackage) -> None:
    add_package("flock", GOOD, gander="Gander")
    program = registry.find_program("gander")
    assert isinstance(program, Program)
    assert program.passes == ("GANDER_*",)
    assert "gander" in registry.program_names()


def test_a_plug_in_that_knows_nothing_of_reading_has_the_defaults(add_package: AddPackage) -> None:
    add_package("flock", GOOD, gander="Gander")
    program = registry.find_program("gander")
    here = Path("/")
    deployment = Deployment(None, [], "vendor/m-1", "", here, here, here, here, 1)
    assert program.reader(deployment) is None
    assert (program.can_resume, program.version_command, program.provider) == (False, (), "")
    assert program.provider_of(deployment) == "vendor"
    assert program.login_check({}, here).ok is None
    assert program.version_in("gander v1.2.3 (abc)") == "1.2.3"
    assert program.version_in("gander version 1.2.3.") == "1.2.3"
    with pytest.raises(NotImplementedError):
        program.invocation(deployment)


def test_what_a_plug_in_has_of_the_rest_is_used(add_package: AddPackage) -> None:
    more = """
    provider, can_resume, version_command = "vendor", True, ("gander", "--version")
    def version_in(self, printed):
        return printed.upper()
"""
    add_package("flock", GOOD + more, gander="Gander")
    program = registry.find_program("gander")
    assert (program.provider, program.can_resume, program.version_command) == ("vendor", True, ("gander", "--version"))
    assert program.version_in("x1") == "X1"


def test_a_plug_in_may_offer_an_object(add_package: AddPackage) -> None:
    add_package("flock", GOOD + "gander = Gander()", gander="gander")
    assert registry.find_program("gander").executable == "gander"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_module_here", "ModuleNotFoundError: No module named 'no_such_module_here'"),
        ("def broken(", "SyntaxError"),
        ("raise SystemExit('gone')", "SystemExit: gone"),
        ("x = 1", "AttributeError"),
        ("class Gander:\n    def __init__(self): raise RuntimeError('sick')", "RuntimeError: sick"),
        ("class Gander: name = 'gander'", "lacks executable, install_hint, passes (a tuple of names), invocation()"),
        (GOOD.replace('("GANDER_*",)', '"GANDER_*"'), "lacks passes (a tuple of names)"),
    ],
)
def test_a_broken_plug_in_is_named_and_costs_nobody_else(add_package: AddPackage, source: str, said: str) -> None:
    add_package("sickflock", source, gander="Gander")
    with pytest.raises(WavedError) as raised:
        registry.find_program("gander")
    assert said in raised.value.message
    assert "sickflock 1.2" in raised.value.hint
    assert registry.find_program("claude").name == "claude"
    assert "gander" in registry.program_names()


def test_two_packages_with_one_name_are_both_named(add_package: AddPackage) -> None:
    add_package("one", GOOD, gander="Gander")
    add_package("two", GOOD, gander="Gander")
    with pytest.raises(WavedError, match="offered by") as raised:
        registry.find_program("gander")
    assert "one 1.2" in raised.value.message
    assert "two 1.2" in raised.value.message


def test_a_plug_in_cannot_take_a_built_in_name(add_package: AddPackage) -> None:
    add_package("thief", GOOD, claude="Gander")
    assert registry.find_program("claude").executable == "claude"


def test_an_unknown_name_gets_a_near_match_or_the_list() -> None:
    with pytest.raises(NotFoundError, match='no agent program "cluade"') as near:
        registry.find_program("cluade")
    assert near.value.hint == 'did you mean "claude"?'
    with pytest.raises(NotFoundError) as far:
        registry.find_program("xyzzy")
    assert "aider, claude, codex, command, gemini, goose, mini, opencode, qwen" in far.value.hint
    assert 'command = ["xyzzy", …]' in far.value.hint


def test_every_built_in_is_also_an_entry_point_of_the_package() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["waved.agents"] == registry.BUILT_IN


def test_the_zygote_imports_little_and_only_what_is_asked_for() -> None:
    script = (
        "import sys; from waved.agents.registry import find_program; find_program('claude');"
        "print(*[m for m in ('pydantic', 'zmq', 'click', 'rich', 'importlib.metadata', 'waved.agents.codex')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
