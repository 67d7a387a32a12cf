"""Shared buckets between real processes: killed in mid-decision, stopped, forked, many at once."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

START = """
import atexit, mmap, os, random, signal, sys, time
from trafficcore.engine.guard import after_fork, new_lock
from trafficcore.store import HostFile, SharedGcra, SharedKeyed

path = sys.argv[1] + "/limits"
#: Counters that all processes see, one for each of a thousand of them.
seen = memoryview(mmap.mmap(-1, 8000)).cast("Q")
def shared(**settings):
    file = HostFile(path, slots=256, lock=new_lock(), **settings)
    after_fork(file)
    return file
running = set()
@atexit.register
def end_all():
    for pid in running:
        os.kill(pid, signal.SIGKILL)
def child(work):
    pid = os.fork()
    if pid == 0:
        running.clear()
        try:
            work()
        finally:
            os._exit(17)
    running.add(pid)
    return pid
def end(pid, how=signal.SIGKILL):
    if how is not None:
        os.kill(pid, how)
    running.discard(pid)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
def until(condition):
    while not condition():
        time.sleep(0)
"""

KILLED = """
file = shared(patience=60)
LARGE = 10**9
bucket = SharedGcra(file, "a", LARGE, 1e-6)
keyed = SharedKeyed(HostFile(path + "-keys", slots=64, lock=new_lock(), patience=60), 1, 1000)
draw = random.Random(13)
def work(turn):
    def decide():
        now = 0.0
        while bucket.try_acquire(1e6):
            seen[turn] += 1
            now += 1e-4
            keyed.try_acquire(str(seen[turn] % 200), now)
    return decide
for turn in range(200):
    pid = child(work(turn))
    most = draw.randrange(100)
    until(lambda: seen[turn] > most)
    assert end(pid) == -signal.SIGKILL
    before = bucket.tokens_at(1e6)
    assert bucket.try_acquire(1e6)  # at once: the kernel has let go of the lock
    assert keyed.try_acquire("mine", 1e9 + turn)
    assert not keyed.try_acquire("mine", 1e9 + turn)
counted = sum(seen[turn] for turn in range(200)) + 200
spent = LARGE - bucket.tokens_at(1e6)
assert counted - 0.5 <= spent <= counted + 200 + 0.5, (counted, spent)
"""

STOPPED = """
file = shared(patience=0.05)
bucket = SharedGcra(file, "a", 10, 1e-6)
other = SharedGcra(file, "b", 10, 1e-6)
def hold():
    file.seize()
    seen[0] = 1
    until(lambda: seen[1])
    file.release()
    seen[2] = 1
    until(lambda: False)
pid = child(hold)
until(lambda: seen[0])
os.kill(pid, signal.SIGSTOP)
begun = time.monotonic()
assert not bucket.try_acquire(1.0)
assert 0.05 <= time.monotonic() - begun < 5
assert not any(bucket.try_acquire(1.0) for _ in range(100))
assert bucket.tokens_at(1.0) == 10
seen[1] = 1
os.kill(pid, signal.SIGCONT)
until(lambda: seen[2])
assert sum(bucket.try_acquire(1.0) for _ in range(20)) == 10
end(pid)
# and one that is killed while it is stopped
seen[0] = seen[1] = seen[2] = 0
pid = child(hold)
until(lambda: seen[0])
os.kill(pid, signal.SIGSTOP)
assert not other.try_acquire(1.0)
end(pid)
assert other.try_acquire(1.0)
"""

ORPHANED = """
# a parent is killed while it has the lock; its child, which has its mapping, lives on
def parent():
    file = shared()
    SharedGcra(file, "a", 10, 1e-6)
    def wait():
        seen[0] = os.getpid()
        until(lambda: False)
    child(wait)
    until(lambda: seen[0])
    file.seize()
    seen[1] = 1
    until(lambda: False)
pid = child(parent)
until(lambda: seen[1])
assert end(pid) == -signal.SIGKILL
try:
    assert SharedGcra(shared(patience=5), "a", 10, 1e-6).try_acquire(1.0)
finally:
    os.kill(seen[0], signal.SIGKILL)
"""

FORKED = """
# parent and child have one mapping and two locks
file = shared(patience=0)
bucket = SharedGcra(file, "a", 10, 1e-6)
assert bucket.try_acquire(1.0)
def hold():
    assert bucket.tokens_at(1.0) < 9.1
    assert bucket.try_acquire(1.0)
    file.seize()
    seen[0] = 1
    until(lambda: seen[1])
pid = child(hold)
until(lambda: seen[0])
assert not bucket.try_acquire(1.0)
seen[1] = 1
assert end(pid, None) == 17
assert sum(bucket.try_acquire(1.0) for _ in range(20)) == 8
"""

TOGETHER = """
# four at once, from before and from after the fork, on one bucket that fills meanwhile
file = shared(patience=60)
before = SharedGcra(file, "a", 1000, 20_000.0)
begun = time.monotonic()
def work(turn, make):
    def decide():
        bucket = make()
        seen[100] += 1
        until(lambda: seen[101])
        while (now := time.monotonic()) < begun + 1:
            seen[turn] += bucket.try_acquire(now)
    return decide
makers = [lambda: before, lambda: SharedGcra(shared(patience=60), "a", 1000, 20_000.0)] * 2
pids = [child(work(turn, make)) for turn, make in enumerate(makers)]
seen[101] = 1
for pid in pids:
    assert end(pid, None) == 17
took = time.monotonic() - begun
granted = sum(seen[turn] for turn in range(4))
assert granted <= 1000 + 20_000 * took, (granted, took)
assert granted + before.tokens_at(begun + took) <= 1000 + 20_000 * took + 0.01
assert granted >= 1000 + 15_000, granted
assert all(seen[turn] for turn in range(4)), list(seen[:4])
"""

RESTARTED = """
# everybody is killed and starts again: what was spent stays spent
for turn in range(5):
    def work():
        bucket = SharedGcra(shared(), "a", 100, 1e-6)
        seen[0] += sum(bucket.try_acquire(1.0) for _ in range(30))
        seen[turn + 1] = 1
        until(lambda: False)
    pid = child(work)
    until(lambda: seen[turn + 1])
    end(pid)
assert seen[0] == 100
"""


@pytest.mark.parametrize(
    "script",
    [KILLED, STOPPED, ORPHANED, FORKED, TOGETHER, RESTARTED],
    ids=["killed", "stopped", "orphaned", "forked", "together", "restarted"],
)
def test_between_processes(tmp_path, script):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", START + script + "\nprint('fine')", str(tmp_path)],
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert (done.stdout, done.stderr) == ("fine\n", "")
