"""A call that hangs is slow before it ends, once, whatever becomes of it."""

import random
import sys
import threading
from fractions import Fraction

import pytest

from trafficcore.core.breaker import (
    ERROR,
    GATEWAY_ERROR,
    GOOD,
    SLOW,
    Breaker,
    Count,
    Cumulative,
    Flight,
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

NEVER = 10**6
SEEN = ("total", "errors", "slow", "slow_errors", "gateway_errors")


def make(*trip, window=None, half_open=None, **more):
    trip = trip or (Rule("slow_count", NEVER),)
    return Breaker(
        Settings(
            window=window or Time(10, 10),
            slow_after=1,
            trip=trip,
            open=Open(60),
            half_open=half_open,
            **more,
        )
    )


def seen(breaker, now):
    shown = breaker.snapshot(now)
    return tuple(shown[name] for name in SEEN)


def test_it_counts_once_it_has_run_longer_than_the_limit_and_not_again_when_it_ends():
    breaker = make()
    flight = breaker.launch(0)
    assert seen(breaker, 1) == (0, 0, 0, 0, 0)  # exactly the limit is not slow
    assert breaker.snapshot(1)["watched"] == 1
    assert seen(breaker, 1.5) == (1, 0, 1, 0, 0)
    assert seen(breaker, 2) == (1, 0, 1, 0, 0)
    breaker.record(flight, 3, duration=3)
    assert seen(breaker, 3) == (1, 0, 1, 0, 0)
    assert breaker.snapshot(3)["duration_total"] == 3
    assert breaker.snapshot(3)["watched"] == 0


def test_hanging_calls_trip_before_any_ends_and_their_ends_are_nothing_then():
    breaker = make(Rule("slow_count", 3))
    flights = [breaker.launch(0) for _ in range(3)]
    assert breaker.launch(0.5)
    assert not breaker.launch(1.5)
    assert breaker.last_trip.at == 1.5
    for flight in flights:
        breaker.record(flight, 2, error=True, duration=2)
    shown = breaker.snapshot(2)
    assert (shown["state"], shown["slow"], shown["errors"], shown["late"]) == ("open", 3, 0, 0)


def test_a_quick_end_is_what_it_is_without_being_watched():
    breaker = make()
    breaker.good(breaker.launch(0), 0.5)
    breaker.bad(breaker.launch(0), 0.5, ERROR)
    breaker.ignore(breaker.launch(0), 0.5)
    breaker.release(breaker.launch(0), 0.5)
    shown = breaker.snapshot(0.5)
    assert seen(breaker, 0.5) == (2, 1, 0, 0, 0)
    assert (shown["ignored"], shown["watched"]) == (1, 0)


def test_whoever_settles_says_how_long_it_took_while_nobody_has_told_it():
    breaker = make()
    breaker.record(breaker.launch(0), 5, duration=0.5)  # its response began early
    assert seen(breaker, 5) == (1, 0, 0, 0, 0)


def test_a_response_that_has_begun_does_not_become_slow():
    breaker = make()
    flight = breaker.launch(0)
    breaker.landed(flight, 1)
    assert seen(breaker, 9) == (0, 0, 0, 0, 0)
    breaker.release(flight, 9)  # nor when it is cancelled
    assert seen(breaker, 9) == (0, 0, 0, 0, 0)
    late = breaker.launch(10)
    breaker.landed(late, 12)
    assert seen(breaker, 12) == (1, 0, 1, 0, 0)
    breaker.landed(0, 12)  # an era, or a refusal, is nothing that could land


@pytest.mark.parametrize("window", [Time(10, 10), Time(10, 10, "start"), Count(9), Cumulative()])
@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        (GOOD, (1, 0, 1, 0, 0)),
        (SLOW, (1, 0, 1, 0, 0)),
        (ERROR, (1, 1, 1, 1, 0)),
        (ERROR | SLOW, (1, 1, 1, 1, 0)),
        (GATEWAY_ERROR, (1, 1, 1, 1, 1)),
        (4, (1, 1, 1, 1, 1)),
    ],
)
@pytest.mark.parametrize("later", [2, 4])  # in the sub-window in which it was told, and after it
def test_its_end_completes_the_one_result_there_is(kind, counts, later, window):
    breaker = make(window=window)
    flight = breaker.launch(0)
    breaker.look(1.5 if later == 4 else 2)
    breaker.bad(flight, later, kind)
    assert seen(breaker, later) == counts
    assert breaker.snapshot(later)["consecutive_errors"] == counts[1]


def test_an_error_whose_slow_half_has_left_counts_as_it_comes_and_is_not_slow_again():
    breaker = make(window=Time(10, 10))
    flight = breaker.launch(0)
    breaker.look(2)
    assert seen(breaker, 13) == (0, 0, 0, 0, 0)
    breaker.bad(flight, 13, GATEWAY_ERROR | SLOW)
    assert seen(breaker, 13) == (1, 1, 0, 0, 1)
    assert breaker.snapshot(13)["consecutive_errors"] == 1
    good = breaker.launch(13)
    breaker.look(15)
    breaker.good(good, 40)
    assert seen(breaker, 40) == (0, 0, 0, 0, 0)


def test_by_its_start_what_has_left_is_dropped():
    breaker = make(window=Time(3, 3, "start"))
    flight, other = breaker.launch(0), breaker.launch(0)
    breaker.look(1.5)
    breaker.bad(flight, 30, ERROR)
    assert breaker.snapshot(30)["dropped"] == 1
    breaker.release(other, 30)
    hung = breaker.launch(30)
    breaker.look(50)  # noticed when its own bucket had left
    breaker.bad(hung, 50, ERROR)
    assert breaker.snapshot(50)["dropped"] == 3
    assert seen(breaker, 50) == (0, 0, 0, 0, 0)


def test_an_error_completed_may_trip_by_shares_of_errors():
    breaker = make(Rule("error_rate", 0.5), Rule("slow_count", 9))
    flight = breaker.launch(0)
    breaker.look(2)
    assert breaker.state(2) is State.CLOSED
    breaker.bad(flight, 4, ERROR)
    assert breaker.state(4) is State.OPEN
    assert breaker.last_trip.reason == "error_rate >= 0.5"


def test_a_run_of_errors_is_neither_ended_nor_lengthened_by_what_has_not_ended():
    breaker = make(Rule("consecutive_errors", 3), Rule("slow_count", 9))
    breaker.bad(breaker.launch(0), 0, ERROR)
    failing, fine = breaker.launch(0), breaker.launch(0)
    breaker.look(2)
    assert breaker.snapshot(2)["consecutive_errors"] == 1
    breaker.bad(failing, 3, ERROR)
    assert breaker.snapshot(3)["consecutive_errors"] == 2
    breaker.good(fine, 4)
    assert breaker.snapshot(4)["consecutive_errors"] == 0


@pytest.mark.parametrize(
    ("end", "slow"), [("release", 1), ("ignore", 0)], ids=["cancelled", "ignored"]
)
def test_one_that_was_cancelled_is_slow_if_it_was_by_then(end, slow):
    breaker = make()
    flight = breaker.launch(0)
    getattr(breaker, end)(flight, 2)
    assert seen(breaker, 2) == (slow, 0, slow, 0, 0)


@pytest.mark.parametrize("end", ["release", "ignore"])
def test_what_was_told_stays_told(end):
    breaker = make()
    flight = breaker.launch(0)
    breaker.look(2)
    getattr(breaker, end)(flight, 3)
    assert seen(breaker, 3) == (1, 0, 1, 0, 0)
    assert breaker.snapshot(3)["ignored"] == 0


def half_open(verdict, **more):
    breaker = make(Rule("bad_count", 3), half_open=HalfOpen(verdict=verdict, max_wait=None, **more))
    breaker.to("open", 0, 1)
    return breaker


def test_a_probe_that_hangs_is_judged_at_once():
    breaker = half_open(Ratio(1, 1))
    probe = breaker.launch(5)
    assert breaker.state(6.5) is State.OPEN
    breaker.good(probe, 7)
    assert breaker.state(7) is State.OPEN


def test_a_probe_that_hangs_keeps_its_place_until_it_ends():
    breaker = half_open(Ratio(2, 4), permits=4, max_concurrent=2)
    one, two = breaker.launch(5), breaker.launch(5)
    assert not breaker.launch(7)
    assert breaker.snapshot(7)["probes"] == {"admitted": 2, "in_flight": 2, "bad": 2}
    breaker.bad(one, 8, ERROR)
    breaker.release(two, 8)
    assert breaker.snapshot(8)["probes"] == {"admitted": 2, "in_flight": 0, "bad": 2}
    assert seen(breaker, 8) == (2, 1, 2, 1, 0)
    for _ in range(2):
        breaker.good(breaker.launch(9), 9)
    assert breaker.state(9) is State.CLOSED


def test_a_cancelled_probe_that_was_slow_is_a_bad_one():
    breaker = half_open(Ratio(1, 1))
    breaker.release(breaker.launch(5), 7)
    assert breaker.state(7) is State.OPEN
    quick = half_open(Ratio(1, 1))
    quick.release(quick.launch(5), 5.5)
    assert quick.snapshot(5.5)["probes"]["admitted"] == 0


def test_a_probe_in_flight_neither_ends_a_run_of_errors_nor_is_its_error_lost():
    breaker = make(
        Rule("consecutive_errors", 2),
        Rule("slow_count", 9),
        half_open=HalfOpen(None, verdict=Rules(3), max_wait=None),
    )
    breaker.to("open", 0, 1)
    hung = breaker.launch(5)
    breaker.bad(breaker.launch(5), 5, ERROR)
    breaker.look(7)
    assert breaker.snapshot(7)["consecutive_errors"] == 1
    breaker.bad(hung, 8, ERROR)
    assert breaker.snapshot(8)["consecutive_errors"] == 2
    breaker.bad(breaker.launch(8), 8, ERROR)
    assert breaker.state(8) is State.OPEN


def test_nothing_is_watched_where_nothing_could_come_of_it():
    unruled = make(Rule("error_count", 3))
    assert not isinstance(unruled.launch(0), Flight)
    unlimited = Breaker(Settings(trip=[Rule("slow_count", 3)]))
    assert not isinstance(unlimited.launch(0), Flight)
    disabled = make(initial_state="disabled")
    assert not isinstance(disabled.launch(0), Flight)
    watched = make()
    era = watched.try_acquire(0)
    watched.reset(0)
    assert watched.watch(era, 0) == era
    refusing = make(initial_state="forced_open")
    assert refusing.launch(0) == 0


def test_metrics_only_signals_calls_in_flight():
    breaker = make(Rule("slow_count", 2), initial_state="metrics_only")
    flights = [breaker.launch(0), breaker.launch(0)]
    breaker.look(2)
    assert [str(signal.rule) for signal in breaker.take_signals()] == ["slow_count >= 2"]
    for flight in flights:
        breaker.good(flight, 3)
    assert seen(breaker, 3) == (2, 0, 2, 0, 0)


def test_a_move_forgets_what_is_under_way():
    breaker = make(Rule("slow_count", 1))
    flight = breaker.launch(0)
    breaker.reset(0.5)
    assert breaker.snapshot(5)["slow"] == 0
    breaker.bad(flight, 6, SLOW)
    shown = breaker.snapshot(6)
    assert (shown["state"], shown["slow"], shown["late"]) == ("closed", 0, 1)


class Log:
    """Every result there was, each with where it lies; what counts is worked out by looking."""

    def __init__(self, window):
        self.window = window
        self.results = []

    def counted(self, now):
        window, results = self.window, self.results
        if isinstance(window, Count):
            return results[-window.size :]
        if isinstance(window, Time):
            step = Fraction(window.size) / window.buckets
            return [r for r in results if now // step - r["at"] // step < window.buckets]
        return results

    def add(self, now, slow, error):
        result = {"at": now, "slow": slow, "error": error}
        self.results.append(result)
        return result

    def tally(self, now):
        counted = self.counted(now)
        errors, slow = sum(r["error"] for r in counted), sum(r["slow"] for r in counted)
        both = sum(r["error"] and r["slow"] for r in counted)
        return (len(counted), errors, slow, both, 0)


@pytest.mark.parametrize("window", [Time(4, 4), Time(6, 2), Count(5), Cumulative()], ids=str)
@pytest.mark.parametrize("seed", range(60))
def test_counts_are_those_of_a_plain_log(seed, window):
    dice = random.Random(seed)
    breaker, log, under_way, now = make(window=window), Log(window), [], Fraction(0)
    for _ in range(150):
        now += Fraction(dice.choice([0, 0, 1, 1, 2, 5]), 4)
        op = dice.random()
        ended = dice.randrange(len(under_way)) if under_way and op >= 0.45 else None
        # Whoever comes looks at all the others first.
        for index, call in enumerate(under_way):
            if index != ended and call["told"] is None and now - call["start"] > 1:
                call["told"] = log.add(now, slow=True, error=False)
        if ended is None:
            if op < 0.35:
                flight = breaker.launch(now)
                under_way.append({"flight": flight, "start": now, "told": None})
            else:
                breaker.look(now)
        else:
            call = under_way.pop(ended)
            finish(breaker, log, call, now, dice.choice(["good", "error", "release", "ignore"]))
        assert seen(breaker, now) == log.tally(now)
        assert breaker.snapshot(now)["watched"] == sum(c["told"] is None for c in under_way)


def finish(breaker, log, call, now, end):
    took, told = now - call["start"], call["told"]
    if end in ("release", "ignore"):
        getattr(breaker, end)(call["flight"], now)
        if end == "release" and told is None and took > 1:
            log.add(now, slow=True, error=False)
        return
    breaker.record(call["flight"], now, error=end == "error", duration=took)
    if told is None:
        log.add(now, slow=took > 1, error=end == "error")
    elif end == "error":
        if any(result is told for result in log.counted(now)):
            told["error"] = True
        else:
            log.add(now, slow=False, error=True)


def test_under_threads_every_call_is_one_result():
    lock = guard.new_lock()
    settings = Settings(
        window=Cumulative(), slow_after=20, trip=[Rule("slow_count", NEVER)], open=Open(60)
    )
    breaker = Breaker(settings, lock=lock)
    ticks = iter(range(10**7))

    def work(seed):
        dice = random.Random(seed)
        under_way = []
        for _ in range(1500):
            if under_way and dice.random() < 0.5:
                flight = under_way.pop(dice.randrange(len(under_way)))
                breaker.bad(flight, next(ticks), dice.choice([GOOD, ERROR]))
            else:
                under_way.append(breaker.launch(next(ticks)))
        for flight in under_way:
            breaker.good(flight, next(ticks))
        counts.append(1)

    counts = []
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    launched = sum(1 for seed in range(8) for _ in range(launches(seed)))
    shown = breaker.snapshot(next(ticks))
    assert (len(counts), shown["total"], shown["watched"]) == (8, launched, 0)
    assert shown["slow"] > 0


def launches(seed):
    """Return how many calls `work` makes with this seed."""
    dice, under_way, made = random.Random(seed), 0, 0
    for _ in range(1500):
        if under_way and dice.random() < 0.5:
            dice.randrange(under_way)
            dice.choice([GOOD, ERROR])
            under_way -= 1
        else:
            under_way += 1
            made += 1
    return made


@pytest.mark.parametrize("end", ["bad", "release"])
def test_a_place_that_is_free_again_is_found_without_the_lock(end):
    breaker = half_open(Ratio(2, 4), permits=4, max_concurrent=1)
    probe = breaker.launch(5)
    assert not breaker.try_acquire(7)
    getattr(breaker, end)(probe, 7)
    assert breaker.try_acquire(7)


def test_who_ends_a_flight_is_told_that_something_may_have_changed():
    breaker = make()
    told, quick = breaker.launch(0), breaker.launch(1)
    breaker.look(1.5)
    assert breaker.record(told, 1.75, duration=1.75) is True
    assert breaker.snapshot(1.75)["duration_total"] == 1.75
    assert breaker.good(quick, 1.75) is True


def test_an_era_is_given_back_as_ever():
    breaker = half_open(Ratio(1, 1))
    breaker.release(breaker.try_acquire(5), 5)
    assert breaker.snapshot(5)["probes"]["admitted"] == 0


def test_calls_that_are_forgotten_become_slow_no_more():
    breaker = make()
    early, late = breaker.launch(0), breaker.launch(0.5)
    breaker.look(1.2)  # the first has become slow
    breaker.forget_calls()
    breaker.look(9)
    assert seen(breaker, 9) == (1, 0, 1, 0, 0)
    breaker.record(late, 9, duration=0.1)  # it is here after all
    breaker.record(early, 9, True, 9)
    assert seen(breaker, 9) == (2, 1, 1, 1, 0)
    assert breaker.era == 1


def test_probes_that_are_forgotten_make_room_and_those_with_a_result_do_not():
    half_open = HalfOpen(3, verdict=Rules(3), max_wait=5)
    breaker = make(Rule("error_count", 1), half_open=half_open, initial_state="half_open")
    slow, gone, done = (breaker.launch(0) for _ in range(3))
    breaker.record(done, 0.5)
    breaker.look(1.5)
    del gone
    assert not breaker.launch(1.5)
    breaker.forget_calls()
    probes = breaker.snapshot(1.5)["probes"]
    assert probes["admitted"] == breaker.snapshot(1.5)["total"]
    assert probes["in_flight"] == 0
    era, changes = breaker.era, breaker.take_changes()
    breaker.record(slow, 1.6, True, 1.6)  # late: of the era before
    assert breaker.snapshot(1.6)["probes"] == probes
    while breaker.launch(1.7):
        pass
    assert breaker.snapshot(1.7)["probes"]["admitted"] == 3
    assert (breaker.era, breaker.take_changes(), changes) == (era, [], [])


def test_the_wait_for_probes_begins_anew_where_all_are_forgotten():
    breaker = make(half_open=HalfOpen(1, max_wait=5), initial_state="half_open")
    assert breaker.try_acquire(0)
    assert breaker.next_deadline() == 5
    breaker.forget_calls()
    assert breaker.next_deadline() == float("inf")
    assert breaker.try_acquire(7)
    assert breaker.next_deadline() == 12
