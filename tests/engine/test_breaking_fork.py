"""An engine's breakers in the child of a fork."""

import pytest

from support import policies as p
from trafficcore import Rejection


@pytest.mark.parametrize("mode", ["enforce", "shadow"])
def test_requests_that_run_in_the_parent_trip_nothing_in_the_child(mode):
    slow = {"slow_after": 0.5, "max_slow": 2}
    for forked in (False, True):
        engine = p.engine(p.breaker(rule=slow), mode=mode)
        for _ in range(2):
            engine.admit(p.request(), 0).watch()
        if forked:
            engine.after_fork()
        engine.policies.table.look(5)  # as the shells do before each request
        refused = isinstance(engine.admit(p.request(), 5), Rejection)
        assert refused is (mode == "enforce" and not forked)
        (seen,) = engine.snapshot(5)["rules"]
        assert seen["breaker"]["state"] == ("closed" if forked else "open")
