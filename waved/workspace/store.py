"""The store: a bare git repository in which each snapshot is a commit without history, under a ref of its own.

Without history, old snapshots can be dropped without changing the hashes of the others. The refs are
`refs/waved/snapshots/TIME` (nanoseconds, so that their order is the order of the snapshots).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from waved.errors import NotFoundError
from waved.workspace import git, refs
from waved.workspace.git import Git
from waved.workspace.records import Change, Label, Size, Skipped, Snapshot, SnapshotError
from waved.workspace.writer import ABOUT_FILE

REFS = "refs/waved/snapshots/"
NOW = "refs/waved/now"
"""What the workspace held when somebody looked last; no snapshot."""
ATTRIBUTES = "* -text -filter -ident -working-tree-encoding !eol !diff !merge !export-ignore !export-subst\n"
CONFIG = """[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tlogAllRefUpdates = false
[gc]
\tauto = 0
"""
_FORMAT = "%(refname)%00%(objectname)%00%(tree)%00%(parent)%00%(contents)%00"
_PREFIX = b"Waved-"


@dataclass(frozen=True, slots=True)
class About:
    """What a tree cannot say of a snapshot."""

    plain: int = 0o644
    """Permissions of files that are not named in `modes`."""
    executable: int = 0o755
    modes: Mapping[bytes, int] = None  # type: ignore[assignment]  # set below: a mapping has no safe default
    skipped: tuple[Skipped, ...] = ()
    unsettled: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.modes is None:
            object.__setattr__(self, "modes", {})

    def permissions(self, path: bytes, git_mode: int) -> int:
        """The permissions of a file in the snapshot."""
        return self.modes.get(path, self.executable if git_mode & 0o100 else self.plain)

    def to_json(self) -> bytes:
        """As it is kept; b"" when there is nothing to say."""
        if self == About():
            return b""
        content = {
            "plain": f"{self.plain:o}",
            "executable": f"{self.executable:o}",
            "modes": {os.fsdecode(path): f"{mode:o}" for path, mode in self.modes.items()},
            "skipped": [[item.path, item.why] for item in self.skipped],
            "unsettled": list(self.unsettled),
        }
        return json.dumps(content, indent=0).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> About:
        """As `to_json` wrote it."""
        content = json.loads(data)
        return cls(
            int(content["plain"], 8),
            int(content["executable"], 8),
            {os.fsencode(path): int(mode, 8) for path, mode in content["modes"].items()},
            tuple(Skipped(path, why) for path, why in content["skipped"]),
            tuple(content["unsettled"]),
        )


class Store:
    """Reads the snapshots of one store."""

    def __init__(self, git_dir: Path, timeout: float, lock: int | None = None) -> None:
        """`lock`: see `Git`."""
        self.git_dir = git_dir
        self.git = Git(git_dir, timeout, lock)

    def locked(self, lock: int) -> Store:
        """The same for whoever holds the store's lock, by its descriptor."""
        return Store(self.git_dir, self.git.timeout, lock)

    def make(self) -> None:
        """Make the repository unless there is one; a half-made one is made anew."""
        if (self.git_dir / "HEAD").exists() and (self.git_dir / "waved").exists():
            return
        shutil.rmtree(self.git_dir, ignore_errors=True)
        self.git_dir.mkdir(mode=0o700)
        # What `git init --bare` makes (gitrepository-layout(5)), without a process: an agent's start waits for it.
        for folder in ("objects/info", "objects/pack", "refs/heads", "info"):
            (self.git_dir / folder).mkdir(parents=True)
        (self.git_dir / "config").write_text(CONFIG)
        (self.git_dir / "HEAD").write_text("ref: refs/heads/none\n")
        (self.git_dir / "info" / "attributes").write_text(ATTRIBUTES)
        (self.git_dir / "description").write_text("Snapshots of waved: see workspace.json beside this folder.\n")
        (self.git_dir / "waved").write_text("1\n")

    def newest(self) -> Snapshot:
        """The newest snapshot. Raises NotFoundError when there is none."""
        found = self.snapshots("--sort=-refname", "--count=1")
        if not found:
            raise NotFoundError("there is no snapshot yet")
        return found[0][1]

    def snapshots(self, *choice: str) -> list[tuple[str, Snapshot]]:
        """Ref and snapshot, oldest first; `choice` are options of git for-each-ref."""
        out = self.git.run("for-each-ref", f"--format={_FORMAT}", *choice, REFS)
        parts = out.split(b"\0")
        found = []
        for first in range(0, len(parts) - 5, 5):
            ref, commit, tree, about, message = (part for part in parts[first : first + 5])
            found.append((ref.decode().strip(), parse(commit.decode(), tree.decode(), about.decode(), message)))
        return found

    def newest_ref(self) -> tuple[str, str] | None:
        """Ref and commit of the newest snapshot."""
        try:
            return refs.newest(self.git_dir, REFS)
        except refs.UnreadableRefsError:
            return self._newest_by_git()

    def _newest_by_git(self) -> tuple[str, str] | None:
        out = self.git.run("for-each-ref", "--sort=-refname", "--count=1", "--format=%(refname) %(objectname)", REFS)
        words = out.decode().split()
        return (words[0], words[1]) if words else None

    def find(self, name: str) -> Snapshot:
        """The snapshot of a hash, of the beginning of one, or of the name its session gave it (the newest of them).

        Raises NotFoundError.
        """
        found = [snapshot for _, snapshot in self.snapshots()]
        exact = [one for one in found if name in (one.id, one.label.name)]
        starts = exact[-1:] or [one for one in found if len(name) >= 4 and one.id.startswith(name)]
        if not starts:
            raise NotFoundError(f"no snapshot {name!r}", "`wavectl snapshots list` shows those there are")
        if len(starts) > 1:
            raise NotFoundError(f"{name!r} begins the hashes of {len(starts)} snapshots", "give more of it")
        return starts[0]

    def about(self, snapshot: Snapshot) -> About:
        """What its tree cannot say of it."""
        return self.about_commit(snapshot.about)

    def about_commit(self, commit: str) -> About:
        """The same, by the commit that says it ("" for none)."""
        if not commit:
            return About()
        (found,) = self.read_objects([f"{commit}:{ABOUT_FILE}"])
        if found is None:
            raise SnapshotError(f"the store is damaged: {commit} is missing", "see docs/snapshots.md")
        try:
            return About.from_json(found)
        except (ValueError, KeyError, TypeError) as error:
            raise SnapshotError(f"the store is damaged: {commit} cannot be read: {error}") from None

    def read_objects(self, names: Sequence[str]) -> Iterator[bytes | None]:
        """The content of objects, in order; None for one that is not there. Names hold no newline."""
        if not names:
            return
        pipe = subprocess.PIPE
        process = self.git.start("cat-file", "--batch", stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        with process:
            questions, answers = git.input_(process), git.output(process)
            try:
                for name in names:
                    questions.write(name.encode() + b"\n")
                    questions.flush()
                    words = answers.readline().split()
                    if not words:
                        raise SnapshotError("git cat-file ended early")
                    if len(words) != 3:
                        yield None
                        continue
                    yield answers.read(int(words[2]))
                    answers.read(1)
            except BrokenPipeError:
                raise SnapshotError("git cat-file ended early") from None
            finally:
                process.kill()

    def blobs(self, trees: Sequence[str], path: str) -> list[str]:
        """The blob at one path in each of some trees; "" where there is none."""
        raw = os.fsencode(path)
        if b"\n" in raw:
            return [self.entry(tree, path)[0] for tree in trees]
        names = b"".join(b"%s:%s\n" % (tree.encode(), raw) for tree in trees)
        out = self.git.run("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=names) if trees else b""
        return [line[:-5].decode() if line.endswith(b" blob") else "" for line in out.split(b"\n")[:-1]]

    def entry(self, tree: str, path: str) -> tuple[str, int]:
        """Blob and git's mode of a path in a tree; ("", 0) where there is no file."""
        out = self.git.run("ls-tree", "-z", "--full-tree", tree, "--", path)
        words = out.partition(b"\t")[0].split()
        return (words[2].decode(), int(words[0], 8)) if len(words) == 3 and words[1] == b"blob" else ("", 0)

    def changes(self, old: str, new: str) -> list[Change]:
        """How two trees differ ("" for an empty one), by path."""
        old, new = old or self.empty_tree(), new or self.empty_tree()
        if old == new:
            return []
        out = self.git.run("diff-tree", "-r", "-z", "--raw", "--no-renames", "--full-index", old, new)
        parts = out.split(b"\0")
        return [_change(parts[index], parts[index + 1]) for index in range(0, len(parts) - 1, 2)]

    def empty_tree(self) -> str:
        """The hash of the tree without files, which git always knows."""
        return "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

    def folders(self, tree: str) -> set[bytes]:
        """All folders of a tree."""
        return set(self.git.run("ls-tree", "-r", "-d", "-z", "--name-only", "--full-tree", tree).split(b"\0")[:-1])

    def size(self) -> Size:
        """What the store takes on disk."""
        total = 0
        for folder, _, names in os.walk(self.git_dir.parent):
            for name in names:
                try:
                    total += os.lstat(os.path.join(folder, name)).st_blocks * 512  # noqa: PTH118 — many of them
                except FileNotFoundError:
                    continue
        refs = self.git.run("for-each-ref", "--format=x", REFS)
        return Size(total, refs.count(b"x"))


def message(snapshot: Snapshot) -> bytes:
    """The commit message: the reason, then one line for each figure, in the form of git's trailers."""
    label = {key: _line(value) for key, value in asdict(snapshot.label).items()}
    lines = [label.pop("reason") or "snapshot", ""]
    lines += [f"Waved-{key.capitalize()}: {value}" for key, value in label.items() if value]
    lines += [f"Waved-Files: {snapshot.files}", f"Waved-Changed: {snapshot.changed}"]
    lines += [f"Waved-Time: {snapshot.time:.6f}"]
    if snapshot.skipped:
        lines.append(f"Waved-Skipped: {len(snapshot.skipped)}")
    return ("\n".join(lines) + "\n").encode(errors="replace")


def parse(commit: str, tree: str, about: str, text: bytes) -> Snapshot:
    """A snapshot from its commit; figures that cannot be read are 0."""
    lines = text.split(b"\n")
    values: dict[str, str] = {}
    for line in lines[1:]:
        if line.startswith(_PREFIX):
            key, _, value = line[len(_PREFIX) :].partition(b": ")
            values[key.decode(errors="replace").lower()] = value.decode(errors="replace")
    names = {field.name for field in fields(Label)} - {"reason"}
    label = Label(lines[0].decode(errors="replace"), **{key: values[key] for key in names if key in values})
    try:
        time, files, changed = float(values["time"]), int(values["files"]), int(values["changed"])
    except (KeyError, ValueError):
        time, files, changed = 0.0, 0, 0
    return Snapshot(commit, tree, time, label, files, changed, about=about.partition(" ")[0])


def _line(text: str) -> str:
    return " ".join(text.split())[:500]


def _change(about: bytes, path: bytes) -> Change:
    old_mode, new_mode, old_blob, new_blob, letter = about.lstrip(b":").decode().split()
    kinds = {"A": "added", "D": "deleted", "T": "typechange", "M": "modified"}
    kind = kinds.get(letter[0], "modified")
    if kind == "modified" and old_blob == new_blob:
        kind = "mode"
    modes = int(old_mode, 8), int(new_mode, 8)
    return Change(os.fsdecode(path), kind, *modes, old_blob.strip("0") and old_blob, new_blob.strip("0") and new_blob)
