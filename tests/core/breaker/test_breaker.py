"""Single rules of the reference, by example; the model holds them all together."""

import math
from fractions import Fraction

import pytest

from trafficcore.core.breaker import (
    ERROR,
    GATEWAY_ERROR,
    GOOD,
    SLOW,
    Breaker,
    Count,
    Counts,
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
from trafficcore.errors import ConfigError

ASM = Settings(
    window=Time(10, 10), slow_after=0.5, trip=[Rule("slow_count", 5)], open=Open(60), half_open=None
)


def feed(breaker, now, *kinds):
    for kind in kinds:
        breaker.bad(breaker.try_acquire(now), now, kind)


def test_five_slow_calls_and_the_sixth_is_refused():
    breaker = Breaker(ASM)
    for second in range(1, 6):
        breaker.record(breaker.try_acquire(second), second, duration=1)
    assert not breaker.try_acquire(5)
    assert breaker.retry_at(5) == breaker.next_deadline() == 65
    assert not breaker.would_admit(64.999)
    assert breaker.would_admit(65)
    assert breaker.try_acquire(65)
    assert breaker.state(65) is State.CLOSED


def test_exactly_the_limit_is_not_slow():
    breaker = Breaker(ASM)
    for took in (0.5, math.nextafter(0.5, 1)):
        breaker.record(breaker.try_acquire(0), 0, duration=took)
    assert breaker.snapshot(0)["slow"] == 1


def test_when_good_results_leave_the_next_good_one_trips():
    """R13: a turn raises the share, and every result looks."""
    breaker = Breaker(Settings(window=Time(4, 4), trip=[Rule("error_rate", 0.5, min_calls=2)]))
    feed(breaker, 0.5, 0, 0, 0, 0)
    feed(breaker, 2.5, ERROR, ERROR)
    assert breaker.snapshot(4.5)["error_rate"] == 1
    assert breaker.state(4.5) is State.CLOSED  # nothing trips because time passes
    feed(breaker, 4.5, 0)
    assert breaker.state(4.5) is State.OPEN
    assert breaker.last_trip.counts == Counts(total=3, errors=2)


def test_on_bad_results_only_a_good_one_never_trips():
    trip = [Rule("error_rate", 0.5, min_calls=4)]
    breaker = Breaker(Settings(trip=trip, evaluate_on="bad"))
    feed(breaker, 0, ERROR, ERROR, 0, 0, 0)
    assert breaker.state(0) is State.CLOSED
    feed(breaker, 0, ERROR)
    assert breaker.state(0) is State.OPEN


def test_the_minimum_may_be_met_by_a_good_result():
    breaker = Breaker(Settings(trip=[Rule("error_rate", 0.5, min_calls=4)]))
    feed(breaker, 0, ERROR, ERROR, 0)
    assert breaker.state(0) is State.CLOSED
    feed(breaker, 0, 0)
    assert breaker.state(0) is State.OPEN
    assert breaker.last_trip.reason == "error_rate >= 0.5"


def test_gateway_errors_are_a_class_of_their_own():
    breaker = Breaker(Settings(trip=[Rule("gateway_error_rate", 0.5, min_calls=4)]))
    feed(breaker, 0, ERROR, ERROR, ERROR, GATEWAY_ERROR, GATEWAY_ERROR)
    assert breaker.state(0) is State.CLOSED
    feed(breaker, 0, GATEWAY_ERROR)
    assert breaker.state(0) is State.OPEN
    counts = breaker.last_trip.counts
    assert (counts.errors, counts.gateway_errors, counts.bad, counts.successes) == (6, 3, 6, 0)


def test_a_slow_error_is_one_result_and_one_bad_one():
    breaker = Breaker(Settings(trip=[Rule("bad_count", 2)], slow_after=1))
    breaker.record(breaker.try_acquire(0), 0, error=True, duration=2)
    seen = breaker.snapshot(0)
    assert [seen[name] for name in ("total", "errors", "slow", "slow_errors")] == [1, 1, 1, 1]
    assert seen["state"] == "closed"
    feed(breaker, 0, SLOW)
    assert breaker.state(0) is State.OPEN
    assert breaker.last_trip.counts.bad == 2


@pytest.mark.parametrize("now", [0, 11], ids=["inside a sub-window", "at a turn"])
def test_kinds_are_what_they_are_called(now):
    breaker = Breaker(Settings())
    for kind in (GOOD, ERROR, SLOW, GATEWAY_ERROR):
        breaker.bad(breaker.try_acquire(now), now, kind)
    breaker.good(breaker.try_acquire(now), now)
    breaker.record(breaker.try_acquire(now), now)
    seen = breaker.snapshot(now)
    assert (seen["total"], seen["errors"], seen["slow"], seen["gateway_errors"]) == (6, 2, 1, 1)
    assert (seen["slow_errors"], seen["duration_total"]) == (0, 0)


def test_what_no_rule_measures_completes_a_minimum_and_does_not_trip_on_bad_results_only():
    rules = {"trip": [Rule("error_rate", 0.5, min_calls=3)], "evaluate_on": "bad"}
    breaker = Breaker(Settings(**rules))
    feed(breaker, 0, ERROR, ERROR, SLOW)
    assert breaker.state(0) is State.CLOSED
    feed(breaker, 0, ERROR)
    assert breaker.state(0) is State.OPEN


def test_consecutive_errors_count_since_the_state_was_entered():
    breaker = Breaker(Settings(window=Time(1, 1), trip=[Rule("consecutive_errors", 3)]))
    feed(breaker, 0, ERROR)
    feed(breaker, 5, ERROR)
    breaker.ignore(breaker.try_acquire(6), 6)
    assert breaker.snapshot(9)["consecutive_errors"] == 2
    feed(breaker, 9, ERROR)
    assert breaker.state(9) is State.OPEN


def test_a_slow_success_ends_a_run_of_errors():
    breaker = Breaker(Settings(trip=[Rule("consecutive_errors", 2)], slow_after=1))
    feed(breaker, 0, ERROR, SLOW, ERROR)
    assert breaker.state(0) is State.CLOSED


@pytest.mark.parametrize("form", ["acquire", "would", "read", "release", "ignore", "record"])
def test_a_clock_that_goes_back_stands_still(form):
    breaker = Breaker(Settings(trip=[Rule("error_count", 9)], window=Time(10, 10)))
    era = breaker.try_acquire(0)
    touch = {
        "acquire": lambda: breaker.try_acquire(30),
        "would": lambda: breaker.try_acquire(30) and breaker.would_admit(3),
        "read": lambda: breaker.state(30),
        "release": lambda: breaker.release(era, 30),
        "ignore": lambda: breaker.ignore(era, 30),
        "record": lambda: breaker.good(era, 30),
    }
    feed(breaker, 1, ERROR)
    touch[form]()
    feed(breaker, 5, ERROR)  # it is 30 still: the first error has left
    assert breaker.now == 30
    assert breaker.snapshot(7)["errors"] == 1
    breaker.to("open", 8)
    assert breaker.last_trip is None
    assert breaker.retry_at(9) == 90


def test_asking_whether_a_call_would_be_admitted_does_nothing():
    breaker = Breaker(ASM)
    assert breaker.would_admit(50)
    assert breaker.now == 0
    breaker.to("open", 1)
    assert not breaker.would_admit(2)
    assert breaker.rejected == 0


@pytest.mark.parametrize("at", [Fraction(9), 9, 9.0])
@pytest.mark.parametrize(("edge", "over"), [(">", False), (">=", True)])
@pytest.mark.parametrize("auto", [True, False])
def test_asking_says_at_the_edge_what_acquiring_would(at, edge, over, auto):
    breaker = Breaker(
        Settings(open=Open(9, edge=edge, auto=auto), half_open=None, initial_state="open"),
        now=at - at,
    )
    assert breaker.would_admit(at) is over
    assert bool(breaker.try_acquire(at)) is over


def test_reading_never_evicts():
    breaker = Breaker(Settings(window=Time(2, 2)))
    feed(breaker, 0, ERROR)
    assert breaker.snapshot(100)["total"] == 0
    assert breaker._window.evicted == 0
    assert breaker.snapshot(100)["error_rate"] is None


def test_retry_after_on_floats_leads_out_once_it_is_waited_out():
    for edge in (">=", ">"):
        breaker = Breaker(Settings(open=Open(0.1, edge=edge)), now=0.0)
        for start in (0.3, 1e6 + 0.1, 1e9 + 0.7):
            breaker.to("open", start)
            at = breaker.retry_at(start)
            assert not breaker.try_acquire(math.nextafter(at, 0))
            assert breaker.try_acquire(at)


def test_half_open_begins_when_it_is_noticed_and_a_hung_probe_ends_it_in_its_own_time():
    half_open = HalfOpen(1, max_wait=5)
    breaker = Breaker(Settings(trip=[Rule("error_count", 1)], open=Open(10), half_open=half_open))
    feed(breaker, 0, ERROR)
    assert breaker.try_acquire(30)  # noticed at 30
    assert breaker.next_deadline() == 35
    assert breaker.state(100) is State.HALF_OPEN  # open from 35 to 45, and noticed again
    changes = [(c.to, c.at, c.until) for c in breaker.take_changes()[1:]]
    half, opened = State.HALF_OPEN, State.OPEN
    assert changes == [(half, 30, None), (opened, 35, 45), (half, 100, None)]
    assert breaker.attempts == 2


def test_idle_half_open_waits_for_ever_and_so_it_does_when_every_probe_was_given_back():
    half_open = HalfOpen(1, max_wait=5)
    breaker = Breaker(Settings(open=Open(10), half_open=half_open, initial_state="half_open"))
    assert breaker.next_deadline() == math.inf
    assert breaker.state(1000) is State.HALF_OPEN
    breaker.release(breaker.try_acquire(1000), 1001)
    assert breaker.state(2000) is State.HALF_OPEN
    assert breaker.try_acquire(2000)
    assert breaker.state(2005) is State.OPEN


def test_the_time_limit_of_half_open_runs_while_any_probe_is_out():
    settings = Settings(open=Open(10), half_open=HalfOpen(2, max_wait=5), initial_state="open")
    breaker = Breaker(settings, now=0)
    first, second = breaker.try_acquire(10), breaker.try_acquire(11)
    assert breaker.next_deadline() == 15
    breaker.release(first, 12)
    assert breaker.next_deadline() == 15
    breaker.ignore(second, 12)
    assert breaker.next_deadline() == math.inf
    assert breaker.try_acquire(13)
    assert breaker.next_deadline() == 18


def test_the_time_limit_of_half_open_may_run_from_its_entry():
    half_open = HalfOpen(2, max_wait=5, max_wait_from="entry")
    breaker = Breaker(Settings(open=Open(10), half_open=half_open, initial_state="open"), now=0)
    assert breaker.state(10) is State.HALF_OPEN
    assert breaker.next_deadline() == 15
    breaker.release(breaker.try_acquire(12), 12)
    assert breaker.next_deadline() == 15
    assert breaker.state(15) is State.OPEN


def test_the_time_limit_of_half_open_is_the_open_time_unless_it_is_set():
    breaker = Breaker(Settings(trip=[Rule("error_count", 1)], open=Open(10, multiplier=3)))
    feed(breaker, 0, ERROR)
    feed(breaker, 10, ERROR)  # open for 30 now
    assert breaker.try_acquire(40)
    assert breaker.next_deadline() == 70


def test_many_probes_in_flight_are_bounded_and_a_finished_one_makes_room():
    half_open = HalfOpen(3, 2, Ratio(3, 3))
    breaker = Breaker(Settings(half_open=half_open, initial_state="half_open"))
    first, second = breaker.try_acquire(0), breaker.try_acquire(0)
    assert first == second
    assert first
    assert not breaker.try_acquire(0)
    breaker.good(first, 0)
    assert breaker.try_acquire(0)
    breaker.good(first, 0)
    assert not breaker.try_acquire(0)  # three permits are gone, one of them in flight
    assert breaker.snapshot(0)["probes"] == {"admitted": 3, "in_flight": 1, "bad": 0}
    breaker.good(first, 0)
    assert breaker.state(0) is State.CLOSED


def test_a_verdict_by_rules_looks_without_minimums():
    half_open = HalfOpen(4, verdict=Rules(4))
    trip = [Rule("error_rate", 0.5, min_calls=100)]
    breaker = Breaker(Settings(trip=trip, half_open=half_open, initial_state="half_open"))
    feed(breaker, 0, 0, ERROR, 0)
    assert breaker.snapshot(0)["error_rate"] is None
    feed(breaker, 0, ERROR)
    assert breaker.state(0) is State.OPEN
    assert breaker.snapshot(0)["error_rate"] == 0.5


def test_late_results_counted_change_what_is_frozen_and_free_no_place():
    settings = Settings(
        trip=[Rule("error_count", 2)], open=Open(10), half_open=HalfOpen(2, 1), late="count"
    )
    breaker = Breaker(settings)
    late = [breaker.try_acquire(0) for _ in range(3)]
    feed(breaker, 0, ERROR, ERROR)
    breaker.bad(late[0], 1)
    assert breaker.snapshot(1)["errors"] == 3
    probe = breaker.try_acquire(10)
    breaker.ignore(late[1], 10)
    breaker.release(late[1], 10)
    assert not breaker.try_acquire(10)
    breaker.good(late[2], 10)  # decides
    assert breaker.state(10) is State.CLOSED
    breaker.good(probe, 10)
    seen = breaker.snapshot(10)
    assert (seen["late"], seen["ignored"], seen["total"]) == (3, 1, 1)


def test_a_result_whose_bucket_has_gone_is_dropped():
    breaker = Breaker(Settings(window=Time(3, 3, "start"), trip=[Rule("error_count", 9)]))
    era = breaker.try_acquire(0)
    for start in (0, 1, 5, 3):
        breaker.record(era, 5, True, 1, start=start)
    seen = breaker.snapshot(5)
    assert (seen["total"], seen["dropped"]) == (2, 2)
    assert breaker.snapshot(6)["total"] == 1


def test_disabled_counts_nothing_and_forced_open_refuses_for_ever():
    breaker = Breaker(Settings(trip=[Rule("error_count", 1)], initial_state="disabled"))
    feed(breaker, 0, ERROR, SLOW, 0)
    breaker.record(breaker.try_acquire(1e6), 1e6, error=True)
    seen = breaker.snapshot(1e6)
    assert (seen["state"], seen["total"], seen["error_rate"]) == ("disabled", 0, None)
    breaker.to("forced_open", 1e6)
    assert not breaker.try_acquire(1e9)
    assert breaker.next_deadline() == math.inf
    assert breaker.retry_at(1e9) is None


def test_metrics_only_signals_each_rule_once():
    trip = [Rule("error_count", 2), Rule("error_count", 1), Rule("error_rate", 1, min_calls=3)]
    breaker = Breaker(Settings(trip=trip, initial_state="metrics_only"))
    feed(breaker, 0, ERROR)
    assert [(s.index, s.counts.errors) for s in breaker.take_signals()] == [(1, 1)]
    feed(breaker, 0, ERROR, ERROR, ERROR)
    assert [(s.index, s.counts.errors) for s in breaker.take_signals()] == [(0, 2), (2, 3)]
    assert breaker.snapshot(0)["exceeded"] == [0, 1, 2]
    assert breaker.take_changes() == []


# How long it stays open


def openings(opening, times, draw=None):
    breaker = Breaker(Settings(trip=[Rule("error_count", 1)], open=opening), draw=draw)
    now, lengths = Fraction(0), []
    for _ in range(times):
        feed(breaker, now, ERROR)
        lengths.append(breaker.retry_at(now) - now)
        now = breaker.retry_at(now)
    return lengths


def test_openings_grow_to_a_ceiling():
    assert openings(Open(10, multiplier=2, max=35), 4) == [10, 20, 35, 35]
    assert openings(Open(8, multiplier=Fraction(1, 2)), 3) == [8, 4, 2]


def test_openings_that_outgrow_a_float_are_for_ever_or_the_ceiling():
    breaker = Breaker(Settings(open=Open(10.0, multiplier=2.0, max=300)))
    breaker.attempts = 5_000
    breaker.to("open", 0)
    assert breaker.retry_at(0) == 300
    endless = Breaker(Settings(open=Open(10.0, multiplier=2.0)))
    endless.attempts = 5_000
    endless.to("open", 0)
    assert endless.retry_at(0) == math.inf


def test_jitter_draws_a_factor_after_the_ceiling():
    draws = iter([0, Fraction(1, 2), 1])
    lengths = openings(Open(10, multiplier=9, max=10, jitter=Fraction(1, 5)), 3, draws.__next__)
    assert lengths == [8, 10, 12]


def test_jitter_without_a_draw_is_refused():
    with pytest.raises(ConfigError, match="needs a draw"):
        Breaker(Settings(open=Open(10, jitter=0.5)))
    breaker = Breaker(Settings())
    with pytest.raises(ConfigError, match="needs a draw"):
        breaker.update(Settings(open=Open(10, jitter=0.5)), 0)
    assert breaker.settings == Settings()


def test_a_callable_says_how_long_and_is_told_why():
    told = []

    def length(n, counts, reason, last):
        told.append((n, counts.total, reason, last))
        return n * 7

    settings = Settings(trip=[Rule("bad_count", 2)], open=Open(length), slow_after=1)
    breaker = Breaker(settings)
    feed(breaker, 0, SLOW, ERROR)
    assert breaker.retry_at(0) == 7
    feed(breaker, 7, SLOW)
    assert breaker.retry_at(7) == 7 + 14
    assert told == [(1, 2, "bad_count >= 2", "error"), (2, 1, "probes failed", "slow")]


def _raise(*_):
    raise LookupError("gone")


@pytest.mark.parametrize(
    ("length", "told"),
    [
        (_raise, "LookupError('gone')"),
        (lambda *_: float("nan"), "from 0, not nan"),
        (lambda *_: -1, "from 0, not -1"),
        (lambda *_: None, "TypeError"),
    ],
)
def test_a_callable_that_is_mistaken_opens_for_the_usual_time(length, told):
    breaker = Breaker(Settings(trip=[Rule("error_count", 1)], open=Open(length, max=50)))
    feed(breaker, 0, ERROR)
    assert breaker.retry_at(0) == 50
    (mistake,) = breaker.take_signals()
    assert told in mistake.error
    breaker.reset(0)
    breaker.to("open", 0)
    assert breaker.retry_at(0) == 50
    assert Open().duration == 60


def test_a_callable_may_say_that_it_opens_for_no_time_or_for_ever():
    for length in (0, float("inf")):
        breaker = Breaker(Settings(open=Open(lambda *_, length=length: length)))
        breaker.to("open", 1)
        assert breaker.open_until == 1 + length
        assert breaker.take_signals() == []


def test_a_callable_that_is_interrupted_leaves_everything_as_it_was():
    def length(*_):
        raise KeyboardInterrupt

    breaker = Breaker(Settings(trip=[Rule("error_count", 1)], open=Open(length)))
    for n in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            feed(breaker, 0, ERROR)
        assert breaker.state(0) is State.CLOSED
        assert breaker.snapshot(0)["errors"] == n
    assert breaker.try_acquire(0)
    with pytest.raises(KeyboardInterrupt):
        breaker.to("open", 0)
    assert (breaker.era, breaker.take_changes()) == (1, [])


def test_a_move_that_an_interrupt_ended_halfway_is_mended_by_the_next_look():
    breaker = Breaker(Settings())
    breaker.live = 0
    assert breaker.try_acquire(1) == 1
    assert breaker.live == 1


# What is told


def test_news_nobody_takes_do_not_pile_up():
    breaker = Breaker(Settings())
    for _ in range(1500):
        breaker.to("open", 0)
        breaker.reset(0)
    changes = breaker.take_changes()
    assert len(changes) == 1000
    assert changes[-1].era == breaker.era == 3001


def test_the_first_three_say_when_they_took_the_lock():
    breaker = Breaker(Settings(trip=[Rule("error_count", 3)]))
    assert breaker.good(1, 0.5) is None
    assert breaker.bad(1, 0.5) is None
    assert breaker.record(1, 0.5, True) is None
    assert breaker.good(1, 1.5) is True  # a turn
    assert breaker.bad(1, 1.5) is True  # the edge
    assert breaker.state(1.5) is State.OPEN


def test_a_snapshot_says_what_happened_and_what_is_next():
    breaker = Breaker(ASM)
    feed(breaker, 1, SLOW, SLOW, SLOW, SLOW, SLOW)
    breaker.try_acquire(2)
    assert breaker.snapshot(11) == {
        "state": "open",
        "era": 2,
        "since": 1,
        "retry_at": 61,
        "retry_after": 50,
        "next_deadline": 61,
        "next_state": "closed",
        "watched": 0,
        "attempts": 1,
        "rejected": 1,
        "rejected_total": 1,
        "late": 0,
        "ignored": 0,
        "dropped": 0,
        "evicted": 0,
        "total": 5,
        "successes": 5,
        "errors": 0,
        "slow": 5,
        "slow_errors": 0,
        "gateway_errors": 0,
        "duration_total": 0,
        "consecutive_errors": 0,
        "error_rate": 0,
        "slow_rate": 1,
        "exceeded": [],
        "probes": None,
        "last_trip": {
            "reason": "slow_count >= 5",
            "from": "closed",
            "at": 1,
            "until": 61,
            "era": 2,
            "total": 5,
            "errors": 0,
            "slow": 5,
            "gateway_errors": 0,
        },
    }
    breaker.state(61)
    seen = breaker.snapshot(61)
    assert (seen["state"], seen["rejected"], seen["rejected_total"]) == ("closed", 0, 1)


@pytest.mark.parametrize("window", [Count(3), Cumulative()])
def test_windows_without_time(window):
    breaker = Breaker(Settings(window=window, trip=[Rule("error_count", 3)]))
    feed(breaker, 0, ERROR, ERROR, 0, 0, ERROR)
    tripped = isinstance(window, Cumulative)
    assert (breaker.state(0) is State.OPEN) is tripped
    assert breaker.snapshot(0)["total"] == (5 if tripped else 3)
