"""One archive with all that is known of a session: its events, views, metrics, and the files of its folder.

It is put together here from pieces the daemon sends, so it is the same for a daemon elsewhere, takes no room on the
daemon's disk, and holds one piece in memory at a time. A zip file: each part can be read without unpacking the others,
a part need not be measured before it is written (that of a session that goes on grows), and nothing in it can be a
link or belong to anybody.
"""

from __future__ import annotations

import json
import os
import secrets
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from waved.credentials import mask_bytes, mask_value
from waved.errors import ConflictError, NotFoundError, ResourceError, WavedError

if TYPE_CHECKING:
    from wavectl.client import Client

FORMAT = 1
"""Of what is in the archive; a manifest says which."""
WAIT = 60.0
"""Seconds more than usual that an answer may take: metrics are computed from all events."""
_LONGEST_NAME = 400


def export(client: Client, session: str, target: Path | None = None) -> dict[str, Any]:
    """Write the archive to `target` (SESSION.zip in the present folder if not given), which must not be there yet.

    Returns {session, file, bytes, events, runs, files, problems}: what could not be had is named in `problems`. The
    file appears when it is whole. Raises ConflictError when `target` is there, ResourceError when it cannot be written.
    """
    view = client.status(session)
    name = str(view["session"])
    path = (target or Path(f"{name}.zip")).absolute()
    if path.exists() or path.is_symlink():
        raise _there(path)
    with _whole(path) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            told = _Archive(client, archive, name).fill(view)
        size = file.tell()
    return {"session": name, "file": str(path), "bytes": size, **told}


class _Archive:
    """The archive of one session, as it is filled."""

    def __init__(self, client: Client, archive: zipfile.ZipFile, session: str) -> None:
        self._client = client
        self._archive = archive
        self._session = session
        self._problems: list[str] = []

    def fill(self, view: dict[str, Any]) -> dict[str, Any]:
        """All of it; what was told."""
        events = self._events(int(view["last_seq"]))
        self._json("view.json", view)
        with self._excused("metrics"):
            params = {"session": self._session}
            self._json("metrics.json", self._client.request("session.metrics", params, wait=WAIT))
        files = self._files()
        runs = sum(len(item["runs"]) for wave in view["waves"] for item in wave["assignments"])
        told = {"events": events, "runs": runs, "files": files, "problems": self._problems}
        about = {"format": FORMAT, "session": self._session, "state": view["state"], "exported": time.time()}
        self._json("manifest.json", {**about, "last_seq": view["last_seq"], **told})
        return told

    def _events(self, last: int) -> int:
        """The journal's events up to the one that the view tells of, a line of JSON each."""
        from wavectl.cursor import Cursor

        count = 0
        with self._part("events.jsonl") as part:
            for batch in self._client.batches(Cursor(self._session), follow=False):
                for event in batch:
                    if event["seq"] <= last:
                        part.write(_line(event))
                        count += 1
        return count

    def _files(self) -> int:
        count = 0
        with self._excused("files"):
            found = self._client.request("files.list", {"session": self._session}, wait=WAIT)
            if found["more"]:
                self._problems.append("there are more files than the daemon tells of")
            for each in found["files"]:
                if self._is_safe(each["path"]):
                    with self._excused(each["path"]):
                        self._file(each["path"], int(each["size"]))
                        count += 1
        return count

    def _file(self, path: str, size: int) -> None:
        """The first `size` bytes of a file: what has been added since belongs to a later moment."""
        offset = 0
        piece = self._piece(path, offset)
        with self._part(path) as part:
            while True:
                part.write(mask_bytes(piece["data"]))
                if piece["next"] <= offset or piece["next"] >= size:
                    return
                offset = piece["next"]
                piece = self._piece(path, offset)

    def _piece(self, path: str, offset: int) -> dict[str, Any]:
        return self._client.request("files.read", {"session": self._session, "path": path, "offset": offset}, wait=WAIT)

    def _is_safe(self, path: object) -> bool:
        """A path that stays in the archive's own folder wherever it is unpacked."""
        if isinstance(path, str) and path.isprintable() and len(path) <= _LONGEST_NAME and "\\" not in path:
            safe = all(part not in ("", ".", "..") for part in path.split("/"))
        else:
            safe = False
        if not safe:
            self._problems.append(f"a file was left out for its name: {str(path)[:100]!r}")
        return safe

    def _json(self, name: str, value: object) -> None:
        with self._part(name) as part:
            part.write(_line(value, indent=1))

    @contextmanager
    def _part(self, name: str) -> Iterator[IO[bytes]]:
        info = zipfile.ZipInfo(f"{self._session}/{name}", time.localtime()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        with self._archive.open(info, "w", force_zip64=True) as part:
            yield part

    @contextmanager
    def _excused(self, what: str) -> Iterator[None]:
        """What cannot be had is named, and does not keep back the rest; only a daemon that is gone ends it."""
        from waved.errors import NoDaemonError

        try:
            yield
        except NoDaemonError:
            raise
        except WavedError as error:
            self._problems.append(f"{what}: {error.message}")


def _line(value: object, indent: int | None = None) -> bytes:
    return json.dumps(mask_value(value), ensure_ascii=False, indent=indent).encode(errors="replace") + b"\n"


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """A file that is at `path` when all of it is on disk, and never replaces another."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        fd = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.link(unfinished, path)
        finally:
            with suppress(OSError):
                unfinished.unlink()
    except FileExistsError:
        raise _there(path) from None
    except FileNotFoundError:
        raise NotFoundError(f"there is no folder {path.parent}", "name a file in a folder that is there") from None
    except OSError as error:
        raise ResourceError(f"{path} cannot be written: {error.strerror}", "name another file with -o") from None


def _there(path: Path) -> ConflictError:
    return ConflictError(f"{path} is there already", "name another file with -o: nothing is overwritten")
