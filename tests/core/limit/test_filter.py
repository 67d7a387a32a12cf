"""LimitFilter answers as Envoy's HTTP filter around the limiter does."""

from fractions import Fraction as F

import pytest

from trafficcore.core.limit import Descriptor, DescriptorLimit, Fill, LimitFilter, LocalRateLimit
from trafficcore.errors import ConfigError

HOUR = F(3600)


def made(tokens=1, **settings):
    return LimitFilter(LocalRateLimit(Fill(F(tokens), F(1), HOUR)), **settings)


def test_allowed_then_refused():
    limiter = made()
    first, second = limiter.answer(F(0)), limiter.answer(F(0))
    assert first.allowed
    assert (first.status, first.body, first.headers) == (None, None, ())
    assert not second.allowed
    assert (second.status, second.body) == (429, "local_rate_limited")
    assert second.headers == (("x-envoy-ratelimited", "true"),)
    assert limiter.stats == {"enabled": 2, "ok": 1, "rate_limited": 1, "enforced": 1}


def test_a_filter_that_is_not_enabled_counts_and_takes_nothing():
    limiter = made(enabled=0)
    assert all(limiter.answer(F(0)).allowed for _ in range(3))
    assert limiter.stats == {"enabled": 0, "ok": 0, "rate_limited": 0, "enforced": 0}
    assert limiter.limit.decide(F(0)).allowed


def test_what_is_not_enforced_passes_with_request_headers():
    limiter = made(enforced=0, unenforced_headers=(("x-limited", "yes"),))
    assert limiter.answer(F(0)).request_headers == ()
    second = limiter.answer(F(0))
    assert second.allowed
    assert second.request_headers == (("x-limited", "yes"),)
    assert second.headers == ()
    assert limiter.stats == {"enabled": 2, "ok": 1, "rate_limited": 1, "enforced": 0}


def test_percentages_are_drawn_for_each_request():
    draws = iter([0.2, 0.1, 0.9, 0.3, 0.3, 0.2, 0.7])
    limiter = made(0, enabled=50, enforced=20, draw=lambda: next(draws))
    # enabled and enforced; not enabled; enabled, not enforced; enabled, not enforced
    assert [limiter.answer(F(0)).allowed for _ in range(4)] == [False, True, True, True]
    assert limiter.stats == {"enabled": 3, "ok": 0, "rate_limited": 3, "enforced": 1}
    assert next(draws, None) is None


def test_x_ratelimit_headers_go_on_allowed_and_refused_answers():
    limiter = made(2, x_ratelimit_headers=True)
    names = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
    seen = [dict(limiter.answer(F(0)).headers) for _ in range(3)]
    assert [tuple(headers[name] for name in names) for headers in seen] == [
        ("2", "1", "0"),
        ("2", "0", "3600"),
        ("2", "0", "3600"),
    ]


def test_there_are_no_x_ratelimit_headers_without_a_bucket():
    for default in (None, Fill(0, 1, HOUR)):
        limiter = LimitFilter(LocalRateLimit(default), x_ratelimit_headers=True)
        names = [name for name, _ in limiter.answer(F(0)).headers]
        assert not [name for name in names if name.startswith("x-ratelimit")]


@pytest.mark.parametrize(("status", "sent"), [(503, 503), (400, 400), (399, 429), (200, 429)])
def test_only_an_error_status_is_a_refusals(status, sent):
    limiter = made(0, status=status, body="slow down", headers=(("x-why", "limit"),))
    answer = limiter.answer(F(0))
    assert (answer.status, answer.body) == (sent, "slow down")
    assert ("x-why", "limit") in answer.headers


def test_descriptors_and_connections_reach_the_limiter():
    entries = (("a", "b"),)
    limit = LocalRateLimit(
        None, [DescriptorLimit(entries, Fill(F(1), F(1), HOUR))], per_connection=True
    )
    limiter = LimitFilter(limit)
    asked = [limiter.answer(F(0), [Descriptor(entries)], c).allowed for c in "aab"]
    assert asked == [True, False, True]
    assert limiter.answer(F(0), [], "a").allowed


@pytest.mark.parametrize("percent", [-1, 101])
def test_percentages_outside_0_to_100_are_refused(percent):
    with pytest.raises(ConfigError, match="enabled must be a percentage"):
        made(enabled=percent)
    with pytest.raises(ConfigError, match="enforced must be a percentage"):
        made(enforced=percent)
    with pytest.raises(ConfigError, match="needs a source of draws"):
        made(enforced=50)
