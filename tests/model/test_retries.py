"""The model of retries on sequences whose outcome anybody can work out."""

from fractions import Fraction

from model.retries import ModelCall, ModelUpstream
from trafficcore.spec import Retries, RetryCaps

HALF = Fraction(1, 2)


def begin(policy, upstream=None, repeat=True):
    return ModelCall(policy, upstream or ModelUpstream(), Fraction(0), repeat)


def test_the_interval_doubles_up_to_ten_times_and_attempts_run_out():
    call = begin(Retries(6, "5xx", base_interval=1, caps=RetryCaps()))
    waits = [call.answered(500, Fraction(0), HALF) for _ in range(7)]
    assert waits == [HALF, 1, 2, 4, 5, 5, None]


def test_a_cap_of_one_is_free_again_when_the_retry_is_over():
    upstream = ModelUpstream()
    policy = Retries(2, "503", base_interval=1, caps=RetryCaps(max_retries=1))
    first, second = begin(policy, upstream), begin(policy, upstream)
    assert first.answered(503, Fraction(0), HALF) == HALF
    assert second.answered(503, Fraction(0), HALF) is None
    first.over()
    assert second.answered(503, Fraction(0), HALF) == 1


def test_a_budget_is_a_share_of_the_tries_in_flight():
    upstream = ModelUpstream()
    upstream.log = [("try begins", None)] * 10
    caps = RetryCaps(budget_percent=20, min_retry_concurrency=0)
    calls = [begin(Retries(1, "503", caps=caps), upstream) for _ in range(3)]
    assert [call.answered(503, Fraction(0), 0) for call in calls] == [0, 0, None]


def test_what_is_not_asked_for_not_safe_or_too_late_is_not_tried_again():
    policy = Retries(9, "reset,connect-failure", timeout=5, base_interval=1)
    call = begin(policy, repeat=False)
    assert call.answered(503, Fraction(0), HALF) is None
    assert call.failed("reset", Fraction(0), HALF) is None
    assert call.failed("connect-failure", Fraction(0), HALF) == HALF
    assert call.failed("connect-failure", Fraction(0), HALF, replayable=False) is None
    assert call.failed("connect-failure", Fraction(4), HALF) is None
