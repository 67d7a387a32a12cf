"""A tally counts by the law, free of locks."""

import pytest

from support.exactness import NotAtomic, assert_atomic
from trafficcore.core.outlier import Settings, Tally
from trafficcore.core.outlier.tally import FIRED_5XX, FIRED_GATEWAY, FIRED_LOCAL

RUNS = {"consecutive_5xx", "consecutive_gateway_failure", "consecutive_local_origin_failure"}
COUNTS = {"successes", "failures", "local_successes", "local_failures"}
SETTLED = {f"last_{name}" for name in COUNTS} | {"success_rate", "local_success_rate"}
EDGES = {"edge_5xx", "edge_gateway", "edge_local"}


def armed(**settings):
    tally = Tally("a")
    tally.arm(Settings(**settings))
    return tally


@pytest.mark.parametrize("name", Tally.ATOMIC)
def test_what_is_said_to_be_atomic_is(name):
    assert_atomic(
        getattr(Tally, name),
        state=RUNS | COUNTS | SETTLED,
        constants=EDGES,
        untrusted=["code"],
    )


def test_the_check_sees_a_call_in_between():
    class Wrong:
        def bad(self):
            run = self.consecutive_5xx
            self.consecutive_5xx = max(run, 0) + 1

    with pytest.raises(NotAtomic):
        assert_atomic(Wrong.bad, state=RUNS)


def test_a_run_fires_where_it_equals_its_threshold_and_never_after():
    tally = armed(consecutive_5xx=3)
    assert [tally.bad(500) for _ in range(6)] == [0, 0, FIRED_5XX, 0, 0, 0]
    tally.good()
    assert [tally.bad(500) for _ in range(3)] == [0, 0, FIRED_5XX]


def test_gateway_failures_are_502_to_504_and_any_other_5xx_ends_their_run():
    tally = armed(consecutive_5xx=0, consecutive_gateway_failure=2)
    codes = [502, 500, 503, 501, 504, 505, 502, 504]
    assert [tally.bad(code) for code in codes] == [0] * 7 + [FIRED_GATEWAY]


def test_both_may_fire_at_once():
    tally = armed(consecutive_5xx=2, consecutive_gateway_failure=2)
    assert [tally.bad(503) for _ in range(3)] == [0, FIRED_5XX | FIRED_GATEWAY, 0]
    tally = armed(consecutive_5xx=3, consecutive_gateway_failure=2)
    assert [tally.bad(503) for _ in range(3)] == [0, FIRED_GATEWAY, FIRED_5XX]


def test_zero_switches_a_detector_off():
    tally = armed(
        consecutive_5xx=0, consecutive_gateway_failure=0, consecutive_local_origin_failure=0
    )
    assert not any(tally.bad(503) or tally.bad(500) or tally.local_bad() for _ in range(20))


def test_local_failures_have_a_run_of_their_own():
    tally = armed(consecutive_local_origin_failure=2)
    tally.local_bad()
    tally.good()
    tally.bad(503)
    assert tally.local_bad() == FIRED_LOCAL
    assert tally.local_bad() == 0
    assert tally.consecutive_5xx == 1
    tally.local_good()
    assert tally.consecutive_local_origin_failure == 0
    assert tally.consecutive_5xx == 1


def test_a_turn_settles_the_interval_and_begins_the_next():
    tally = armed()
    tally.good()
    tally.good()
    tally.bad(500)
    tally.local_good()
    tally.local_bad()
    tally.success_rate = tally.local_success_rate = 50
    assert tally.turn() == 5
    settled = (
        tally.last_successes,
        tally.last_failures,
        tally.last_local_successes,
        tally.last_local_failures,
    )
    assert settled == (2, 1, 1, 1)
    assert (tally.success_rate, tally.local_success_rate) == (-1, -1)
    assert tally.consecutive_5xx == 1  # a sweep ends no run
    assert tally.turn() == 0
    assert (tally.last_successes, tally.last_failures) == (0, 0)


def test_a_tally_says_whose_it_is():
    tally = armed()
    tally.bad(500)
    assert repr(tally) == "<Tally 'a' in, 1 5xx in a row>"
