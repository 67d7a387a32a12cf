"""The machine does what the plain log of results does, whatever is done to both, in any order."""

from fractions import Fraction
from itertools import cycle

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
from model.breaker_log import BreakerLog, Refused
from trafficcore.core.breaker import (
    Breaker,
    Count,
    Cumulative,
    HalfOpen,
    IllegalMove,
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
ops = st.sampled_from([">=", ">="] + [">"])
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
        draws = [Fraction(n, 7) for n in (0, 3, 6, 1, 5)]
        self.model = BreakerLog(config, cycle(draws).__next__)
        self.breaker = self.breaker_class(
            config, lock=guard.new_lock(), draw=cycle(draws).__next__, now=Fraction(0)
        )
        self.now = Fraction(0)
        self.permits = []

    @rule(step=quarters)
    def time_passes(self, step):
        self.now += step / 4

    @rule(step=quarters)
    def clock_goes_back(self, step):
        self.now -= step / 8

    @rule(times=st.integers(1, 4))
    def acquire(self, times):
        for _ in range(times):
            would = self.breaker.would_admit(self.now)
            era = self.breaker.try_acquire(self.now)
            assert era == self.model.acquire(self.now)
            assert would is bool(era)
            if era:
                self.permits.append((era, self.breaker.now))

    def pick(self, data):
        return self.permits.pop(data.draw(st.integers(0, len(self.permits) - 1)))

    @precondition(lambda self: self.permits)
    @rule(data=st.data(), error=st.booleans(), gateway=st.booleans(), duration=quarters)
    def record(self, data, error, gateway, duration):
        era, start = self.pick(data)
        duration /= 8
        self.breaker.record(era, self.now, error, duration, gateway, start)
        self.model.record(
            era, self.now, error=error, duration=duration, gateway=gateway, start=start
        )

    @precondition(lambda self: self.permits)
    @rule(data=st.data(), kind=st.sampled_from([0, 0, 1, 1, 2, 3, 5, 7]))
    def settle_by_kind(self, data, kind):
        era, _ = self.pick(data)
        if kind:
            self.breaker.bad(era, self.now, kind)
        else:
            self.breaker.good(era, self.now)
        flags = {"error": bool(kind & 1), "slow": bool(kind & 2), "gateway": bool(kind & 4)}
        self.model.settle(era, self.now, **flags)

    @precondition(lambda self: self.permits)
    @rule(data=st.data(), how=st.sampled_from(["ignore", "release"]))
    def count_for_nothing(self, data, how):
        era, _ = self.pick(data)
        getattr(self.breaker, how)(era, self.now)
        getattr(self.model, how)(era, self.now)

    @rule(state=st.sampled_from(list(State)), duration=st.none() | quarters)
    def by_hand(self, state, duration):
        duration = duration if state is State.OPEN else None
        try:
            self.model.to(state.value, self.now, duration)
        except Refused:
            with pytest.raises(IllegalMove):
                self.breaker.to(state, self.now, duration)
        else:
            self.breaker.to(state, self.now, duration)

    @rule()
    def reset(self):
        self.model.reset(self.now)
        self.breaker.reset(self.now)

    @rule(other=all_settings(), same=st.booleans())
    def update(self, other, same):
        old = self.model.settings
        if same:
            other = Settings(
                window=old.window,
                trip=old.trip,
                open=old.open,
                half_open=old.half_open,
                slow_after=other.slow_after,
                min_calls=other.min_calls,
                late=other.late,
                evaluate_on=other.evaluate_on,
            )
        self.model.update(other, self.now)
        self.breaker.update(other, self.now)

    @invariant()
    def same(self):
        if not hasattr(self, "model"):
            return
        expected = self.model.view(self.now)
        found = self.breaker.snapshot(self.now)
        assert {name: found[name] for name in expected} == expected
        moves = [
            (c.from_, c.to, c.era, c.at, c.until, tuple(getattr(c.counts, n) for n in NAMES))
            for c in self.breaker.take_changes()
        ]
        assert moves == self.model.moves
        assert [s.index for s in self.breaker.take_signals()] == self.model.signals
        self.model.moves.clear()
        self.model.signals.clear()


NAMES = ("total", "errors", "slow", "slow_errors", "gateway_errors", "duration_total")


class SameLocked(Same):
    """The variant for builds without a GIL."""

    breaker_class = guard.locked(Breaker)


@pytest.mark.parametrize("machine", [Same, SameLocked])
def test_machine_and_log_agree_on_every_step(machine):
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=250 if machine is Same else 60,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
