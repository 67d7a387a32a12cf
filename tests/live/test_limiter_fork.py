"""A limiter across a fork, with a thread that waits and a thread in and out of its lock."""

import subprocess
import sys

import pytest

FORK = """
import os, threading, time
from trafficcore.live.limiter import RateLimiter

now = [100.0]
limiter = RateLimiter(1, clock=lambda: now[0])
assert limiter.try_acquire()
stop = threading.Event()

def wait():
    try:
        limiter.acquire()
    finally:
        stop.set()

def hold():
    while not stop.is_set():
        with limiter._lock:
            pass

threading.Thread(target=wait, daemon=True).start()
threading.Thread(target=hold, daemon=True).start()
while not limiter._waiting:
    time.sleep(0)

for _ in range(20):
    child = os.fork()
    if child == 0:
        # nobody waits here, no lock is held, and the tokens are those of the moment
        assert limiter.snapshot()["waiting"] == 0
        assert not limiter.try_acquire()
        now[0] += 1
        assert limiter.try_acquire()
        assert not limiter.try_acquire()
        os._exit(17)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17
assert limiter.snapshot()["waiting"] == 1
now[0] += 1
limiter._desk.line.nudge()
assert stop.wait(10)
print("fine")
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork here")
def test_a_limiter_made_before_a_fork_works_in_the_child():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("fine\n", "")
