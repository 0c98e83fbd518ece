"""What real programs printed (tests/fixtures/agents, made by tests/record_agents.py), and their readers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from waved.agents.activity import Activity, Used
from waved.agents.base import Deployment
from waved.agents.reader import SIDE, STDERR, STDOUT, Reader
from waved.agents.registry import find_program

FOLDER = Path(__file__).parents[2] / "fixtures/agents"


@dataclass(frozen=True)
class Recording:
    """One run of a real program."""

    name: str

    @property
    def program(self) -> str:
        """The program's name."""
        return self.name.partition("-")[0]

    @cached_property
    def facts(self) -> dict[str, Any]:
        """How it ended and what it was served."""
        return dict(json.loads((FOLDER / self.name / "run.json").read_text()))

    @cached_property
    def streams(self) -> dict[int, bytes]:
        """What it printed on each stream."""
        files = {STDOUT: "stdout", STDERR: "stderr", SIDE: "side"}
        folder = FOLDER / self.name
        return {stream: (folder / file).read_bytes() for stream, file in files.items() if (folder / file).exists()}

    def reader(self) -> Reader:
        """A new reader of such a run."""
        used_before = Used(**self.facts["used_before"]) if self.facts["used_before"] else None
        here = Path("/run")
        deployment = Deployment(None, [], None, "", here / "prompt.md", here, here, here, 1, used_before=used_before)
        reader = find_program(self.program).reader(deployment)
        assert reader is not None
        return reader

    def read(self) -> tuple[list[Activity], Reader]:
        """All of it at once."""
        reader = self.reader()
        activities: list[Activity] = []
        for stream, data in self.streams.items():
            activities += reader.feed(data, stream)
        return activities + reader.close(), reader


RECORDINGS = [Recording(folder.name) for folder in sorted(FOLDER.iterdir())]


def total(activities: list[Activity]) -> Used:
    """The sum of what was used."""
    amounts = [activity for activity in activities if isinstance(activity, Used)]
    costs = [used.cost for used in amounts if used.cost is not None]
    return Used(
        sum(used.input for used in amounts),
        sum(used.output for used in amounts),
        sum(used.cached for used in amounts),
        sum(used.cache_write for used in amounts),
        sum(costs) if costs else None,
    )
