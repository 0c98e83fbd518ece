"""Keys: how they are written and kept, and who is authorised."""

from __future__ import annotations

from pathlib import Path

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st
from zmq.utils import z85

from wavectl.remote import address_of
from waved.errors import BadRequestError, ConflictError, NotAllowedError, NotFoundError, WavedError
from waved.ipc.keys import MOST, Client, Keyring, Pair, new_pair, read_pair, write_pair, written_key


def test_a_pair_is_kept_whole_and_private(tmp_path: Path) -> None:
    pair, path = new_pair(), tmp_path / "sub" / "key"
    write_pair(path, pair)
    assert read_pair(path) == pair
    assert path.stat().st_mode & 0o777 == 0o600
    assert pair.secret not in repr(pair)
    assert zmq.curve_public(z85.encode(bytes.fromhex(pair.secret))) == z85.encode(bytes.fromhex(pair.public))
    with pytest.raises(ConflictError, match="exists already"):
        write_pair(path, new_pair())
    assert read_pair(path) == pair


def test_a_key_that_others_may_read_or_that_is_damaged_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_pair(path, new_pair())
    path.chmod(0o640)
    with pytest.raises(NotAllowedError, match="others may read"):
        read_pair(path)
    path.chmod(0o600)
    path.write_text("nonsense\n")
    with pytest.raises(NotAllowedError, match="holds no secret key"):
        read_pair(path)
    with pytest.raises(FileNotFoundError):
        read_pair(tmp_path / "none")


@given(st.text(max_size=70))
def test_only_keys_are_keys(text: str) -> None:
    try:
        key = written_key(text)
    except BadRequestError:
        return
    assert len(bytes.fromhex(key)) == 32


def test_who_is_authorised_is_remembered(tmp_path: Path) -> None:
    ring, first, second = Keyring(tmp_path), new_pair().public, new_pair().public
    assert ring.clients() == []
    ring.authorize(first, "view", "laptop")
    ring.authorize(second, "control", "")
    ring.authorize(first.upper(), "control", "desk")
    for known in (ring, Keyring(tmp_path)):
        assert [(each.key, each.role, each.name) for each in known.clients()] == [
            (first, "control", "desk"),
            (second, "control", second[:8]),
        ]
    with pytest.raises(ConflictError, match="another client is called 'desk'"):
        ring.authorize(second, "view", "desk")
    for wrong in ("", "root", "View"):
        with pytest.raises(BadRequestError, match="no role"):
            ring.authorize(first, wrong, "x")
    for wrong in ("two words", "a\nb", "x" * 65, "#"):
        with pytest.raises(BadRequestError, match="no name"):
            ring.authorize(first, "view", wrong)
    assert ring.revoke("desk").key == first
    assert ring.revoke(second[:8]).key == second
    for gone in (first, "desk", ""):
        with pytest.raises(NotFoundError):
            ring.revoke(gone)
    assert Keyring(tmp_path).clients() == []


def test_a_damaged_list_lets_nobody_in_and_is_not_overwritten(tmp_path: Path) -> None:
    Keyring(tmp_path).authorize(new_pair().public, "view", "a")
    path = tmp_path / "clients"
    for line in ("half a line\n", f"{'0' * 63} view 1 x\n", f"{'0' * 64} root 1 x\n", f"{'0' * 64} view now x\n"):
        path.write_text(line)
        with pytest.raises(NotAllowedError, match="clients:1"):
            Keyring(tmp_path)
        assert path.read_text() == line


def test_a_revocation_that_cannot_be_written_holds_all_the_same(tmp_path: Path) -> None:
    ring, key = Keyring(tmp_path / "keys"), new_pair().public
    ring.authorize(key, "control", "a")
    (tmp_path / "keys" / "clients.new").mkdir()
    with pytest.raises(NotAllowedError, match="cannot write"):
        ring.revoke("a")
    assert ring.find(key) is None
    with pytest.raises(NotAllowedError, match="cannot write"):
        ring.authorize(key, "control", "a")
    assert ring.find(key) is None, "nobody is let in who would be forgotten"


def test_the_list_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = Keyring(tmp_path)
    ring._clients = {f"{n:064x}": Client(f"{n:064x}", "view", f"n{n}", 0.0) for n in range(MOST)}
    with pytest.raises(ConflictError, match="authorised already"):
        ring.authorize("f" * 64, "view", "one-more")
    ring.authorize(f"{7:064x}", "control", "n7")


def test_the_daemons_own_key_is_made_once(tmp_path: Path) -> None:
    first = Keyring(tmp_path).server()
    assert isinstance(first, Pair)
    assert Keyring(tmp_path).server() == first


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("host", "tcp://host:7417"),
        ("host:1", "tcp://host:1"),
        ("tcp://host", "tcp://host:7417"),
        ("tcp://10.0.0.1:70", "tcp://10.0.0.1:70"),
        ("[::1]", "tcp://[::1]:7417"),
        ("[::1]:80", "tcp://[::1]:80"),
    ],
)
def test_addresses_as_people_write_them(written: str, meant: str) -> None:
    assert address_of(written) == meant


@given(st.text(max_size=30))
def test_any_other_text_is_refused_or_an_address(text: str) -> None:
    try:
        assert address_of(text).startswith("tcp://")
    except WavedError as error:
        assert "no address" in error.message
