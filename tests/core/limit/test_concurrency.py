"""Caps admit below their maximum; a retry budget follows the load."""

import math
from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.core.limit import Cap, ConcurrencyLimit, RetryBudget, by_priority
from trafficcore.errors import ConfigError


@given(most=st.integers(0, 5), steps=st.lists(st.sampled_from(["try_acquire", "inc", "release"])))
def test_a_cap_counts_as_a_list_of_holders_would(most, steps):
    cap, holders = Cap(most), []
    for step in steps:
        if step == "try_acquire":
            admitted = len(holders) < most
            assert cap.try_acquire() is admitted
            holders += [None] * admitted
        elif step == "inc":
            cap.inc()
            holders.append(None)
        elif holders:
            cap.release()
            holders.pop()
        else:
            with pytest.raises(ConfigError, match="released more than was acquired"):
                cap.release()
        assert cap.current == len(holders)
        assert cap.open is (len(holders) >= most)
        assert cap.remaining == max(0, most - len(holders))


def test_defaults_are_envoys():
    limit = ConcurrencyLimit()
    assert {name: limit.cap(name).max for name in limit.RESOURCES} == {
        "connections": 1024,
        "pending_requests": 1024,
        "requests": 1024,
        "retries": 3,
        "connection_pools": math.inf,
    }
    assert limit.connection_pools.try_acquire()


@pytest.mark.parametrize(
    ("active", "pending", "most"),
    [(0, 0, 3), (15, 0, 3), (19, 0, 3), (20, 0, 4), (10, 10, 4), (24, 0, 4), (100, 25, 25)],
)
def test_a_retry_budget_is_a_share_of_the_load_rounded_down(active, pending, most):
    limit = ConcurrencyLimit(retry_budget=RetryBudget(), max_retries=1)
    for _ in range(active):
        limit.requests.inc()
    for _ in range(pending):
        limit.pending_requests.inc()
    assert limit.retries.max == most
    assert sum(limit.retries.try_acquire() for _ in range(200)) == most
    assert limit.retries.open
    assert limit.retries.remaining == 0


def test_a_retry_budget_shrinks_with_the_load_and_nobody_is_thrown_out():
    limit = ConcurrencyLimit(retry_budget=RetryBudget(F(50), 1))
    for _ in range(8):
        limit.requests.inc()
    assert sum(limit.retries.try_acquire() for _ in range(9)) == 4
    for _ in range(6):
        limit.requests.release()
    assert (limit.retries.current, limit.retries.max, limit.retries.open) == (4, 1, True)
    for _ in range(4):
        limit.retries.release()
    assert limit.retries.try_acquire()
    assert not limit.retries.try_acquire()


def test_the_first_entry_of_a_priority_counts_and_missing_ones_are_defaults():
    limits = by_priority(
        [("high", ConcurrencyLimit(max_requests=1)), ("high", ConcurrencyLimit(max_requests=9))]
    )
    assert limits["high"].requests.max == 1
    assert limits["default"].requests.max == 1024
    with pytest.raises(ConfigError, match="priority must be one of default, high, not 'low'"):
        by_priority([("low", ConcurrencyLimit())])


def test_what_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="whole number from 0, not -1"):
        Cap(-1)
    with pytest.raises(ConfigError, match="not nan"):
        ConcurrencyLimit(max_requests=math.nan)
    with pytest.raises(ConfigError, match="budget_percent must be from 0 to 100, not 101"):
        RetryBudget(101)
    with pytest.raises(ConfigError, match="min_retry_concurrency must be from 0, not -1"):
        RetryBudget(20, -1)
    with pytest.raises(ConfigError, match="no such resource: 'threads'"):
        ConcurrencyLimit().cap("threads")


def test_the_snapshot_is_plain_data():
    limit = ConcurrencyLimit(max_requests=2)
    limit.requests.try_acquire()
    assert limit.snapshot(0.0)["requests"] == {"current": 1, "max": 2}
