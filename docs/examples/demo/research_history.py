"""Research agent: how the repository came to be, from git: contributors, pace, churn, and the age of its lines."""

from __future__ import annotations

import collections
import subprocess
import time

from markdown import Document, quoted
from session import DOCUMENTS, WORKSPACE

DAY = 86400
FILES = 100
"""Of so many files each line's age is looked up."""


def git(*words: str) -> str:
    """What git prints; raises CalledProcessError when it fails."""
    done = subprocess.run(["git", *words], cwd=WORKSPACE, check=True, capture_output=True, text=True, errors="replace")
    return done.stdout


def churn() -> collections.Counter[str]:
    """Lines added and removed, by file, over the whole history."""
    counted: collections.Counter[str] = collections.Counter()
    for line in git("log", "--numstat", "--format=").splitlines():
        added, removed, name = line.split("\t")
        if added != "-":  # a binary file
            counted[name] += int(added) + int(removed)
    return counted


def age_of_lines(names: list[str]) -> list[tuple[str, int, float]]:
    """By file: its lines and their median age in days, line by line from `git blame`."""
    found = []
    for name in names:
        blame = git("blame", "--line-porcelain", "HEAD", "--", name)
        times = sorted(int(line.split()[1]) for line in blame.splitlines() if line.startswith("committer-time "))
        if times:
            found.append((name, len(times), (time.time() - times[len(times) // 2]) / DAY))
    return found


def main() -> None:
    """Writes docs/session/history/*.md."""
    commits = [line.split("\t", 2) for line in git("log", "--format=%h%x09%as%x09%s").splitlines()]
    authors = collections.Counter(git("log", "--format=%an").splitlines())
    days = collections.Counter(date for _, date, _ in commits)
    print(f"{len(commits)} commits on {len(days)} days", flush=True)
    overview = Document("History").paragraph(f"{len(commits)} commits on {len(days)} days.")
    overview.heading("Contributors").table(("who", "commits"), authors.most_common(20))
    overview.heading("Pace").table(("day", "commits"), sorted(days.items(), reverse=True)[:20])
    overview.heading("Latest").table(
        ("commit", "day", "what"), [(commit, day, quoted(what)) for commit, day, what in commits[:25]]
    )
    overview.write(DOCUMENTS / "history" / "overview.md")

    tracked = set(git("ls-files", "*.py", "*.md", "*.toml").splitlines())
    changed = churn()
    oftenest = [name for name, _ in changed.most_common() if name in tracked][:FILES]
    print(f"reading the age of the lines of {len(oftenest)} files", flush=True)
    document = Document("Churn").paragraph("Lines added and removed over the whole history, most first.")
    document.table(("file", "lines changed"), [(name, count) for name, count in changed.most_common(25)])
    document.heading("Age of lines").paragraph(
        f"The median age of what stands today in each of the {len(oftenest)} files that changed most, in days."
    )
    ages = sorted(age_of_lines(oftenest), key=lambda row: row[2])
    document.table(("file", "lines", "median age"), [(name, lines, f"{age:.1f}") for name, lines, age in ages])
    document.write(DOCUMENTS / "history" / "churn.md")


if __name__ == "__main__":
    main()
