"""TokenBucket and Gcra are one law: the same tables, the same model, the same float promises.

So is the bucket in a shared file, which keeps floats: it runs through all that holds on floats.
"""

import math
from fractions import Fraction as F

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from model.bucket import ModelBucket
from support.shared import shared_gcra
from trafficcore.core.limit import Gcra, TokenBucket, bucket
from trafficcore.errors import ConfigError

BOTH = pytest.mark.parametrize("kind", [TokenBucket, Gcra])
ALL = pytest.mark.parametrize("kind", [TokenBucket, Gcra, shared_gcra])
#: (at, cost, granted) from a bucket of 3 that earns 1/2 a second.
STEPS = [
    (F(0), 2, True),
    (F(0), 2, False),
    (F(0), 1, True),
    (F(0), 1, False),
    (F("1.999"), 1, False),
    (F(2), 1, True),
    (F(5), 2, False),
    (F(5), F("1.5"), True),
    (F(5), F("0.001"), False),
    (F(1000), 4, False),
    (F(1000), 3, True),
    (F(1002), 1, True),
]


class BucketMachine(RuleBasedStateMachine):
    """A bucket and the model do the same, for any amounts and any times that never fall."""

    kind = Gcra
    least_rate = F(1, 5)

    @initialize(
        capacity=st.fractions(0, 6, max_denominator=3),
        rate=st.fractions(0, 4, max_denominator=5),
        now=st.fractions(-3, 100, max_denominator=7),
    )
    def start(self, capacity, rate, now):
        rate = max(rate, self.least_rate)
        self.now = now
        self.real = self.kind(capacity, rate)
        self.model = ModelBucket(capacity, rate)

    @rule(seconds=st.fractions(0, 8, max_denominator=6))
    def wait(self, seconds):
        self.now += seconds

    @rule()
    def wait_until_the_next_token(self):
        due = self.model.earliest(self.now)
        if due is not None:
            self.now = due

    @rule(cost=st.fractions(F(1, 4), 7, max_denominator=4))
    def try_acquire(self, cost):
        assert self.real.try_acquire(self.now, cost) is self.model.try_acquire(self.now, cost)

    @rule()
    def try_acquire_one(self):
        assert self.real.try_acquire(self.now) is self.model.try_acquire(self.now)

    @rule(cost=st.fractions(F(1, 4), 7, max_denominator=4))
    def refund(self, cost):
        self.real.refund(cost, self.now)
        self.model.refund(cost, self.now)

    @rule(cost=st.fractions(F(1, 4), 7, max_denominator=4))
    def reserve(self, cost):
        due = self.model.reserve(self.now, cost)
        assert self.real.reserve(self.now, cost) == (math.inf if due is None else due)

    @rule(
        cost=st.fractions(F(1, 4), 7, max_denominator=4),
        patience=st.fractions(0, 3, max_denominator=4),
    )
    def reserve_soon(self, cost, patience):
        due = self.model.due(self.now, cost)
        real = self.real.reserve(self.now, cost, self.now + patience)
        if cost > self.model.capacity or due is None or due > self.now + patience:
            assert real == math.inf
        else:
            assert real == self.model.reserve(self.now, cost)

    @rule(cost=st.fractions(F(1, 4), 20, max_denominator=4))
    def charge(self, cost):
        self.real.charge(cost, self.now)
        self.model.charge(cost, self.now)

    @rule(cost=st.fractions(F(1, 4), 20, max_denominator=4))
    def due(self, cost):
        due = self.model.due(self.now, cost)
        assert self.real.due(self.now, cost) == (math.inf if due is None else due)

    @rule(
        capacity=st.fractions(0, 6, max_denominator=3),
        rate=st.fractions(0, 4, max_denominator=5),
    )
    def update(self, capacity, rate):
        rate = max(rate, self.least_rate)
        self.real.update(self.now, capacity, rate)
        self.model.update(self.now, capacity, rate)

    @rule(cost=st.fractions(F(1, 4), 7, max_denominator=4))
    def earliest(self, cost):
        due = self.model.earliest(self.now, cost)
        assert self.real.earliest(self.now, cost) == (math.inf if due is None else due)

    @rule(seconds=st.fractions(0, 8, max_denominator=6))
    def read_ahead(self, seconds):
        then = self.now + seconds
        level = self.model.tokens_at(then)
        assert self.real.level_at(then) == level
        assert self.real.tokens_at(then) == max(0, level)

    def teardown(self):
        if hasattr(self, "real"):
            tokens = self.model.tokens_at(self.now)
            assert self.real.snapshot(self.now) == {
                "tokens": max(0, tokens),
                "capacity": self.model.capacity,
                "rate": self.model.rate,
            }


class TokenBucketMachine(BucketMachine):
    kind = TokenBucket
    least_rate = F(0)

    @rule(cost=st.integers(1, 9))
    def take_up_to(self, cost):
        assert self.real.take_up_to(self.now, cost) == self.model.take_up_to(self.now, cost)

    @precondition(lambda self: hasattr(self, "real"))
    @rule(tokens=st.integers(0, 9))
    def reset(self, tokens):
        self.real.reset(tokens, self.now)
        self.model.reset(tokens, self.now)


TestGcra = BucketMachine.TestCase
TestTokenBucket = TokenBucketMachine.TestCase


@ALL
def test_the_step_table(kind):
    machine = kind(3, F(1, 2))
    assert [machine.try_acquire(at, cost) for at, cost, _ in STEPS] == [g for *_, g in STEPS]


@given(
    capacity=st.fractions(0, 6, max_denominator=3),
    rate=st.fractions(F(1, 5), 4, max_denominator=5),
    steps=st.lists(
        st.tuples(
            st.fractions(0, 9, max_denominator=4), st.fractions(F(1, 4), 7, max_denominator=4)
        ),
        max_size=20,
    ),
)
def test_the_two_agree_for_times_in_any_order(capacity, rate, steps):
    one, other = TokenBucket(capacity, rate), Gcra(capacity, rate)
    for at, cost in steps:
        assert one.try_acquire(at, cost) is other.try_acquire(at, cost)
        assert one.tokens_at(at) == other.tokens_at(at)


@ALL
@given(steps=st.lists(st.tuples(st.fractions(0, 9, max_denominator=4), st.integers(1, 3))))
def test_times_in_any_order_never_earn(kind, steps):
    """What is granted fits below capacity + rate * (the latest time - the first)."""
    machine = kind(3, F(2))
    granted = sum(cost for at, cost in steps if machine.try_acquire(at, cost))
    times = [at for at, _ in steps] or [F(0)]
    assert granted <= 3 + 2 * (max(times) - min(times))


@ALL
def test_a_clock_that_steps_back_refuses_and_earns_nothing(kind):
    machine = kind(2, F(1))
    assert machine.try_acquire(F(100), 2)
    assert not machine.try_acquire(F(50))
    assert machine.tokens_at(F(50)) == 0
    assert not machine.try_acquire(F("100.999"))
    assert machine.try_acquire(F(101))
    assert not machine.try_acquire(F(101))


@ALL
def test_a_new_bucket_is_full_whatever_the_time(kind):
    for now in (F(-(10**9)), F(0), F(10**12)):
        machine = kind(2, F(1))
        assert machine.tokens_at(now) == 2
        assert machine.earliest(now, 2) == now
        assert machine.try_acquire(now, 2)
        assert not machine.try_acquire(now)


@ALL
def test_a_year_later_it_is_full_and_no_fuller(kind):
    machine = kind(5, 1000.0)
    year = 365 * 86400.0
    assert machine.try_acquire(10.0, 5)
    assert machine.tokens_at(10.0 + year) == 5
    assert sum(machine.try_acquire(10.0 + year) for _ in range(10)) == 5


@ALL
def test_a_cost_above_the_capacity_is_never_granted_and_takes_nothing(kind):
    machine = kind(5, 1.0)
    assert not machine.try_acquire(0.0, 50)
    assert machine.earliest(0.0, 50) == math.inf
    assert machine.tokens_at(0.0) == 5


@ALL
@pytest.mark.parametrize("cost", [0, -1, math.nan, math.inf, -math.inf])
def test_a_cost_that_is_no_amount_is_an_error(kind, cost):
    machine = kind(5, 1.0)
    for ask in (machine.try_acquire, machine.earliest):
        with pytest.raises(ConfigError, match="cost must be a finite number above 0, not"):
            ask(0.0, cost)
    assert machine.tokens_at(0.0) == 5


@ALL
@pytest.mark.parametrize("cost", [0, -1, math.nan])
def test_a_refund_that_is_no_amount_is_an_error(kind, cost):
    machine = kind(5, 1.0)
    with pytest.raises(ConfigError, match="cost must be"):
        machine.refund(cost, 0.0)


@ALL
@pytest.mark.parametrize("value", [-1, -0.001, math.nan, math.inf, "10", None])
def test_settings_that_cannot_work_are_refused_with_their_value(kind, value):
    with pytest.raises(ConfigError, match=f"capacity must be .* not {value!r}"):
        kind(value, 1.0)
    with pytest.raises(ConfigError, match=f"rate must be .* not {value!r}"):
        kind(1, value)


@ALL
def test_a_capacity_of_0_refuses_everything(kind):
    machine = kind(0, 1.0)
    assert not machine.try_acquire(5.0)
    assert not machine.try_acquire(1e9, 0.5)
    assert machine.earliest(5.0) == math.inf
    assert machine.tokens_at(5.0) == 0


@ALL
def test_a_capacity_below_one_token_never_grants_one(kind):
    machine = kind(0.9995, 1e5)
    assert not machine.try_acquire(1e6)
    assert machine.try_acquire(1e6, 0.999)


def test_the_slack_of_floats_is_no_more_than_rounding_needs():
    for capacity, rate, most in ((1, 1.0, 1e-6), (2, 1 / 30, 1e-7), (1000, 1000.0, 1e-3)):
        machine = Gcra(capacity, rate)
        assert machine.try_acquire(5.0, capacity)
        assert 1 - most <= (machine.earliest(5.0) - 5.0) * rate <= 1


FLOATS = {
    "capacity": st.integers(1, 1000),
    "rate": st.floats(1e-6, 1e4),
    "now": st.floats(0, 1e6) | st.floats(1.7e9, 2**31),  # since boot, or since 1970
}


def roomy(capacity, rate, now):
    """Say whether a thousandth of a token is more than a burst can lose to rounding."""
    return capacity * rate * math.ulp(now) < 1 / 1024


@ALL
@given(**FLOATS)
def test_a_full_burst_at_one_instant_is_whole_on_floats(kind, capacity, rate, now):
    assume(roomy(capacity, rate, now))
    machine = kind(capacity, rate)
    assert all(machine.try_acquire(now) for _ in range(capacity))
    assert not machine.try_acquire(now)


@ALL
@given(
    **FLOATS,
    spent=st.lists(st.tuples(st.floats(0, 50), st.integers(1, 1000)), max_size=8),
    cost=st.integers(1, 1000),
)
def test_the_earliest_time_is_exact_on_floats(kind, capacity, rate, now, spent, cost):
    """Granted at it; refused a millionth of an interval before."""
    assume(cost <= capacity)
    assume(1e-6 / rate > 2 * math.ulp(now))
    machine = kind(capacity, rate)
    for wait, amount in spent:
        now += wait
        machine.try_acquire(now, min(amount, capacity))
    due = machine.earliest(now, cost)
    assert due >= now
    before = due - 1e-6 / rate
    if due > now and before < due:
        assert not machine.try_acquire(max(now, before), cost)
    assert machine.try_acquire(due, cost)


@ALL
@given(
    capacity=st.integers(1, 50),
    rate=st.floats(1e-3, 1e5),
    now=st.floats(0, 1e6),
    steps=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 50)), max_size=30),
)
def test_never_more_than_the_law_in_any_stretch_on_floats(kind, capacity, rate, now, steps):
    """But for a thousandth of a token, and what the clock's own rounding is worth."""
    assume(roomy(capacity, rate, now))
    machine, grants = kind(capacity, rate), []
    for wait, cost in steps:
        now += wait * capacity / rate
        if machine.try_acquire(now, min(cost, capacity)):
            grants.append((now, min(cost, capacity)))
    slack = 1 / 512 + 4 * rate * math.ulp(now)
    for first, (start, _) in enumerate(grants):
        total = 0
        for at, cost in grants[first:]:
            total += cost
            assert total <= (capacity + rate * (at - start)) * (1 + 1e-9) + slack


@ALL
@pytest.mark.parametrize("rate", [1e-9, 1.0, 1e5])
def test_reservations_and_debts_on_floats_at_any_rate(kind, rate):
    machine = kind(2, rate)
    now = 1e6
    assert machine.reserve(now, 2) == now
    due = machine.earliest(now, 1)
    assert machine.reserve(now, 1) == pytest.approx(due, rel=1e-12)
    assert machine.level_at(now) == pytest.approx(-1, abs=0.01)
    machine.charge(7, now)
    assert machine.level_at(now) == pytest.approx(-8, abs=0.01)
    later = machine.due(now, 2)
    assert (later - now) * rate == pytest.approx(10, rel=1e-2)
    assert not machine.try_acquire(now + (later - now) * 0.99, 2)
    assert machine.try_acquire(now + (later - now) * 1.01, 2)
    for wrong in (0, -1, math.nan):
        with pytest.raises(ConfigError, match="cost must be"):
            machine.charge(wrong, now)
        with pytest.raises(ConfigError, match="cost must be"):
            machine.reserve(now, wrong)


@given(rate=st.sampled_from([3, 7, 10, 30, 60, 99]), start=st.floats(0, 1e5))
def test_a_caller_on_the_beat_is_always_granted_on_floats(rate, start):
    """Sums of 0.1 are not tenths; the slack of a thousandth of a token covers the difference."""
    machine = Gcra(1, rate)
    now = start
    for _ in range(300):
        assert machine.try_acquire(now)
        assert not machine.try_acquire(now + 0.9 / rate)
        now += 1 / rate


@ALL
def test_a_rate_of_a_token_in_decades(kind):
    machine = kind(1, 1e-9)
    assert machine.try_acquire(1000.0)
    due = machine.earliest(1000.0)
    assert due == pytest.approx(1000.0 + 1e9)
    assert not machine.try_acquire(due - 2)
    assert machine.try_acquire(due)


def test_a_billion_tokens_a_second_are_limited():
    """At this rate and uptime one float would round every token away."""
    machine = bucket(1000, 1e9)
    assert isinstance(machine, TokenBucket)
    now = 3e7
    assert sum(machine.try_acquire(now) for _ in range(1100)) == 1000
    later = math.nextafter(now, math.inf)
    assert sum(machine.try_acquire(later) for _ in range(100)) == int((later - now) * 1e9)


@pytest.mark.parametrize("rate", [777.7, 3672.8, 1e5, 777_777, 1e6])
@pytest.mark.parametrize("now", [86_400.1234, 8_640_000.1234, 2**24 - 99.877])
def test_a_large_and_fast_bucket_is_whole_and_in_one_float_nearly_so(rate, now):
    capacity = int(rate)
    off = math.ceil(capacity * rate / 2**30)
    for machine, most in ((bucket(capacity, rate), 0), (Gcra(capacity, rate), off)):
        granted = sum(iter(lambda machine=machine: machine.try_acquire(now), False))
        assert abs(granted - capacity) <= most


def test_the_factory_chooses_by_rate_and_capacity():
    assert isinstance(bucket(10, 5), Gcra)
    assert isinstance(bucket(724, 724), Gcra)
    assert isinstance(bucket(725, 725), TokenBucket)
    assert isinstance(bucket(0, 1_000_000), Gcra)
    assert isinstance(bucket(0, 1_000_001), TokenBucket)
    assert isinstance(bucket(10, 0), TokenBucket)
    assert isinstance(bucket(0, 0), TokenBucket)


def test_the_factory_builds_with_the_class_it_is_given():
    class Locked(Gcra):
        pass

    lock = object()
    made = bucket(10, 5, lock=lock, build=lambda kind: Locked if kind is Gcra else kind)
    assert type(made) is Locked
    assert made._lock is lock


def test_gcra_wants_a_rate():
    with pytest.raises(ConfigError, match="rate must be above 0"):
        Gcra(1, 0)


def test_a_rate_of_0_never_fills_again():
    machine = TokenBucket(2, 0)
    assert machine.earliest(50.0, 2) == 50.0
    assert machine.try_acquire(50.0, 2)
    assert machine.earliest(50.0) == math.inf
    assert not machine.try_acquire(1e12)
    machine.refund(1, 1e12)
    assert machine.try_acquire(1e12)


def test_a_token_bucket_may_start_with_a_level():
    machine = TokenBucket(10, F(1), tokens=2, last=F(100))
    assert machine.tokens_at(F(103)) == 5
    assert machine.tokens_at(F(200)) == 10
    with pytest.raises(ConfigError, match="tokens and last go together"):
        TokenBucket(10, 1, tokens=2)
    with pytest.raises(ConfigError, match="tokens and last go together"):
        TokenBucket(10, 1, last=2)
    with pytest.raises(ConfigError, match="tokens must be"):
        TokenBucket(10, 1, tokens=-2, last=0)


def test_taking_up_to_a_cost_takes_whole_tokens():
    machine = TokenBucket(16, F(16))
    assert machine.take_up_to(F(0), 18) == 16
    assert machine.take_up_to(F("0.062"), 1) == 0
    assert machine.take_up_to(F("0.063"), 2) == 1
    assert machine.take_up_to(F(-5), 2) == 0
    with pytest.raises(ConfigError, match="cost must be"):
        machine.take_up_to(F(1), 0)


def test_a_reset_is_capped_and_checked():
    machine = TokenBucket(16, F(16))
    machine.reset(100, F(5))
    assert machine.tokens_at(F(5)) == 16
    machine.reset(0, F(5))
    assert not machine.try_acquire(F(5))
    with pytest.raises(ConfigError, match="tokens must be"):
        machine.reset(-1, F(5))


@BOTH
def test_ints_and_fractions_mix(kind):
    """Times and amounts may be ints; with a rate that is a Fraction nothing becomes a float."""
    machine = kind(3, F(1, 3))
    assert machine.try_acquire(0, 3)
    assert machine.earliest(0, 1) == 3
    assert isinstance(machine.earliest(0, 1), F | int)
    assert machine.try_acquire(3)
