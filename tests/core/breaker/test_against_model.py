"""The machine does what the plain log of results does, whatever is done to both, in any order."""

import random
from fractions import Fraction

import attrs
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from model.breaker_pair import Pair
from trafficcore.core.breaker import (
    Breaker,
    Count,
    Cumulative,
    HalfOpen,
    Open,
    Ratio,
    Rule,
    Rules,
    Settings,
    State,
    Time,
)
from trafficcore.engine import guard

RATES = ["error_rate", "slow_rate", "bad_rate", "gateway_error_rate"]
COUNTS = ["error_count", "slow_count", "bad_count", "consecutive_errors"]
SHARES = [Fraction(n, 10) for n in (0, 1, 2, 3, 5, 7, 9, 10)]
quarters = st.integers(0, 60).map(lambda n: Fraction(n, 4))
least = st.none() | st.integers(1, 6)
ops = st.sampled_from([">=", ">=", ">"])
rules = st.one_of(
    st.builds(Rule, st.sampled_from(RATES), st.sampled_from(SHARES), ops, least),
    st.builds(Rule, st.sampled_from(COUNTS), st.integers(1, 4), ops, least),
)
windows = st.one_of(
    st.builds(Time, st.sampled_from([2, 4, Fraction(10)]), st.sampled_from([1, 2, 4])),
    st.builds(Time, st.just(Fraction(3)), st.sampled_from([1, 3]), st.just("start")),
    st.builds(Count, st.integers(1, 6)),
    st.just(Cumulative()),
)
opens = st.builds(
    Open,
    st.sampled_from([1, 3, Fraction(5, 2)]),
    multiplier=st.sampled_from([1, 1, 2, Fraction(3, 2)]),
    max=st.sampled_from([None, 5]),
    jitter=st.sampled_from([0, 0, Fraction(1, 2)]),
    edge=ops,
    auto=st.booleans(),
)
verdicts = st.sampled_from([Ratio(1, 1), Ratio(1, 2), Ratio(2, 3), Ratio(3, 3), Rules(1), Rules(3)])
half_opens = st.builds(
    HalfOpen,
    permits=st.sampled_from([None, 1, 2, 3]),
    max_concurrent=st.sampled_from([None, 1, 2]),
    verdict=verdicts,
    max_wait=st.sampled_from(["open", None, 1, Fraction(7, 2)]),
    max_wait_from=st.sampled_from(["first_probe", "entry"]),
    max_wait_to=st.sampled_from(["open", "closed"]),
)


@st.composite
def all_settings(draw):
    half_open = draw(st.none() | half_opens)
    initial = draw(st.sampled_from(["closed"] * 4 + [s.value for s in State]))
    return Settings(
        window=draw(windows),
        slow_after=draw(st.sampled_from([None, 1, 1])),
        min_calls=draw(st.integers(0, 4)),
        evaluate_on=draw(st.sampled_from(["any", "any", "bad"])),
        late=draw(st.sampled_from(["drop", "count"])),
        trip=draw(st.lists(rules, max_size=3)),
        open=draw(opens),
        half_open=half_open,
        initial_state="closed" if half_open is None and initial == "half_open" else initial,
    )


class Same(RuleBasedStateMachine):
    """Both of them, side by side."""

    breaker_class = Breaker

    @initialize(config=all_settings())
    def begin(self, config):
        self.pair = Pair(config, self.breaker_class)

    @rule(step=quarters)
    def time_passes(self, step):
        self.pair.now += step / 4

    @rule(step=quarters)
    def clock_goes_back(self, step):
        self.pair.now -= step / 8

    @rule(times=st.integers(1, 4))
    def acquire(self, times):
        for _ in range(times):
            self.pair.acquire()

    def which(self, data):
        return data.draw(st.integers(0, len(self.pair.permits) - 1))

    @precondition(lambda self: self.pair.permits)
    @rule(data=st.data(), error=st.booleans(), gateway=st.booleans(), duration=quarters)
    def record(self, data, error, gateway, duration):
        self.pair.record(self.which(data), error, gateway, duration / 8)

    @precondition(lambda self: self.pair.permits)
    @rule(data=st.data(), kinds=st.lists(st.sampled_from([0, 0, 1, 1, 2, 3, 5, 7]), max_size=4))
    def settle_by_kind(self, data, kinds):
        for kind in kinds[: len(self.pair.permits)]:
            self.pair.settle(self.which(data), kind)

    @precondition(lambda self: self.pair.permits)
    @rule(data=st.data(), how=st.sampled_from(["ignore", "release"]))
    def count_for_nothing(self, data, how):
        self.pair.give_up(self.which(data), how)

    @rule(
        what=st.sampled_from(["to", "reset", "same", "update"]),
        state=st.sampled_from(list(State)),
        duration=st.none() | quarters,
        other=all_settings(),
    )
    def by_hand(self, what, state, duration, other):
        if what == "to":
            self.pair.to(state.value, duration if state is State.OPEN else None)
        elif what == "reset":
            self.pair.reset()
        elif what == "update":
            self.pair.update(other)
        else:
            self.pair.update(evolve_what_may(self.pair.model.settings, other))

    @invariant()
    def same(self):
        if hasattr(self, "pair"):
            self.pair.compare()


class SameLocked(Same):
    """The variant for builds without a GIL."""

    breaker_class = guard.locked(Breaker)


def evolve_what_may(old, other):
    """Settings that leave the state as it is (R28)."""
    names = ("slow_after", "min_calls", "late", "evaluate_on")
    return attrs.evolve(old, **{name: getattr(other, name) for name in names})


@pytest.mark.parametrize("machine", [Same, SameLocked])
def test_machine_and_log_agree_on_every_step(machine):
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=150 if machine is Same else 40,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        ),
    )


HALF_OPENS = [None, HalfOpen(), HalfOpen(3, 2, Ratio(2, 3)), HalfOpen(4, 4, Rules(3))]


def random_settings(dice):
    """Settings of a kind that live traffic has: rules that take a while to hold."""
    window = dice.choice(
        [
            Time(Fraction(4), 4),
            Time(10, 10),
            Time(Fraction(2), 1),
            Time(Fraction(3), 3, "start"),
            Count(dice.randint(1, 12)),
            Cumulative(),
        ]
    )
    trip = []
    for _ in range(dice.choice([1, 1, 2, 3])):
        minimum = dice.choice([None, 1, 3, 8, 15])
        op = dice.choice([">=", ">=", ">"])
        if dice.random() < 0.6:
            share = Fraction(dice.choice([2, 3, 5, 6, 8, 10]), 10)
            trip.append(Rule(dice.choice(RATES), share, op, minimum))
        else:
            trip.append(Rule(dice.choice(COUNTS), dice.randint(1, 9), op, minimum))
    return Settings(
        window=window,
        slow_after=1,
        min_calls=dice.randint(0, 5),
        evaluate_on=dice.choice(["any", "any", "bad"]),
        late=dice.choice(["drop", "count"]),
        trip=trip,
        open=Open(2, multiplier=dice.choice([1, 2]), max=9, auto=dice.random() < 0.6),
        half_open=dice.choice(
            [None, HalfOpen(), HalfOpen(3, 2, Ratio(2, 3)), HalfOpen(4, 4, Rules(3))]
        ),
        initial_state=dice.choice(["closed"] * 4 + ["metrics_only"]),
    )


@pytest.mark.parametrize("seed", range(60, 80))
def test_they_agree_on_floats_that_are_exact(seed):
    dice = random.Random(seed)
    trace(dice, Pair(random_settings(dice), number=float), 400)


def trace(dice, pair, steps):
    bad = dice.choice([0.05, 0.2, 0.4, 0.7])
    for _ in range(steps):
        chance = dice.random()
        if chance < 0.12:
            pair.now += Fraction(dice.choice([1, 1, 2, 3, 4, 8, 20]), 8)
        elif chance < 0.13:
            pair.now -= Fraction(dice.randint(1, 8), 8)
        elif chance < 0.5 or not pair.permits:
            pair.acquire()
        elif chance < 0.53:
            pair.give_up(0, dice.choice(["ignore", "release"]))
        else:
            which = dice.randrange(len(pair.permits))
            kind = dice.choice([1, 1, 2, 3, 5, 7]) if dice.random() < bad else 0
            if dice.random() < 0.5:
                pair.settle(which, kind)
            else:
                took = Fraction(9, 8) if kind & 2 else Fraction(1, 8)
                pair.record(which, bool(kind & 1), bool(kind & 4), took)
        pair.compare()


@pytest.mark.parametrize("seed", range(60))
def test_machine_and_log_agree_on_long_traces(seed):
    dice = random.Random(seed)
    config = random_settings(dice)
    trace(dice, Pair(config), 400)
