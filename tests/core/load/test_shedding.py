"""`LoadBucket` and its queue: what passes while latencies are as ever, and while they are not."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.shedding import Shed
from trafficcore.core.load import LoadBucket, LoadQueue, LoadSettings
from trafficcore.errors import ConfigError

SHORT = LoadSettings(long_window=120, long_step=30)


def queue(**more):
    return LoadQueue(LoadSettings(**more))


def calls(shed, start, end, latency, each=10):
    """So many a second come; who is let by ends well after `latency`. Return how many were."""
    passed = 0
    for second in range(start, end):
        for part in range(each):
            now = second + part / each
            if shed.try_acquire(now):
                passed += 1
                shed.record(now, latency)
    return passed


def test_everything_passes_while_latencies_are_as_ever():
    shed = queue()
    assert calls(shed, 0, 300, 0.1) == 3000
    assert shed.snapshot(300)["passes"] is True
    assert shed.snapshot(300)["multiplier"] is None


def test_long_latencies_cut_what_passes_and_it_comes_back():
    shed = queue(increment=0.5)
    calls(shed, 0, 300, 0.1)
    calls(shed, 300, 330, 1.0)
    found = shed.snapshot(330)
    assert found["passes"] is False
    assert found["rate"] < 5
    assert calls(shed, 330, 340, 0.1) <= found["rate"] * 11
    calls(shed, 340, 500, 0.1)
    assert shed.snapshot(500)["passes"] is True
    assert calls(shed, 500, 510, 0.1) == 100


def test_nothing_is_cut_before_the_window_has_filled():
    shed = queue(tolerance=0.5)
    assert calls(shed, 1, 40, 1.0) == 390
    assert shed.snapshot(39)["passes"] is True
    assert shed.snapshot(39)["multiplier"] is not None, "it knows, and is still learning what comes"
    assert shed.snapshot(40)["passes"] is False


def test_after_a_silence_everything_passes_again():
    shed = queue()
    calls(shed, 0, 300, 0.1)
    calls(shed, 300, 330, 1.0)
    assert shed.snapshot(330)["passes"] is False
    assert shed.snapshot(370)["passes"] is True
    assert calls(shed, 400, 429, 5.0) == 290


def test_who_waits_goes_by_the_rate_of_what_came_before():
    shed = queue()
    calls(shed, 0, 300, 0.1)
    calls(shed, 300, 330, 0.3)
    rate = shed.snapshot(330)["rate"]
    assert rate > 1
    now = 330.0
    while shed.try_acquire(now):
        pass
    waiters = [shed.enqueue(now, "all") for _ in range(3)]
    first = shed.next_deadline()
    assert first == pytest.approx(now + 1 / rate, rel=0.01)
    assert shed.poll(first) == waiters[:1]
    # when the rate may change is looked at, whatever is due then
    for _ in range(100):
        shed.enqueue(now, "all", 1, 1000 * rate)
    while (due := shed.next_deadline()) < 340:
        shed.poll(due)
    assert due == 340


def test_one_that_pays_a_debt_goes_as_soon_as_everything_passes():
    shed = queue()
    calls(shed, 0, 300, 0.1)
    calls(shed, 300, 330, 0.3)
    while shed.try_acquire(330):
        pass
    large = shed.enqueue(330, "all", 1, 1000)
    now, polls = 330, 0
    while large.waiting:
        now = max(now, shed.next_deadline())
        shed.poll(now)
        polls += 1
        assert polls < 50, "it is polled over and over for nothing"
    assert 330 < now <= 360, "after a silence of a window all pass, whatever is owed"


def test_a_cut_to_nothing_refuses_and_looks_again():
    shed = queue(min_gradient=0, max_gradient=0)
    calls(shed, 0, 300, 0.1)
    calls(shed, 300, 330, 1.0)
    assert not shed.try_acquire(330)
    waiter = shed.enqueue(330, "all")
    assert shed.poll(330) == [waiter]
    assert waiter.reason is not None
    assert shed.snapshot(360)["passes"] is True, "nothing is seen, so nothing is held back"


def test_what_is_given_back_was_not_let_by():
    budget = LoadBucket(SHORT)
    for now in range(10):
        budget.offer(now, 1)
        assert budget.take(now, 1)
        budget.refund(now, 1)
    assert budget._accepted.before(10)[1] == 0
    assert budget._incoming.before(10)[1] == 10


def test_a_workload_costs_what_it_lately_took():
    shed = queue()
    for _ in range(3):
        shed.record_cost("slow", 1, 0.2)
    shed.record_cost("quick", 1, 0.01)
    assert shed.estimates == {}
    shed.snapshot(40)
    assert shed.estimates == {"slow": pytest.approx(200), "quick": pytest.approx(10)}
    shed.snapshot(5000)
    assert shed.estimates == {}


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 1200), st.sampled_from(["call", "call", "ask", "back"]),
        st.sampled_from([0, 0.1, 0.2, 1, 3]), st.integers(1, 3),
    ),
    max_size=60,
)  # fmt: skip


@given(EVENTS, st.sampled_from([SHORT, LoadSettings(increment=0.7, tolerance=0.5)]))
def test_it_decides_as_lists_of_everything_do(events, settings):
    budget, model = LoadBucket(settings), Shed(settings)
    for tenths, kind, latency, cost in sorted(events, key=lambda event: event[0]):
        now = tenths / 4
        model.at(now)
        if kind == "call":
            budget.offer(now, cost)
            model.began = int(now) if model.began is None else model.began
            model.came.append((now, cost))
            if budget.take(now, cost):
                model.passed.append((now, cost))
                budget.record(now, latency)
                model.latencies.append((now, latency))
        elif kind == "back":
            budget.refund(now, 1)
            model.passed.append((now, -1))
        else:
            budget.look(now)
        assert budget.open is (model.rate is None)
        if model.rate is not None:
            assert budget.rate == pytest.approx(model.rate)
            assert budget.capacity == budget.rate
        assert budget.multiplier == (
            None if model.multiplier is None else pytest.approx(model.multiplier)
        )


@given(st.lists(st.integers(0, 399), min_size=1, max_size=300))
def test_between_two_looks_no_more_passes_than_the_rate_and_one_second_of_it(times):
    shed = queue()
    calls(shed, 0, 300, 0.1)
    calls(shed, 300, 330, 1.0)
    rate = shed.snapshot(330)["rate"]
    passed = sum(bool(shed.try_acquire(330 + time / 40)) for time in sorted(times))
    assert passed <= rate * 11 + 0.01


def test_nobody_waits_for_ever_where_nothing_is_due():
    assert queue().next_deadline() == inf


@pytest.mark.parametrize(
    "given_", [{"tolerance": 0}, {"long_step": 0}, {"long_window": 10}, {"min_gradient": 2}]
)
def test_bounds(given_):
    with pytest.raises(ConfigError, match="not"):
        queue(**given_)
