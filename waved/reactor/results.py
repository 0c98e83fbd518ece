"""What agents are told of those before them: what they produced, changed and said at their end (requirement O7).

It goes into the context file of a run and is what templates call `results` (docs/prompts.md).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from typing import Any

from waved.domain.state import Node, Session

MOST_PATHS = 2_000
"""Changed files that are named in all; each assignment has an equal share of them."""
LONGEST_WORDS = 100_000
"""Characters of last words in all; the same."""


class Results:
    """What is told, as JSON. Of one turn: what agents have in common is made once for all of them, however many agents
    are told of however many others.
    """

    def __init__(self) -> None:
        self._texts: dict[tuple[str, int, tuple[str, ...]], str] = {}

    def text(self, session: Session, index: int, requires: Sequence[str] = ()) -> str:
        """JSON of `results`."""
        here = tuple(key for key in requires if session.nodes[key].wave == index)
        about = (session.id, index, here)
        if about not in self._texts:
            self._texts[about] = json.dumps(results(session, index, here))
        return self._texts[about]


def results(session: Session, index: int, requires: Sequence[str] = ()) -> list[dict[str, Any]]:
    """What waves before number `index`, and in it the required assignments, ended with.

    For a run that is made ready ahead, what it requires may still run: it starts only if that succeeds. What is not
    known of those yet stands there as the plan has it, and the run is made ready anew if it turns out different.
    """
    keys = [key for wave in session.waves[:index] for key in wave.keys]
    keys += [key for key in requires if session.nodes[key].wave == index]
    if not keys:
        return []
    produced: dict[str, list[str]] = {}
    for key in keys:
        # What an agent is to leave behind is looked at once, with the last of its assignments.
        if (node := session.nodes[key]).produced:
            produced.setdefault(node.agent.name, []).extend(node.produced)
    paths, words = MOST_PATHS // len(keys) + 1, LONGEST_WORDS // len(keys) + 1
    return [_result(session, session.nodes[key], produced, paths, words) for key in keys]


def _result(session: Session, node: Node, produced: dict[str, list[str]], paths: int, words: int) -> dict[str, Any]:
    expected = [output.path for output in node.agent.produces]
    known = bool(node.outcome)
    changed, count = _changed(session, node, paths) if known else ([], 0)
    said = next((run.last_words for run in reversed(node.runs) if run.last_words), "") if known else ""
    return {
        "assignment": node.key,
        "agent": node.agent.name,
        "wave": session.waves[node.wave].plan.name,
        "outcome": node.outcome or "succeeded",
        "verified": node.verified,
        "reason": node.reason[:words],
        "expected": expected,
        "produced": produced.get(node.agent.name, []) if known else expected,
        "changed": changed,
        "files_changed": count,
        "last_words": said[:words],
    }


def _changed(session: Session, node: Node, most: int) -> tuple[list[str], int]:
    """Files seen to change by its doing, and those its program says it wrote: the first of them, and how many."""
    writing = session.guards.writings.get(node.key) if session.guards is not None else None
    seen, count = ({}, 0) if writing is None else (writing.paths, writing.files)
    if not seen and not node.wrote:
        return [], 0
    named = dict.fromkeys(islice(seen, most)) | dict.fromkeys(islice(node.wrote, most))
    written = max((run.usage.files_written for run in node.runs), default=0)
    return list(islice(named, most)), max(count, len(named), len(node.wrote), written)
