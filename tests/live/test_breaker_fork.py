"""Breakers across a fork: the parent's calls are not the child's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
sys.path.insert(0, {tests!r})
from trafficcore.core.breaker import HalfOpen
from trafficcore.live import CircuitBreaker

now = [0.0]
more = dict(clock=lambda: now[0], open_for=10, slow_after=1, max_slow=2)
probing = CircuitBreaker(half_open=HalfOpen(1, max_wait=None), **more)
probing.to("open")
now[0] = 10
probe = probing.try_acquire()
assert probe
assert not probing.try_acquire()
watching = CircuitBreaker(slow_in_flight=True, **more)
running = [watching.acquire() for _ in range(3)]
told = []
telling = CircuitBreaker(on_change=told.append, **more)
teller = telling._tell.__self__
teller._telling = True      # another thread is at it, which the child does not have

pid = os.fork()
if pid == 0:
    try:
        now[0] += 5
        watching.call(int)
        assert watching.state.value == "closed"
        assert watching.snapshot()["slow"] == 0
        probing.good(probe)                 # late, should it end here after all
        assert probing.state.value == "half_open"
        assert probing.try_acquire()
        assert not probing.try_acquire()
        telling.to("open")
        assert len(told) == 1
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert not probing.try_acquire()
probing.good(probe)
assert probing.state.value == "closed"
now[0] += 5
assert watching.try_admit(now[0]) == 0      # the parent's calls hang
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_the_child_of_a_fork_has_no_call_under_way():
    program = PROGRAM.format(tests=str(Path(__file__).parents[1]))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
