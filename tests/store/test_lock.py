"""Who has the lock of a file, and what becomes of those who cannot have it."""

import os
from math import inf

import pytest

from support.shared import shared_gcra
from trafficcore.errors import StoreError
from trafficcore.store import HostFile, SharedGcra, SharedKeyed
from trafficcore.store.lock import LET_GO, TAKE, flock


class Waits:
    """Time that passes by sleeping alone; `then` happens when so many seconds have passed."""

    def __init__(self):
        self.now = 0.0
        self.sleeps = []
        self.events = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.sleeps.append(seconds)
        self.now += seconds + 1e-6
        while self.events and self.events[0][0] <= self.now:
            self.events.pop(0)[1]()


@pytest.fixture
def waits():
    return Waits()


@pytest.fixture
def file(tmp_path, waits):
    with_waits = HostFile(
        tmp_path / "limits", slots=8, patience=0.25, clock=waits.clock, sleep=waits.sleep
    )
    yield with_waits
    with_waits.close()


@pytest.fixture
def holder(file):
    """Another open file of the same: as another process would lock it."""
    fd = os.open(file.path, os.O_RDWR)
    yield fd
    os.close(fd)


def test_a_decision_leaves_the_lock_free(file, holder):
    assert SharedGcra(file, "a", 1, 1.0).try_acquire(0.0)
    flock(holder, TAKE)


def test_a_holder_that_goes_on_is_waited_for(file, holder, waits):
    bucket = SharedGcra(file, "a", 1, 1.0)
    flock(holder, TAKE)
    waits.events.append((0.1, lambda: flock(holder, LET_GO)))
    assert bucket.try_acquire(0.0)
    assert 0.1 <= waits.now < 0.11
    assert waits.sleeps[0] == 0
    assert not file.stalled


def test_a_holder_that_is_stopped_costs_one_wait_and_then_nothing(file, holder, waits):
    bucket = SharedGcra(file, "a", 5, 1.0)
    flock(holder, TAKE)
    assert not bucket.try_acquire(0.0)
    assert 0.25 <= waits.now < 0.26
    assert file.stalled
    looks = len(waits.sleeps)
    assert [bucket.try_acquire(0.0) for _ in range(5)] == [False] * 5
    assert len(waits.sleeps) == looks
    assert bucket.tokens_at(0.0) == 5  # reading goes on
    flock(holder, LET_GO)
    assert bucket.try_acquire(0.0)
    assert not file.stalled
    assert bucket.tokens_at(0.0) == pytest.approx(4)


def test_the_next_stopped_holder_is_given_the_whole_patience_again(file, holder, waits):
    bucket = SharedGcra(file, "a", 5, 1.0)
    for _ in range(2):
        flock(holder, TAKE)
        before = waits.now
        assert not bucket.try_acquire(0.0)
        assert waits.now - before >= 0.25
        flock(holder, LET_GO)
        assert bucket.try_acquire(0.0)


def test_nothing_is_given_back_past_a_stopped_holder(file, holder):
    bucket, keyed = SharedGcra(file, "a", 5, 0.001), SharedKeyed(file, 5, 0.001)
    assert bucket.try_acquire(0.0, 3)
    assert keyed.try_acquire("k", 0.0, 3)
    flock(holder, TAKE)
    bucket.refund(3, 0.0)
    keyed.refund("k", 3, 0.0)
    assert not keyed.try_acquire("k", 0.0)
    assert bucket.reserve(0.0) == inf
    assert bucket.tokens_at(0.0) == pytest.approx(2)
    assert keyed.tokens_at("k", 0.0) == pytest.approx(2)


def test_a_debt_that_cannot_be_written_down_is_told(file, holder):
    bucket, keyed = SharedGcra(file, "a", 5, 0.001), SharedKeyed(file, 5, 0.001)
    flock(holder, TAKE)
    with pytest.raises(StoreError, match="limits: another worker does not let go of it"):
        bucket.charge(3, 0.0)
    with pytest.raises(StoreError, match="limits: another worker does not let go of it"):
        keyed.charge("k", 3, 0.0)
    assert bucket.level_at(0.0) == keyed.level_at("k", 0.0) == 5


def test_no_record_is_made_past_a_stopped_holder(file, holder):
    flock(holder, TAKE)
    with pytest.raises(StoreError, match="limits: another worker does not let go of it"):
        SharedGcra(file, "a", 5, 1.0)


def interrupting(file, decide):
    """Have `decide()` run inside the next decision, right after it has the lock."""
    seize = file.seize

    class Interrupted(HostFile):
        __slots__ = ()

        def seize(self):
            had = seize()
            self.__class__ = HostFile
            decide()
            return had

    file.__class__ = Interrupted


def test_a_decision_inside_another_is_made_and_the_other_may_be_refused(file):
    """As a signal handler's: it lets go of the lock that the other one had."""
    bucket = SharedGcra(file, "a", 5, 0.001)
    inner = []
    interrupting(file, lambda: inner.append(bucket.try_acquire(0.0)))
    assert not bucket.try_acquire(0.0)
    assert inner == [True]
    assert bucket.tokens_at(0.0) == pytest.approx(4)
    interrupting(file, lambda: inner.append(bucket.try_acquire(0.0)))
    bucket.refund(0.5, 0.0)
    assert inner == [True, True]
    assert bucket.tokens_at(0.0) == pytest.approx(3.5)


def test_with_keys_and_new_records_the_other_is_made_once_more(file):
    keyed = SharedKeyed(file, 5, 0.001)
    inner = []
    interrupting(file, lambda: inner.append(keyed.try_acquire("k", 0.0)))
    assert keyed.try_acquire("k", 0.0)
    interrupting(file, lambda: inner.append(keyed.try_acquire("k", 0.0)))
    keyed.refund("k", 0.5, 0.0)
    assert inner == [True, True]
    assert keyed.tokens_at("k", 0.0) == pytest.approx(2.5)
    found = []
    interrupting(file, lambda: found.append(file.find("one")))
    assert file.find("other") not in found


def test_an_interrupt_in_mid_decision_leaves_the_lock_free(file, holder):
    bucket = SharedGcra(file, "a", 5, 1.0)

    def interrupt():
        raise KeyboardInterrupt

    interrupting(file, interrupt)
    with pytest.raises(KeyboardInterrupt):
        bucket.try_acquire(0.0)
    flock(holder, TAKE)
    assert bucket.tokens_at(0.0) == 5


def test_a_file_renewed_in_a_child_locks_an_open_file_of_its_own(file, holder):
    bucket = SharedGcra(file, "a", 5, 0.001)
    parents = os.dup(file._fd)
    try:
        file.stalled = True
        file.after_fork()
        assert not file.stalled
        flock(parents, TAKE)
        assert not bucket.try_acquire(0.0)  # with the parent's own it would have been granted
        flock(parents, LET_GO)
        assert bucket.try_acquire(0.0)
    finally:
        os.close(parents)


def test_a_child_finds_its_file_even_without_a_name(file):
    bucket = SharedGcra(file, "a", 1, 0.001)
    file.path.unlink()
    file.after_fork()
    assert bucket.try_acquire(0.0)


def test_a_child_that_would_lock_another_file_is_told(file, monkeypatch):
    file.path.unlink()
    file.path.write_bytes(b"another")
    real = os.open

    def without_proc(path, *args):
        if str(path).startswith("/proc"):
            raise FileNotFoundError(path)
        return real(path, *args)

    monkeypatch.setattr(os, "open", without_proc)
    with pytest.raises(StoreError, match="is not where it was: another file took its place"):
        file.after_fork()


def test_the_support_makes_a_bucket_for_each_call():
    one, other = shared_gcra(1, 1.0), shared_gcra(1, 1.0)
    assert one.try_acquire(0.0)
    assert other.try_acquire(0.0)
    assert not one.try_acquire(0.0)
