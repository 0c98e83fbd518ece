"""A session to look at: agents that print as claude does, use tools, write files, fail; no model is called.

    python docs/images/fleet.py FOLDER AGENTS      writes FOLDER/plan.toml and FOLDER/bin/claude

Each agent is this file once more, as the program `claude`: what it does follows from its name alone.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path

PARTS = ("api", "cart", "search", "login", "orders", "mail", "prices", "stock", "reviews", "admin", "media", "docs")
TOOLS = (
    ("Read", {"file_path": "{file}"}), ("Edit", {"file_path": "{file}", "old_string": "a", "new_string": "b"}),
    ("Bash", {"command": "npm test -- {part}"}), ("Write", {"file_path": "{file}", "content": "c"}),
    ("Grep", {"pattern": "use{part}", "path": "src"}), ("Bash", {"command": "npx tsc --noEmit"}),
)  # fmt: skip
PLAN = """\
[session]
name = "checkout-redesign"
timeout = "1h"
budget = {{ tokens = {tokens} }}

[[monitor]]
kind = "corruption"
patterns = ["const const"]
reactions = ["alert"]

[[wave]]
name = "research"
timeout = "10m"
{research}
[[wave]]
name = "execution"
timeout = "20m"
{execution}
[[wave]]
name = "quality"
timeout = "15m"
[[wave.agent]]
name = "reviewer"
use = "claude"
prompt = "Review it."
[[wave.agent]]
name = "accessibility"
use = "claude"
prompt = "Look at it with the keyboard alone."
"""
AGENT = '[[wave.agent]]\nname = "{name}"\nuse = "claude"\nprompt = "{name}"\ntimeout = "{timeout}"\n'


def plan(count: int) -> str:
    """A plan in which so many agents work in the second wave."""
    names = [f"{PARTS[number % len(PARTS)]}-{'builder' if number < 12 else f'builder-{number // 12}'}"
             for number in range(count)]  # fmt: skip
    research = "".join(AGENT.format(name=f"{part}-researcher", timeout="5m") for part in PARTS[:4])
    execution = "".join(
        AGENT.format(name=name, timeout=("4m", "8m", "12m")[number % 3]) + ('retries = 1\n' if number % 7 == 3 else "")
        + (f'needs = ["{names[0]}"]\n' if number % 9 == 8 else "")
        for number, name in enumerate(names)
    )  # fmt: skip
    return PLAN.format(tokens=count * 400_000, research=research, execution=execution)


def say(kind: str, **fields: object) -> None:
    """One line of the program's output."""
    print(json.dumps({"type": kind, "session_id": "00000000-0000-4000-8000-000000000001", **fields}), flush=True)


def message(number: int, tokens: int, *content: object) -> None:
    """The model's words, or a tool it calls."""
    usage = {
        "input_tokens": tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 90,
    }
    said = {"id": f"msg_{number:06d}", "type": "message", "role": "assistant", "model": "claude-opus-5-5",
            "content": list(content), "stop_reason": None, "usage": usage}  # fmt: skip
    say("assistant", message=said, parent_tool_use_id=None)


def work() -> int:
    """What an agent does."""
    name = os.environ["WAVED_AGENT"]
    attempt = int(os.environ["WAVED_ATTEMPT"])
    chance = random.Random(f"{name} {attempt}")  # noqa: S311 — pictures need no secrets
    part = name.partition("-")[0]
    rounds = 3 if name.endswith("researcher") else chance.choice((6, 14, 30, 60, 200))
    fails = name.endswith("builder") and part in ("login", "stock") and attempt == 1
    say("system", subtype="init", model="claude-opus-5-5", cwd=str(Path.cwd()), tools=[], claude_code_version="2.1.330")
    tokens = 0
    for number in range(rounds):
        file = Path("src") / f"{part}-{name.rpartition('-')[2]}" / f"part{number % 5}.ts"
        message(number * 2, 0, {"type": "text", "text": f"Next: {file}, so that {part} uses the new checkout."})
        time.sleep(chance.uniform(0.1, 0.8))
        tool, asked = TOOLS[(number + len(name)) % len(TOOLS)]
        given = {key: text.format(file=Path.cwd() / file, part=part) for key, text in asked.items()}
        used = chance.randint(900, 9000)
        tokens += used
        message(number * 2 + 1, used, {"type": "tool_use", "id": f"toolu_{number:06d}", "name": tool, "input": given})
        if tool in ("Edit", "Write"):
            file.parent.mkdir(parents=True, exist_ok=True)
            wrong = "const const total = sum(lines)\n" if part == "prices" and number > 2 else ""
            file.write_text(f"export const round{number} = {number};\n{wrong}")
        time.sleep(chance.uniform(0.3, 2.5))
        result = {"type": "tool_result", "tool_use_id": f"toolu_{number:06d}", "content": "done", "is_error": False}
        say("user", message={"role": "user", "content": [result]}, parent_tool_use_id=None)
        if fails and number == 4:
            sys.stderr.write("Error: Cannot find module './checkout'\n")
            return 1
    say("result", subtype="success", is_error=False, result=f"{part} uses the new checkout.", num_turns=rounds,
        total_cost_usd=tokens * 4e-6, usage={"input_tokens": tokens, "output_tokens": rounds * 90,
        "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0})  # fmt: skip
    return 0


def write(folder: Path, count: int) -> None:
    """The plan and the program."""
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    (folder / "plan.toml").write_text(plan(count), encoding="utf-8")
    program = folder / "bin" / "claude"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" --work\n', encoding="utf-8")
    program.chmod(0o755)


if __name__ == "__main__":
    if "--work" in sys.argv:
        sys.exit(work())
    write(Path(sys.argv[1]), int(sys.argv[2]))
