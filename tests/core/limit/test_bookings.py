"""Bookings: as the model, step by step, and never more than the law in any stretch of time."""

import math
from fractions import Fraction as F

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from model.bookings import ModelBookings
from trafficcore.core.limit import Gcra, KeyedGcra, OneKey, TokenBucket
from trafficcore.core.limit.bookings import Bookings


def one_key(capacity, rate):
    return OneKey(KeyedGcra(capacity, rate), "ann")


BOTH = pytest.mark.parametrize("kind", [TokenBucket, Gcra, one_key])


class BookingsMachine(RuleBasedStateMachine):
    """Whatever is reserved, given back, refunded or charged: the times and levels of the model."""

    kind = staticmethod(Gcra)

    @initialize(
        capacity=st.integers(1, 5),
        rate=st.fractions(F(1, 3), 3, max_denominator=3),
        spent=st.integers(0, 5),
    )
    def start(self, capacity, rate, spent):
        self.now = F(0)
        self.bucket = self.kind(capacity, rate)
        self.real = Bookings(self.bucket)
        self.model = ModelBookings(capacity, rate)
        self.pairs = []
        for _ in range(min(spent, capacity)):
            assert self.bucket.try_acquire(self.now)
            self.model.change(self.now, 1)

    @rule(seconds=st.fractions(0, 3, max_denominator=6))
    def wait(self, seconds):
        self.now += seconds

    @rule(cost=st.fractions(F(1, 2), 5, max_denominator=2))
    def reserve(self, cost):
        booking = self.real.reserve(self.now, cost)
        assert (booking is None) is (cost > self.model.capacity)
        if booking is not None:
            use = self.model.reserve(self.now, cost)
            assert booking.at == use[0]
            self.pairs.append((booking, use))

    @rule(cost=st.fractions(F(1, 2), 5, max_denominator=2))
    def take(self, cost):
        granted = self.bucket.try_acquire(self.now, cost)
        assert granted is (self.model.free(self.now) >= cost and cost <= self.model.capacity)
        if granted:
            self.model.change(self.now, cost)
        self.real.ahead(self.now)  # which sees it

    @precondition(lambda self: self.pairs)
    @rule(which=st.integers(0, 20))
    def cancel(self, which):
        booking, use = self.pairs[which % len(self.pairs)]
        if self.now == booking.at:
            return  # a plain refund: see below
        free = self.model.free(self.now)
        if booking.open and self.now <= booking.at:
            self.model.cancel(use)
        assert self.real.cancel(booking, self.now) == self.model.free(self.now) - free

    @rule(cost=st.fractions(F(1, 2), 5, max_denominator=2))
    def refund(self, cost):
        self.real.refund(cost, self.now)
        self.model.change(self.now, -cost)

    def teardown(self):
        if hasattr(self, "real"):
            assert self.bucket.level_at(self.now) == self.model.free(self.now)


class TokenBucketBookings(BookingsMachine):
    kind = staticmethod(TokenBucket)


class OneKeyBookings(BookingsMachine):
    kind = staticmethod(one_key)


TestOnGcra = BookingsMachine.TestCase
TestOnTokenBucket = TokenBucketBookings.TestCase
TestOnOneKey = OneKeyBookings.TestCase

STEPS = st.lists(
    st.tuples(
        st.fractions(0, 2, max_denominator=6),
        st.sampled_from(["reserve", "reserve", "cancel", "take"]),
        st.fractions(F(1, 2), 4, max_denominator=2),
    ),
    max_size=25,
)

#: One book gives back what it took before the other reserved ahead: it cannot know what is spilt.
GIVEN_BACK_BEHIND_ANOTHER = [
    (F(0), verb, cost)
    for verb, cost in [
        ("reserve", F(1, 2)),
        ("reserve", F(1, 2)),
        ("reserve", F(1)),
        ("reserve", F(7, 2)),
        ("reserve", F(1, 2)),
        ("cancel", F(1)),
        ("reserve", F(1, 2)),
        ("reserve", F(1, 2)),
    ]
]


#: Nine tokens are taken past the book while a reservation stands, and then all are given back.
TAKEN_PAST_THE_BOOK = [
    (F(0), "take", F(10)),
    (F(0), "reserve", F(10)),
    (F(0), "reserve", F(1)),
    (F(1), "cancel", F(10)),
    *[(F(8 if not n else 0), "take", F(1)) for n in range(7)],
    (F(0), "reserve", F(10)),
    (F(0), "cancel", F(1, 2)),
    (F(0), "cancel", F(1)),
    *[(F(0), "take", F(1)) for n in range(10)],
]


@BOTH
@given(capacity=st.integers(1, 4), rate=st.fractions(F(1, 2), 3, max_denominator=2), steps=STEPS)
@example(capacity=10, rate=F(1), steps=TAKEN_PAST_THE_BOOK)
@example(capacity=4, rate=F(1, 2), steps=GIVEN_BACK_BEHIND_ANOTHER)
@pytest.mark.parametrize("books", [1, 2])
def test_never_more_than_the_law_in_any_stretch(kind, books, capacity, rate, steps):
    """Those who reserve act at the time that was named, others as soon as they are granted.

    Two books that know nothing of each other are two processes with one bucket.
    """
    bucket = kind(capacity, rate)
    bookings = [Bookings(bucket, shared=books > 1) for _ in range(books)]
    held, taken, now = [], [], F(0)
    for wait, verb, cost in steps:
        now += wait
        book = bookings[int(cost * 2) % books]
        if verb == "reserve":
            booking = book.reserve(now, cost)
            held += [(book, booking)] if booking is not None else []
        elif verb == "cancel" and held:
            book, booking = held[int(cost * 2) % len(held)]
            book.cancel(booking, now)
        elif verb == "take" and bucket.try_acquire(now, cost):
            taken.append((now, cost))
    uses = sorted(taken + [(booking.at, booking.cost) for _, booking in held if booking.open])
    for first, (start, _) in enumerate(uses):
        used = F(0)
        for at, cost in uses[first:]:
            used += cost
            assert used <= capacity + rate * (at - start)


@BOTH
def test_who_reserves_is_ahead_of_who_comes_later(kind):
    bucket = kind(2, F(1))
    bookings = Bookings(bucket)
    assert [bookings.reserve(F(0), 2).at for _ in range(3)] == [0, 2, 4]
    assert not bucket.try_acquire(F(2))
    assert bookings.ahead(F("3.999")) == 1
    assert bookings.ahead(F(4)) == 0
    assert not bucket.try_acquire(F("4.999"))
    assert bucket.try_acquire(F(5))


@BOTH
def test_what_would_come_too_late_is_not_taken(kind):
    bucket = kind(2, F(1))
    bookings = Bookings(bucket)
    assert bookings.reserve(F(0), 2, latest=F(0)).at == 0
    assert bookings.reserve(F(0), 1, latest=F("0.999")) is None
    assert bucket.level_at(F(0)) == 0
    assert bookings.reserve(F(0), 1, latest=F(1)).at == 1


@BOTH
def test_given_back_once_and_not_after_its_time(kind):
    bucket = kind(1, F(1))
    bookings = Bookings(bucket)
    first, second = bookings.reserve(F(0), 1), bookings.reserve(F(0), 1)
    assert bookings.cancel(first, F(1)) == 0  # used
    assert bookings.cancel(second, F(1)) == 1  # its time has come, this moment
    assert bookings.cancel(second, F(1)) == 0
    assert bucket.level_at(F(1)) == 1
    now = bookings.reserve(F(1), 1)
    assert bookings.cancel(now, F(1)) == 1
    assert bookings.cancel(now, F(1)) == 0


@BOTH
def test_all_given_back_in_any_order_is_as_if_none_had_been(kind):
    for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        bucket = kind(1, F(1))
        bookings = Bookings(bucket)
        assert bucket.try_acquire(F(0))
        held = [bookings.reserve(F(0), 1) for _ in range(3)]
        for which in order:
            bookings.cancel(held[which], F("0.5"))
        assert bucket.level_at(F("0.5")) == F("0.5")


@BOTH
def test_a_debt_beneath_reservations_is_behind_them(kind):
    bucket = kind(2, F(1))
    bookings = Bookings(bucket)
    assert bucket.try_acquire(F(0), 2)
    held = bookings.reserve(F(0), 1)
    bookings.charge(3, F(0))
    assert held.at == 1
    assert bucket.level_at(F(0)) == -4
    bookings.charge(1, F(2))  # nothing ahead any more
    assert bucket.level_at(F(2)) == -3
    assert bookings.reserve(F(2), 1).at == 6


@BOTH
def test_new_settings_keep_the_times_that_were_named(kind):
    bucket = kind(4, F(1))
    bookings = Bookings(bucket)
    assert bucket.try_acquire(F(0), 4)
    held = [bookings.reserve(F(0), 2) for _ in range(2)]
    assert [booking.at for booking in held] == [2, 4]
    bucket.update(F(1), 8, F(2))
    bookings.follow(F(1))
    # one token had come in, of four: two of eight; 2 + 2 - 2, then 2 + 4 - 2
    assert [booking.level for booking in held] == [2, 4]
    assert bucket.level_at(F(4)) == 4
    assert [booking.at for booking in held] == [2, 4]
    assert bookings.cancel(held[0], F(1)) == 2
    bucket.update(F(1), 4, F(1, 2))
    bookings.follow(F(1))
    assert bucket.level_at(F(4)) == F("0.5")  # two of eight: one of four, 1.5 come in, 2 go


@BOTH
@given(rate=st.floats(1e-3, 1e4), costs=st.lists(st.integers(1, 5), min_size=1, max_size=12))
def test_on_floats_times_are_those_of_earliest_and_what_is_given_back_is_there(kind, rate, costs):
    bucket = kind(5, rate)
    bookings, now = Bookings(bucket), 1000.0
    assert bucket.try_acquire(now, 5)
    held = []
    for cost in costs:
        due = bucket.earliest(now, cost)
        held.append(bookings.reserve(now, cost))
        assert held[-1].at == pytest.approx(due, rel=1e-12)
    for booking in held:
        bookings.cancel(booking, now)
    assert bucket.level_at(now) == pytest.approx(0, abs=1e-5)
    assert bookings.ahead(now) == 0
    assert not math.isnan(bucket.level_at(now))
