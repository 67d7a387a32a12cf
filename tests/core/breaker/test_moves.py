"""Every move there is, and none that is not."""

import math
from fractions import Fraction

import attrs
import pytest

from trafficcore.core.breaker import (
    BY_HAND,
    TRANSITIONS,
    Breaker,
    Cause,
    Count,
    HalfOpen,
    IllegalMove,
    Open,
    Ratio,
    Rule,
    Rules,
    Settings,
    State,
)
from trafficcore.errors import ConfigError

CLOSED, OPEN, HALF_OPEN = State.CLOSED, State.OPEN, State.HALF_OPEN


PROBING = HalfOpen(2, verdict=Ratio(1, 1), max_wait=5)


def make(half_open=PROBING, **more):
    trip = [Rule("error_count", 1), Rule("slow_count", 3)]
    return Breaker(Settings(trip=trip, open=Open(10), half_open=half_open, slow_after=1, **more))


def trip(breaker, now):
    breaker.bad(breaker.try_acquire(now), now)


def half_open_at_10(**more):
    breaker = make(**more)
    trip(breaker, 0)
    assert breaker.state(10) is HALF_OPEN
    return breaker


def by_trip():
    breaker = make()
    trip(breaker, 1)
    return breaker, 1


def by_cooling():
    breaker = make()
    trip(breaker, 0)
    return breaker, 10


def by_healing():
    breaker = make(half_open=None)
    trip(breaker, 0)
    return breaker, 10


def by_bad_probe():
    breaker = half_open_at_10()
    trip(breaker, 11)
    return breaker, 11


def by_recovery():
    breaker = half_open_at_10()
    breaker.good(breaker.try_acquire(11), 11)
    return breaker, 11


def by_hanging():
    breaker = half_open_at_10()
    breaker.try_acquire(11)
    return breaker, 16


def by_lapsing():
    breaker = half_open_at_10(half_open=HalfOpen(1, max_wait=5, max_wait_to="closed"))
    breaker.try_acquire(11)
    return breaker, 16


WALKS = {
    (CLOSED, Cause.TRIP): by_trip,
    (OPEN, Cause.COOLED): by_cooling,
    (OPEN, Cause.HEALED): by_healing,
    (HALF_OPEN, Cause.TRIP): by_bad_probe,
    (HALF_OPEN, Cause.RECOVERED): by_recovery,
    (HALF_OPEN, Cause.HUNG): by_hanging,
    (HALF_OPEN, Cause.LAPSED): by_lapsing,
}


def test_every_move_of_the_table_has_a_walk():
    assert WALKS.keys() == TRANSITIONS.keys()


@pytest.mark.parametrize("edge", TRANSITIONS, ids=lambda edge: f"{edge[0]}-{edge[1]}")
def test_each_move_of_the_table_is_made(edge):
    breaker, now = WALKS[edge]()
    before = breaker.era
    noticed = breaker.state(now)
    *_, change = breaker.take_changes()
    assert (change.from_, change.to, change.at) == (edge[0], TRANSITIONS[edge], now)
    assert noticed is TRANSITIONS[edge]
    assert change.era == breaker.era >= before
    assert (change.until is None) is (change.to is not OPEN)


@pytest.mark.parametrize("to", State)
@pytest.mark.parametrize("from_", State)
def test_moves_by_hand(from_, to):
    breaker = make(initial_state=from_)
    era = breaker.try_acquire(1) or breaker.era
    before = breaker.snapshot(1)
    if to not in BY_HAND[from_]:
        with pytest.raises(IllegalMove, match=f"is {from_} cannot be made {to}"):
            breaker.to(to, 1)
        assert breaker.snapshot(1) == before
        assert breaker.take_changes() == []
        return
    breaker.to(to.value, 1)
    assert breaker.state(1) is to
    assert breaker.era == era + 1
    assert breaker.rejected == 0
    moves = [(change.from_, change.to, change.reason) for change in breaker.take_changes()]
    assert moves == ([] if to is from_ else [(from_, to, "by hand")])


def test_what_may_be_done_by_hand_is_what_the_rules_say():
    anywhere = {CLOSED, State.DISABLED, State.FORCED_OPEN, State.METRICS_ONLY}
    for from_ in State:
        legal = set(anywhere)
        legal |= {OPEN} - ({OPEN} if from_ is State.METRICS_ONLY else set())
        legal |= {HALF_OPEN} - ({HALF_OPEN} if from_ in (CLOSED, State.METRICS_ONLY) else set())
        assert BY_HAND[from_] == legal


def test_a_breaker_without_half_open_cannot_be_put_there():
    breaker = make(half_open=None, initial_state="open")
    with pytest.raises(IllegalMove, match="no half-open"):
        breaker.to("half_open", 1)


@pytest.mark.parametrize(("state", "length"), [("closed", 5), ("open", -1), ("ajar", None)])
def test_what_is_no_move_at_all_is_refused(state, length):
    breaker = make()
    with pytest.raises(ConfigError):
        breaker.to(state, 1, length)
    assert breaker.era == 1


def test_an_opening_for_a_given_time_is_no_attempt():
    breaker = make()
    breaker.to("open", 0, 3)
    assert (breaker.attempts, breaker.retry_at(0)) == (0, 3)
    breaker.to("open", 1)
    assert (breaker.attempts, breaker.retry_at(1)) == (1, 11)
    breaker.to("forced_open", 2)
    assert (breaker.attempts, breaker.retry_at(2)) == (1, None)
    breaker.to("open", 3)
    assert breaker.attempts == 2
    breaker.reset(4)
    assert breaker.attempts == 0


@pytest.mark.parametrize("state", State)
def test_reset_closes_from_anywhere_and_tells_only_a_change(state):
    breaker = make(initial_state=state)
    breaker.reset(1)
    assert breaker.state(1) is CLOSED
    assert (breaker.era, breaker.attempts) == (2, 0)
    assert len(breaker.take_changes()) == (state is not CLOSED)


@pytest.mark.parametrize(("state", "attempts"), [("open", 1), ("half_open", 1), ("closed", 0)])
def test_any_state_may_be_the_first(state, attempts):
    breaker = Breaker(Settings(open=Open(10), initial_state=state), now=5)
    assert breaker.state(5) == state
    assert breaker.attempts == attempts
    assert breaker.take_changes() == []
    assert breaker.retry_at(5) == (15 if state == "open" else None)


# Rules are updated (R28)


def test_settings_that_are_no_rules_leave_the_state():
    breaker = make()
    trip(breaker, 0)
    era, old = breaker.era, breaker.settings
    more = {"slow_after": 2, "late": "count", "min_calls": 3, "evaluate_on": "bad"}
    same = Settings(
        trip=old.trip, open=old.open, half_open=old.half_open, window=old.window, **more
    )
    assert breaker.update(same, 1) is True
    assert (breaker.state(1), breaker.era, breaker.slow_after) == (OPEN, era, 2)
    assert breaker.take_changes()[-1].reason == "error_count >= 1"


@pytest.mark.parametrize(
    "other",
    [
        {"window": Count(5)},
        {"trip": [Rule("error_count", 2)]},
        {"open": Open(11)},
        {"half_open": None},
    ],
)
def test_other_rules_begin_closed(other):
    breaker = make()
    trip(breaker, 0)
    old = breaker.settings
    rules = {"trip": old.trip, "open": old.open, "half_open": old.half_open, "window": old.window}
    assert breaker.update(Settings(**(rules | other)), 1) is False
    assert breaker.state(1) is CLOSED
    change = breaker.take_changes()[-1]
    assert (change.from_, change.reason, change.counts.errors) == (OPEN, "settings changed", 1)


def test_a_lower_minimum_counts_from_the_next_result_on():
    trips = [Rule("error_rate", 0.5)]
    breaker = Breaker(Settings(trip=trips, min_calls=10))
    for _ in range(3):
        breaker.bad(breaker.try_acquire(0), 0)
    breaker.update(Settings(trip=trips, min_calls=2), 0)
    assert breaker.state(0) is CLOSED
    breaker.good(breaker.try_acquire(0), 0)
    assert breaker.state(0) is OPEN


def probing(half_open, rule=("error_count", 1)):
    settings = Settings(trip=[Rule(*rule)], open=Open(10), half_open=half_open, slow_after=1)
    breaker = Breaker(attrs.evolve(settings, initial_state="open"), now=0)
    assert breaker.state(10) is HALF_OPEN
    return breaker


def test_after_a_fork_the_time_limit_is_that_of_the_entry_or_of_the_next_probe():
    breaker = probing(HalfOpen(2, max_wait=5, max_wait_from="entry"))
    assert breaker.try_acquire(12)
    breaker.forget_calls()
    assert breaker.next_deadline() == 15
    breaker = probing(HalfOpen(2, max_wait=5))
    assert breaker.try_acquire(12)
    assert breaker.next_deadline() == 17
    breaker.forget_calls()
    assert breaker.next_deadline() == math.inf


def test_a_short_time_limit_of_half_open_is_one():
    breaker = probing(HalfOpen(2, max_wait=Fraction(1, 2)))
    assert breaker.try_acquire(12)
    assert breaker.next_deadline() == Fraction(25, 2)


def test_a_probe_too_many_is_counted_as_refused():
    breaker = probing(HalfOpen(1, max_wait=None))
    assert breaker.try_acquire(12)
    assert [breaker.try_acquire(12) for _ in range(3)] == [0, 0, 0]
    assert breaker.rejected == 3


def test_errors_in_a_row_are_in_a_row_in_half_open_too():
    breaker = probing(HalfOpen(3, verdict=Rules(3), max_wait=None), ("consecutive_errors", 2))
    for error in (True, False, True):
        breaker.record(breaker.try_acquire(12), 12, error=error)
    assert breaker.state(12) is CLOSED


def test_a_gateways_error_is_an_error_of_a_probe():
    breaker = probing(HalfOpen(1, max_wait=None))
    breaker.record(breaker.try_acquire(12), 12, gateway=True)
    assert breaker.state(12) is OPEN
