"""gRPC's outlier detection: late sweeps come to the same as prompt ones; chance; settings."""

from fractions import Fraction

import hypothesis.strategies as st
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from trafficcore.core.outlier import (
    FailurePercentageEjection,
    GrpcEjector,
    GrpcSettings,
    Kind,
    Returned,
    SuccessRateEjection,
)
from trafficcore.errors import ConfigError

FAILING = FailurePercentageEjection(minimum_hosts=2, request_volume=2, threshold=50)
RATES = SuccessRateEjection(minimum_hosts=2, request_volume=2, stdev_factor=510)


def make(hosts="abc", now=0, draw=None, **settings):
    ejector = GrpcEjector(GrpcSettings(**settings), draw=draw)
    return ejector, *(ejector.add(host, now) for host in hosts)


def call(ejector, tally, ok, times):
    for _ in range(times):
        ejector.record(tally, ok=ok)


def told(ejector):
    # `until` is on the grid, which forced sweeps leave alone
    return [(change.key, change.at, change.kind) for change in ejector.take_changes()]


step = st.tuples(
    st.integers(0, 2),
    st.integers(0, 4),
    st.integers(0, 4),
    st.integers(0, 40) | st.integers(0, 3),
)


@hypothesis_settings(deadline=None)
@given(
    st.lists(step, max_size=12),
    st.sampled_from([Fraction(10), Fraction(35), Fraction(1)]),
    st.sampled_from([0, 5, 40, 300]),
    st.sampled_from([10, 40, 100]),
)
def test_late_sweeps_come_to_the_same_as_prompt_ones(steps, base, maximum, percent):
    def begin():
        return make(
            base_ejection_time=base,
            max_ejection_time=maximum,
            max_ejection_percent=percent,
            success_rate_ejection=RATES,
            failure_percentage_ejection=FAILING,
        )

    late, prompt = begin(), begin()
    now = 0
    for host, good, bad, intervals in steps:
        for ejector, *tallies in (late, prompt):
            call(ejector, tallies[host], True, good)
            call(ejector, tallies[host], False, bad)
        for _ in range(intervals):
            now += 10
            prompt[0].force_sweep(now)
        late[0].sweep(now)
        assert late[0].next_deadline() == now + 10
    assert told(late[0]) == told(prompt[0])
    assert late[0].stats == prompt[0].stats
    assert late[0].active == prompt[0].active == sum(tally.ejected for tally in late[1:])
    for one, other in zip(late[1:], prompt[1:], strict=True):
        assert (one.ejected, one.multiplier, one.last_unejection) == (
            other.ejected,
            other.multiplier,
            other.last_unejection,
        )


def test_a_return_is_told_and_until_is_when():
    ejector, a, b, _c = make(failure_percentage_ejection=FAILING)
    call(ejector, a, False, 2)
    call(ejector, b, True, 2)
    ejector.sweep(10)
    [ejected] = ejector.take_changes()
    assert (ejected.kind, ejected.key, ejected.at) == (Kind.FAILURE_PERCENTAGE, "a", 10)
    assert ejected.until == 50  # strictly past 40
    assert (ejected.count, ejected.requests, ejected.rate, ejected.threshold) == (2, 2, 0, 50)
    assert (ejector.active, ejector.version) == (1, 1)
    ejector.sweep(1000)
    assert ejector.take_changes() == [Returned(key="a", at=50, kind=Kind.FAILURE_PERCENTAGE)]
    assert (ejector.active, ejector.version, a.multiplier) == (0, 2, 0)


def test_an_ejection_anew_is_one_ejected_host():
    ejector, a, b, _c = make(failure_percentage_ejection=FAILING, max_ejection_percent=100)
    for now in (10, 20):
        call(ejector, a, False, 2)
        call(ejector, b, True, 2)
        ejector.sweep(now)
    assert (ejector.active, ejector.version, a.multiplier, a.num_ejections) == (1, 1, 2, 2)
    assert [change.until for change in ejector.changes] == [50, 90]
    ejector.remove(a, 21)
    ejector.remove(a, 22)
    assert (ejector.active, ejector.version, len(ejector)) == (0, 2, 2)


def test_chance_takes_the_draws_given():
    rule = FailurePercentageEjection(
        minimum_hosts=2, request_volume=2, threshold=50, enforcement_percentage=30
    )
    with pytest.raises(ConfigError, match="draw must be given"):
        make(failure_percentage_ejection=rule)
    numbers = iter([130, 129])
    ejector, a, b, _c = make(
        draw=lambda: next(numbers), failure_percentage_ejection=rule, max_ejection_percent=100
    )
    call(ejector, a, False, 2)
    call(ejector, b, False, 2)
    ejector.sweep(10)
    assert [change.enforced for change in ejector.take_changes()] == [False, True]
    assert ejector.stats == {
        "ejections_enforced": 1,
        "ejections_unenforced_max_ejection_overflow": 0,
        "ejections_unenforced_enforcement_percentage": 1,
    }


def test_off_has_no_deadline_and_on_begins_anew():
    ejector, a, b, _c = make()
    assert ejector.next_deadline() == float("inf")
    call(ejector, a, False, 9)
    a.bad(500)  # an owner that counts past the ejector
    on = GrpcSettings(failure_percentage_ejection=FAILING)
    ejector.update(on, 7)
    assert ejector.next_sweep == 17
    call(ejector, b, True, 2)
    ejector.sweep(17)
    assert ejector.active == 0
    ejector.update(GrpcSettings(interval=3, failure_percentage_ejection=FAILING), 18)
    assert ejector.next_sweep == 20
    ejector.update(GrpcSettings(), 19)
    ejector.force_sweep(19)
    assert ejector.next_sweep == float("inf")
    ejector.update(on, 30)
    assert ejector.next_sweep == 40


def test_success_rates_eject_the_worst():
    ejector, a, b, c = make(success_rate_ejection=RATES)
    for tally, good in ((a, 1), (b, 9), (c, 10)):
        call(ejector, tally, True, good)
        call(ejector, tally, False, 10 - good)
    ejector.sweep(10)
    [ejected] = ejector.take_changes()
    assert (ejected.key, ejected.kind, ejected.rate) == ("a", Kind.SUCCESS_RATE, 10)
    assert ejected.average == pytest.approx(200 / 3)
