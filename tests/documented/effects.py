"""What has to be so after a documented command has ended well: what its page says it does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from tests.documented.world import World
from tests.integration.guarded import GOOD
from tests.live import assignments, wait_for

Effect = Callable[[World, str], object]
"""Given the world and what was printed: something true, if it is so."""
EFFECTS: tuple[tuple[str, str, Effect], ...] = (
    (r".* --json$", "JSON is printed", lambda _, printed: _is_json(printed)),
    (r"wavectl status$", "the agents are shown", lambda _, printed: "backend" in printed and "tests" in printed),
    (r"wavectl logs( tests)?$", "what they printed is shown", lambda _, printed: "3 passed" in printed),
    (r"wavectl report$", "it is Markdown", lambda _, printed: "\n# checkout" in printed),
    (
        r"wavectl report demo -o report\.html", "the page is in the file",
        lambda world, _: "<html" in (world.shop / "report.html").read_text(),
    ),
    (r"wavectl report .*--open", "a browser was asked", lambda _, printed: "opened" in printed),
    (r"wavectl export checkout-x7k2", "SESSION.zip", lambda world, _: (world.shop / f"{world.session}.zip").exists()),
    (r"wavectl --host \S+ export", "the file", lambda world, _: (world.home / "backup" / "checkout.zip").exists()),
    (r"wavectl plan new", "the plan", lambda world, _: "[session]" in (world.shop / "plan.toml").read_text()),
    (r"wavectl rollback --file src/cart", "it went back", lambda world, _: GOOD in _carts(world)),
    (r"wavectl rollback --all", "all went back", lambda world, _: {*_carts(world)} == {GOOD}),
    (r"wavectl (approve|resume)$", "it goes on", lambda world, _: world.view()["state"] == "running"),
    (r"wavectl approve f3", "it is approved", lambda _, printed: "f1" in printed),
    (r"wavectl stop$", "it ends", lambda world, _: world.view()["state"] in ("stopping", "ended")),
    (r"wavectl retry", "a second attempt", lambda world, _: _backend(world)["attempt"] > 1),
    (r"wavectl prune checkout-x7k2 --yes", "it is gone", lambda world, _: world.session != world.view().get("session")),
    (r"wavectl keys new", "the key's public half", lambda world, printed: printed.strip() == world.key),
    (r"wavectl keys show-server", "the daemon's key", lambda world, printed: printed.strip() == world.server_key),
    (r"git .* archive", "the files are there", lambda world, _: (world.home / "new" / "src" / "app.ts").exists()),
)  # fmt: skip
"""Commands (a pattern), what is looked for, and how."""


def missing(command: str, world: World, printed: str, soon: float = 10.0) -> str:
    """What a documented command should have done and has not; empty if all is as it should be.

    Much is only begun by a command: it may take `soon` seconds.
    """
    for pattern, what, is_so in EFFECTS:
        if re.match(pattern, command):
            try:
                wait_for(partial(is_so, world, printed), soon)
            except AssertionError:
                return what
    return ""


def _is_json(printed: str) -> bool:
    """One document, or one a line."""
    for documents in ([printed], printed.splitlines()):
        with suppress(ValueError):
            return bool([json.loads(document) for document in documents])
    return False


def _backend(world: World) -> dict[str, Any]:
    return assignments(world.view())["backend"]


def _carts(world: World) -> list[str]:
    return [(world.shop / "src" / name).read_text() for name in ("cart.js", "cart.ts")]
