"""Messages between daemon, zygote and workers: whole, in order, and none lost because the peer has gone."""

from __future__ import annotations

import os

import pytest

from waved.pool.channel import INLINE_LIMIT, Channel, ChannelClosedError


def test_messages_and_descriptors_arrive_whole_and_in_order() -> None:
    left, right = Channel.pair()
    reading, writing = os.pipe()
    left.send({"small": 1}, (reading,))
    left.send({"large": b"x" * INLINE_LIMIT * 3})
    message, [passed] = right.receive()
    assert message == {"small": 1}
    os.write(writing, b"through")
    assert os.read(passed, 10) == b"through"
    assert right.receive() == ({"large": b"x" * INLINE_LIMIT * 3}, [])
    for fd in (reading, writing, passed):
        os.close(fd)
    left.close()
    right.close()


def test_last_words_are_heard_from_a_peer_that_did_not_read_all_it_was_sent() -> None:
    ours, theirs = Channel.pair()
    ours.send({"release": 1})
    theirs.send({"ended": 1})
    theirs.send({"ended": 2})
    theirs.close()  # with our message unread: the kernel reports that before what it holds for us
    assert [ours.receive()[0], ours.receive()[0]] == [{"ended": 1}, {"ended": 2}]
    with pytest.raises(ChannelClosedError):
        ours.receive()
    with pytest.raises(ChannelClosedError):
        ours.send({"more": 1})
    ours.close()


def test_an_end_of_file_is_the_end() -> None:
    ours, theirs = Channel.pair()
    theirs.close()
    with pytest.raises(ChannelClosedError):
        ours.receive()
    ours.close()
