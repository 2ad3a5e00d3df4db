"""Whole messages between a process and one that it has forked."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

import pytest

from racebench.campaign import pipe


def test_each_end_reads_what_the_other_sends() -> None:
    ours, theirs = pipe.pair()
    ours.send(("call", {"x": 1}))
    theirs.send(None)
    assert theirs.recv() == ("call", {"x": 1})
    assert ours.recv() is None
    assert not ours.poll()
    assert not theirs.poll()
    ours.close()
    theirs.close()


def test_a_message_may_be_larger_than_the_pipe() -> None:
    ours, theirs = pipe.pair()
    large = os.urandom(5_000_000)
    sender = threading.Thread(target=ours.send, args=(large,))
    sender.start()
    assert theirs.recv() == large
    sender.join()
    ours.close()
    theirs.close()


@pytest.mark.parametrize("cut", [b"", b"ra", b"race\0\0", b"race\0\0\0\0\0\0\0\x09half"])
def test_what_is_cut_off_is_the_end(cut: bytes) -> None:
    reads, writes = os.pipe()
    os.write(writes, cut)
    os.close(writes)
    end = pipe.End(reads, -1)
    assert end.poll()
    with pytest.raises(EOFError):
        end.recv()
    end.close()


@pytest.mark.parametrize("nonsense", [b"what a program prints\n", b"race\0\0\0\0\0\0\0\x03no!"])
def test_what_is_no_message_is_told_from_the_end(nonsense: bytes) -> None:
    """It is read no further, for what it says of its length may be anything."""
    reads, writes = os.pipe()
    os.write(writes, nonsense)
    end = pipe.End(reads, -1)
    with pytest.raises(Exception) as raised:
        end.recv()
    assert not isinstance(raised.value, EOFError | OSError)
    os.close(writes)
    end.close()


def test_what_cannot_be_sent_leaves_the_pipe_as_it_was() -> None:
    reads, writes = pipe.leash()
    with suppress(Exception):
        writes.send(lambda: None)
    assert not reads.poll()
    writes.send("next")
    assert reads.recv() == "next"
    writes.close()
    with pytest.raises(EOFError):
        reads.recv()
    reads.close()


def test_those_are_readable_that_have_something_or_have_ended() -> None:
    silent, ended, written = pipe.pair(), pipe.leash(), pipe.leash()
    ended[1].close()
    written[1].send(1)
    ends = [silent[0], ended[0], written[0]]
    assert pipe.readable(ends, 60) == [ended[0], written[0]]
    assert pipe.readable([silent[0]], 0) == []
    for end in (*silent, ended[0], *written):
        end.close()
