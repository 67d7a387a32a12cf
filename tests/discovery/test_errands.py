"""Errands: on as many threads as there are, and none left over."""

import threading

import pytest

from trafficcore.discovery.errands import Errands


def joined():
    for thread in threading.enumerate():
        if thread.name == "trafficcore-errand":
            thread.join(10)


def test_errands_run_on_at_most_so_many_threads_which_then_end():
    errands = Errands(2)
    gate, lock = threading.Event(), threading.Lock()
    at_once, most, done = 0, 0, []

    def errand(number):
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        assert gate.wait(10)
        with lock:
            at_once -= 1
            done.append(number)

    for number in range(6):
        errands.run(lambda number=number: errand(number))
    assert errands.threads == 2
    gate.set()
    joined()
    assert sorted(done) == list(range(6))
    assert most <= 2
    assert errands.threads == 0
    errands.run(lambda: done.append("again"))
    joined()
    assert done[-1] == "again"


def test_where_no_thread_can_start_the_caller_is_told_and_nothing_is_left(monkeypatch):
    errands = Errands(2)

    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError):
        errands.run(lambda: None)
    assert (errands.threads, len(errands._left)) == (0, 0)
    errands.threads = 1  # one is at work, and will come by
    errands.run(lambda: None)
    assert (errands.threads, len(errands._left)) == (1, 1)


def test_a_fork_leaves_threads_and_work_behind():
    errands = Errands(1)
    errands.threads = 1
    errands.run(lambda: None)
    errands.after_fork()
    assert (errands.threads, len(errands._left)) == (0, 0)
