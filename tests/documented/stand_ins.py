"""Programs that stand in for those the documents name: agents that do what their plans ask of them, builds and tests.

An agent prints what the real program printed when it was recorded (tests/fixtures/agents), so that it is read as one.
All lies in one folder, recordings included: within the workspace it can be seen from a sandbox as well.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.documents import ROOT

RECORDED = ROOT / "tests" / "fixtures" / "agents"
AGENTS = {
    **dict.fromkeys(("claude", "codex", "gemini", "goose", "opencode", "qwen"), ""),
    "aider": "--analytics-log",
    "mini": "--output",
}
"""Each with the option that names the file it writes besides what it prints."""
WRITES = {
    "api-researcher": "docs/session/api/http.md",
    "ui-researcher": "docs/session/ui/patterns.md",
    "writer": "docs/session/ui/page.md",
    "backend": "docs/session/backend/done.md",
    "frontend-researcher": "docs/session/frontend/patterns.md",
    "backend-researcher": "docs/session/backend/patterns.md",
    "infrastructure-researcher": "docs/session/infrastructure/build.md",
}
"""What agents of documented plans `produce`, and of those that `wavectl plan new` writes."""
_AGENT = """#!/bin/sh
# {name}, but it calls no model.
case "$1" in --version) echo "{name} 1.0"; exit 0;; esac
case "$WAVED_AGENT" in
{cases}
esac
for word; do
    [ "$before" != "{option}" ] || [ -z "$before" ] || cat {folder}/{name}.side >"$word"
    before=$word
done
exec cat {folder}/{name}.stdout
"""
_OTHERS = {
    "npm": 'case "$*" in "run dev"*) exec python3 -m http.server --bind 127.0.0.1 "$PORT";; esac',
    "pytest": """case "$*" in *--junitxml=report.xml*)
    echo '<testsuite><testcase classname="cart" name="adds"/></testsuite>' >report.xml;; esac""",
    **dict.fromkeys(("browser", "make", "my-agent", "npx", "page-me", "ruff"), ""),
}
"""What they do besides saying how they were called. `npm run dev` shows the current folder."""


def install(folder: Path) -> None:
    """Put all of them into a folder, which is to be on the PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = "\n".join(
        f'{agent}) mkdir -p {Path(to).parent}; yes "# {agent}" | head -n 200 >{to};;' for agent, to in WRITES.items()
    )
    for name, option in AGENTS.items():
        for kind in ("stdout", "side") if option else ("stdout",):
            shutil.copyfile(RECORDED / f"{name}-edit" / kind, folder / f"{name}.{kind}")
        _write(folder / name, _AGENT.format(name=name, cases=cases, option=option, folder=folder))
    for name, does in _OTHERS.items():
        _write(folder / name, f'#!/bin/sh\n{does}\necho "${{0##*/}} $*"\n')


def _write(program: Path, text: str) -> None:
    program.write_text(text)
    program.chmod(0o755)
