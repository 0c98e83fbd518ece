"""The agents of the example plan, scripted: `python scripted_fleet.py ROLE`. They really break what the plan guards.

In their first attempt the frontend's architect writes `const const`, and the backend's falls silent; when that is
mended, whoever builds the cart page breaks the preview. The designer writes a page that is far too long.
"""

from __future__ import annotations

import http.server
import os
import sys
import time
from pathlib import Path

FIRST = os.environ.get("WAVED_ATTEMPT") == "1"
GUIDES = {
    "frontend-researcher": ("frontend", "react-patterns typescript-guide component-library"),
    "backend-researcher": ("backend", "express-patterns database-guide api-design"),
    "infrastructure-researcher": ("infrastructure", "deployment-guide testing-patterns build-optimization"),
}
APP = Path("client/src/App.tsx")
PAGE = Path("client/src/page.tsx")
ERRORS = Path("server/errors.ts")
"""What the backend's architect writes when he was not silent."""


def write(path: str | Path, text: str) -> None:
    """Make a file with its folder."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def wait_for(path: Path) -> None:
    """Until it is there, with signs of life meanwhile: what goes wrong here comes after what went wrong there."""
    while not path.exists():
        print("waiting", path, flush=True)
        time.sleep(0.05)


def hang() -> None:
    """Neither end nor say anything."""
    time.sleep(600)


def agent(role: str) -> None:
    """What one agent does."""
    tasks = os.environ.get("WAVED_TASKS", "").split()
    if role in GUIDES:
        folder, names = GUIDES[role]
        for name in names.split():
            write(f"docs/session/{folder}/{name}.md", f"# {name}\n")
    elif role == "frontend-architect" and "cart-page" in tasks:
        broken = not Path("docs/session/preview.md").exists()
        if broken:
            wait_for(ERRORS)
        write(APP, "export const App = 1\n" + ("throw broken\n" if broken else ""))
        if broken:
            hang()
    elif role == "frontend-architect":
        write("client/src/cart.tsx", "const const cart = 1\n" if FIRST else "const cart = 1\n")
        if FIRST:
            hang()
    elif role == "backend-architect":
        if "error-handling" not in tasks:
            write("server/index.ts", "export const port = 5000\n")
        elif FIRST:
            hang()
        else:
            write(ERRORS, "export const status = 500\n")
    elif role == "database-specialist":
        write("shared/schema/cart.ts", "export const carts = []\n")
    elif role == "ui-ux":
        write(PAGE, "".join(f"export const line{number} = {number}\n" for number in range(620)))
        wait_for(PAGE.with_name("part1.tsx"))
    elif role == "extractor":
        lines = PAGE.read_text().splitlines(keepends=True)
        for number, start in enumerate(range(0, len(lines), 200)):
            part = PAGE if number == 0 else PAGE.with_name(f"part{number}.tsx")
            part.write_text("".join(lines[start : start + 200]))
    elif role == "investigator":
        write("docs/session/preview.md", "Do not throw in App.tsx.\n")
    else:
        write(f"ops/{role}.md" if role == "devops-specialist" else f"tests/{role}.md", "done\n")


class Preview(http.server.BaseHTTPRequestHandler):
    """Broken as soon as the application is."""

    def do_GET(self) -> None:
        """One page."""
        well = not APP.exists() or "broken" not in APP.read_text()
        self.send_response(200 if well else 500)
        self.end_headers()
        self.wfile.write(b"cart")

    def log_message(self, *_: object) -> None:
        """Nothing."""


def npm(word: str) -> None:
    """What `npm run …` does here."""
    if word == "dev":
        http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Preview).serve_forever()
    if word == "test":
        write("reports/junit/all.xml", '<testsuite><testcase classname="cart" name="adds"/></testsuite>')


if __name__ == "__main__":
    if sys.argv[1] == "npm":
        npm(sys.argv[-1])
    else:
        agent(sys.argv[1])
