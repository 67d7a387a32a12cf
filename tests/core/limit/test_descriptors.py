"""LocalRateLimit decides as Envoy's local rate limiter does."""

from fractions import Fraction as F

import pytest

from trafficcore.core.limit import Descriptor, DescriptorLimit, Fill, LocalRateLimit
from trafficcore.errors import ConfigError

MINUTE = F(60)


def limit(*entries, tokens=1, per=1, seconds=MINUTE):
    return DescriptorLimit(entries, Fill(F(tokens), F(per), seconds))


def ask(limiter, now, *entries, hits=1, connection=None):
    descriptors = [Descriptor(entries, F(hits))] if entries else []
    return limiter.decide(F(now), descriptors, connection).allowed


def test_the_default_bucket_fills_continuously():
    limiter = LocalRateLimit(Fill(F(4), F(4), F(1)))
    assert [ask(limiter, 0) for _ in range(5)] == [True] * 4 + [False]
    assert not ask(limiter, F("0.249"))
    assert ask(limiter, F("0.25"))
    assert not ask(limiter, F("0.25"))


def test_without_a_default_what_matches_nothing_passes_and_no_bucket_answers():
    for default in (None, Fill(0), Fill(5, 1, 0)):
        limiter = LocalRateLimit(default, [limit(("a", "b"))])
        decision = limiter.decide(F(0))
        assert decision.allowed
        assert decision.pool is None
        assert ask(limiter, 0, ("a", "b"))
        assert not ask(limiter, 0, ("a", "b"))


def test_a_default_without_tokens_always_refuses_and_no_bucket_answers():
    limiter = LocalRateLimit(Fill(0, 1, F("0.01")))
    decision = limiter.decide(F(10**6))
    assert not decision.allowed
    assert decision.pool is None


def test_entries_match_in_number_order_key_and_value():
    two = (("a", "1"), ("b", "2"))
    limiter = LocalRateLimit(None, [limit(*two)])
    for other in (two[:1], two[::-1], (*two, ("c", "3")), (("a", "1"), ("b", "3"))):
        assert limiter.decide(F(0), [Descriptor(other)]).pool is None
    assert limiter.decide(F(0), [Descriptor(two)]).pool is not None


def test_matches_pay_slowest_first_and_a_refusal_gives_nothing_back():
    slow, fast = limit(("s", "1"), tokens=2), limit(("f", "1"), tokens=1, seconds=F(1))
    limiter = LocalRateLimit(None, [fast, slow])
    both = [Descriptor(fast.entries), Descriptor(slow.entries)]
    first = limiter.decide(F(0), both)
    assert first.allowed
    assert first.pool.fill == slow.fill
    second = limiter.decide(F(0), both)
    assert not second.allowed
    assert second.pool.fill == fast.fill
    third = limiter.decide(F(0), both)
    assert third.pool.fill == slow.fill  # the second request had spent its last token
    assert third.pool.remaining(F(0)) == 0


def test_the_default_pays_after_a_match_unless_told_not_to():
    default = Fill(F(1), F(1), MINUTE)
    matched = [limit(("a", "b"), tokens=5)]
    always = LocalRateLimit(default, matched)
    assert [ask(always, 0, ("a", "b")) for _ in range(2)] == [True, False]
    refusal = always.decide(F(0), [Descriptor((("a", "b"),))])
    assert refusal.pool.fill == default
    instead = LocalRateLimit(default, matched, always_consume_default=False)
    assert [ask(instead, 0, ("a", "b")) for _ in range(6)] == [True] * 5 + [False]
    assert ask(instead, 0)
    assert not ask(instead, 0)


def test_hits_are_the_cost_and_negative_hits_give_back():
    limiter = LocalRateLimit(None, [limit(("a", "b"), tokens=10)])
    assert not ask(limiter, 0, ("a", "b"), hits=11)
    assert ask(limiter, 0, ("a", "b"), hits=10)
    assert ask(limiter, 0, ("a", "b"), hits=0)
    assert not ask(limiter, 0, ("a", "b"))
    assert ask(limiter, 0, ("a", "b"), hits=-4)
    assert ask(limiter, 0, ("a", "b"), hits=4)
    assert ask(limiter, 0, ("a", "b"), hits=-100)
    assert not ask(limiter, 0, ("a", "b"), hits=11)


def test_a_wildcard_has_a_bucket_for_each_value():
    limiter = LocalRateLimit(None, [limit(("user", ""), ("plan", "free"))])
    free = ("plan", "free")
    assert ask(limiter, 0, ("user", "ann"), free)
    assert not ask(limiter, 0, ("user", "ann"), free)
    assert ask(limiter, 0, ("user", "bob"), free)
    assert limiter.decide(F(0), [Descriptor((("user", "ann"), ("plan", "paid")))]).pool is None


def test_an_exact_entry_goes_before_a_wildcard():
    limiter = LocalRateLimit(None, [limit(("u", "")), limit(("u", "ann"), tokens=3)])
    assert [ask(limiter, 0, ("u", "ann")) for _ in range(4)] == [True] * 3 + [False]


def test_the_first_wildcard_that_fits_is_taken():
    limiter = LocalRateLimit(
        None, [limit(("a", ""), ("b", "x"), tokens=2), limit(("a", ""), ("b", ""), tokens=5)]
    )
    x, y = (("a", "1"), ("b", "x")), (("a", "1"), ("b", "y"))
    assert [ask(limiter, 0, *x) for _ in range(3)] == [True] * 2 + [False]
    assert [ask(limiter, 0, *y) for _ in range(6)] == [True] * 5 + [False]


def test_the_value_longest_unused_is_dropped_and_restarts_full():
    limiter = LocalRateLimit(None, [limit(("u", ""))], max_dynamic=2)
    assert ask(limiter, 0, ("u", "a"))
    assert ask(limiter, 0, ("u", "b"))
    assert not ask(limiter, 0, ("u", "a"))  # and by that "b" is the oldest
    assert ask(limiter, 0, ("u", "c"))
    assert not ask(limiter, 0, ("u", "a"))
    assert ask(limiter, 0, ("u", "b"))


def test_a_share_makes_everything_dearer():
    limiter = LocalRateLimit(
        Fill(F(10), F(10), MINUTE), [limit(("a", "b"), tokens=6)], share=F(1, 3)
    )
    assert [ask(limiter, 0) for _ in range(4)] == [True] * 3 + [False]
    limiter = LocalRateLimit(None, [limit(("a", "b"), tokens=6)], share=F(1, 3))
    assert [ask(limiter, 0, ("a", "b")) for _ in range(3)] == [True] * 2 + [False]
    assert ask(limiter, 0, ("a", "b"), hits=-3)  # what comes back is not dearer
    assert [ask(limiter, 0, ("a", "b")) for _ in range(2)] == [True, False]


def test_connections_have_buckets_of_their_own():
    limiter = LocalRateLimit(Fill(F(1), F(1), MINUTE), per_connection=True)
    assert [ask(limiter, 0, connection=c) for c in "aabb"] == [True, False, True, False]
    limiter.close_connection("a")
    limiter.close_connection("never seen")
    assert [ask(limiter, 0, connection=c) for c in "ab"] == [True, False]
    shared = LocalRateLimit(Fill(F(1), F(1), MINUTE))
    assert [ask(shared, 0, connection=c) for c in "ab"] == [True, False]
    shared.close_connection("a")
    assert not ask(shared, 0, connection="a")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LocalRateLimit(Fill(100, 1, 0.049)), "token_bucket: fill_interval must be"),
        (lambda: LocalRateLimit(None, [limit(("a", "b"), seconds=F("0.01"))]), "descriptor"),
        (lambda: LocalRateLimit(None, [limit(("a", "b"), seconds=F(0))]), "at least 0.05 s"),
        (lambda: LocalRateLimit(None, [limit(("a", "b")), limit(("a", "b"))]), "twice"),
        (lambda: LocalRateLimit(None, [limit(("a", "")), limit(("a", ""))]), "twice"),
        (lambda: LocalRateLimit(share=0), "share must be above 0 and at most 1, not 0"),
        (lambda: LocalRateLimit(share=2), "share must be"),
        (lambda: LocalRateLimit(share=1, per_connection=True), "exclude"),
        (lambda: LocalRateLimit(max_dynamic=-1), "max_dynamic must be"),
        (lambda: Fill(-1), "max_tokens must be"),
        (lambda: Fill(1, 0), "tokens_per_fill must be above 0"),
        (lambda: Fill(1, 1, -1), "fill_interval must be"),
    ],
)
def test_what_envoy_would_reject_is_rejected(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_50_ms_are_enough_and_nothing_is_asked_of_a_bucket_without_tokens():
    LocalRateLimit(Fill(1, 1, 0.05), [limit(("a", "b"), seconds=F("0.05"))])
    limiter = LocalRateLimit(None, [limit(("a", "b"), tokens=0, seconds=F(0))])
    decision = limiter.decide(F(0), [Descriptor((("a", "b"),))])
    assert not decision.allowed
    assert decision.pool.remaining(F(0)) == 0
    assert decision.pool.reset_after(F(0)) == 0


def test_a_bucket_says_when_it_has_tokens_again():
    limiter = LocalRateLimit(Fill(F(2), F(2), MINUTE))
    assert limiter.decide(F(0)).pool.reset_after(F(0)) == 0
    pool = limiter.decide(F(0)).pool
    assert pool.reset_after(F(0)) == 30
    assert pool.reset_after(F(29)) == 30  # what has come in by then is not taken off
    assert pool.reset_after(F(30)) == 0
    assert pool.earliest(F(0)) == 30
    assert pool.earliest(F(0), 2) == 60
