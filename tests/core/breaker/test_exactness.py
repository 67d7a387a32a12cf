"""What needs no lock is exact without one: by its bytecode, and under eight threads."""

import dis
import random
import sys
import threading
import time
from itertools import count

import pytest

from support.exactness import assert_atomic, hammer
from trafficcore.core.breaker import (
    ERROR,
    GATEWAY_ERROR,
    SLOW,
    Breaker,
    Count,
    Cumulative,
    HalfOpen,
    Open,
    Ratio,
    Rule,
    Settings,
    State,
    Time,
)
from trafficcore.core.breaker.counting import Counting
from trafficcore.engine import guard

STATE = {
    *("now", "live", "rejected", "shut_until", "ignored", "_run", "open_until", "_deadline"),
    *("_c", "_e", "_s", "_se", "_g", "_d", "_good_edge", "_error_edge", "_slow_edge"),
    *("_until", "_good_until", "_base"),
}
#: Set by moves and new settings alone, or methods.
CONSTANTS = {
    *("slow_after", "_settle", "_look", "_acquire", "_may_acquire", "_give_back", "good", "state"),
}


@pytest.mark.parametrize("name", Breaker.ATOMIC)
def test_each_atomic_method_has_no_way_in_between_load_and_store(name):
    assert_atomic(getattr(Breaker, name), STATE, constants=CONSTANTS)


def test_what_the_counters_held_is_taken_and_zeroed_in_one_run():
    assert_atomic(Counting._harvest, STATE)


#: A call, a new container, a loop.
GIVING_WAY = ("CALL", "PRECALL", "BUILD", "FOR", "JUMP_BACKWARD", "POP_JUMP_BACKWARD")


def test_an_evaluation_acts_in_one_run_after_it_has_seen_that_nothing_moved():
    """From the second look at what was there to the stores of edges and gate."""
    at = list(dis.get_instructions(Counting._compare))
    names = [(i.opname, i.argval) for i in at]
    looks = [n for n, name in enumerate(names) if name == ("LOAD_ATTR", "_base")]
    assert len(looks) == 2
    for stored in ("_good_edge", "_error_edge", "_slow_edge", "live"):
        last = names.index(("STORE_ATTR", stored))
        between = [name for name, _ in names[looks[1] : last]]
        odd = {name for name in between if name.startswith(GIVING_WAY)}
        assert not odd


def test_an_evaluation_copies_the_counters_in_one_run():
    names = [(i.opname, i.argval) for i in dis.get_instructions(Counting._compare)]
    first = names.index(("LOAD_ATTR", "_base"))
    last = names.index(("LOAD_ATTR", "_run"))
    assert not [n for n, _ in names[first:last] if n.startswith(GIVING_WAY)]


class Clock:
    """Seconds that pass as they are asked for; a Python function, at which threads give way."""

    def __init__(self, step):
        self.step = step
        self.tick = count(1).__next__

    def __call__(self):
        return self.tick() * self.step


VARIANTS = [Breaker, guard.locked(Breaker)]
WINDOWS = [Time(1, 10), Time(0.5, 1), Cumulative(), Count(50)]


def at_every_turn(work, chance=0.2):
    """Have threads give way wherever they may: on entering a function and after a call.

    A switch interval alone leaves it to chance where that is, and a machine with few processors
    seldom hits the one place that matters.
    """

    def run(index):
        dice = random.Random(index).random

        def give_way(frame, event, argument):
            if dice() < chance:
                time.sleep(0)

        sys.setprofile(give_way)
        try:
            return work(index)
        finally:
            sys.setprofile(None)

    return run


def holds(change):
    """Whether the rule that is named as the reason holds for the counts that were frozen."""
    counts = change.counts
    if change.reason == "slow_count >= 7":
        return counts.slow >= 7 and counts.total >= 5
    if change.reason == "error_rate >= 0.5":
        return counts.errors * 2 >= counts.total >= 5
    if change.reason == "consecutive_errors >= 4":
        return counts.errors >= 4 and counts.total >= 5
    return change.from_ is not State.CLOSED


def conserve(variant, window, *, calls, half_open=None, around=lambda work: work):
    """Eight threads record; every result must be found again. Return how often it opened."""
    settings = Settings(
        window=window,
        slow_after=1,
        min_calls=5,
        trip=[Rule("error_rate", 0.5), Rule("slow_count", 7), Rule("consecutive_errors", 4)],
        open=Open(0.01),
        half_open=half_open,
    )
    breaker = variant(settings, lock=guard.new_lock())
    clock = Clock(1e-3)
    changes = []

    def work(index):
        recorded = 0
        for turn in range(calls):
            if breaker.changes:
                changes.extend(breaker.take_changes())
            era = breaker.try_acquire(clock())
            if not era:
                continue
            recorded += 1
            chosen = (turn * 7 + index * 3) % 16
            now = clock()
            if chosen < 9:
                breaker.good(era, now)
            elif chosen < 12:
                breaker.bad(era, now, (ERROR, SLOW, GATEWAY_ERROR)[chosen - 9])
            elif chosen < 14:
                breaker.record(era, now, chosen == 12, 2 * (chosen == 13), False)
            else:
                breaker.bad(era, now)
        return recorded

    recorded = sum(hammer(around(work)))
    end = breaker.snapshot(clock())
    changes += breaker.take_changes()
    assert [change.era for change in sorted(changes, key=lambda c: c.era)] == [
        *range(2, breaker.era + 1)
    ]
    for change in changes:
        assert holds(change)
    if not isinstance(window, Time) and end["state"] == "closed":
        assert end["slow"] < 7
        assert end["total"] < 5 or end["errors"] * 2 < end["total"]
    # What a state that ended had counted; what is frozen in an open one was counted before.
    counting = (State.CLOSED, State.HALF_OPEN)
    ended = sum(change.counts.total for change in changes if change.from_ in counting)
    counted = end["total"] if end["state"] in counting else 0
    assert recorded == counted + ended + end["evicted"] + end["late"]
    return sum(change.to is State.OPEN for change in changes)


TRIED = HalfOpen(4, 3, Ratio(2, 3), max_wait=0.05)


@pytest.mark.stress
@pytest.mark.parametrize("half_open", [None, TRIED], ids=["straight", "tried"])
@pytest.mark.parametrize("variant", VARIANTS, ids=["free", "locked"])
def test_no_result_is_lost_over_thousands_of_trips(variant, half_open):
    calls = 10_000 if variant is Breaker else 1_000
    opened = sum(conserve(variant, each, calls=calls, half_open=half_open) for each in WINDOWS)
    assert opened > calls / 10


@pytest.mark.stress
@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: type(window).__name__)
@pytest.mark.parametrize("half_open", [None, TRIED], ids=["straight", "tried"])
def test_no_result_is_lost_when_threads_give_way_wherever_they_may(window, half_open):
    assert conserve(Breaker, window, calls=400, half_open=half_open, around=at_every_turn) > 10


class Leaky(Breaker):
    """Lets others in between load and store."""

    __slots__ = ()

    def good(self, era, now):
        if era != self.live or now >= self._good_until:
            return self._settle(era, 0, 0, None)
        c = self._c + 1
        abs(c)
        self._c = c
        return self._look(era, 0) if c >= self._good_edge else None


class Hasty(Breaker):
    """Turns the window, then counts, as if nothing could have happened between."""

    __slots__ = ()

    def good(self, era, now):
        if era != self.live:
            return self._settle(era, 0, 0, None)
        if now >= self._good_until:
            with self._lock:
                self._turn(now)
        c = self._c + 1
        self._c = c
        return self._look(era, 0) if c >= self._good_edge else None


@pytest.mark.stress
@pytest.mark.parametrize("broken", [Leaky, Hasty])
def test_forms_that_lose_results_are_found_so(broken):
    def many():
        for _ in range(10):
            conserve(broken, Time(0.2, 10), calls=400, around=at_every_turn)

    with pytest.raises(AssertionError):
        many()


@pytest.mark.stress
@pytest.mark.parametrize("variant", VARIANTS, ids=["free", "locked"])
def test_half_open_admits_exactly_its_permits_whoever_asks(variant):
    settings = Settings(
        trip=[Rule("error_count", 1)], open=Open(1), half_open=HalfOpen(5, verdict=Ratio(5, 5))
    )
    breaker = variant(settings, lock=guard.new_lock())

    def admitted(now):
        return sum(hammer(lambda _: sum(bool(breaker.try_acquire(now)) for _ in range(30))))

    for turn in range(60):
        now = 10.0 * turn
        breaker.to("open", now)
        assert admitted(now + 2) == 5
        assert breaker.snapshot(now + 2)["rejected"] == 8 * 30 - 5


@pytest.mark.stress
def test_permits_given_back_by_many_threads_are_there_again_and_no_more():
    half_open = HalfOpen(3, 2, Ratio(3, 3), max_wait=None)
    settings = Settings(trip=[Rule("error_count", 1)], open=Open(1), half_open=half_open)
    breaker = Breaker(settings, lock=guard.new_lock())
    breaker.to("open", 0.0)
    flying, most = [0], [0]
    lock = threading.Lock()

    def work(index):
        for turn in range(400):
            era = breaker.try_acquire(2.0)
            if not era:
                continue
            with lock:
                flying[0] += 1
                most[0] = max(most[0], flying[0])
            with lock:
                flying[0] -= 1
            (breaker.release, breaker.ignore)[turn % 2](era, 2.0)

    hammer(work)
    probes = breaker.snapshot(2.0)["probes"]
    assert probes == {"admitted": 0, "in_flight": 0, "bad": 0}
    assert most[0] <= 2
    assert [bool(breaker.try_acquire(2.0)) for _ in range(3)] == [True, True, False]


@pytest.mark.stress
@pytest.mark.parametrize("variant", VARIANTS, ids=["free", "locked"])
def test_probes_never_exceed_their_permits_while_others_end_and_periods_change(variant):
    """Of each half-open period: let through less given back, and in flight, as seen from outside.

    A permit is counted after it was had and taken off before it is given, so that what is counted
    is at most what the breaker has given out.
    """
    half_open = HalfOpen(5, 3, Ratio(3, 5), max_wait=0.5)
    settings = Settings(trip=[Rule("error_count", 1)], open=Open(0.02), half_open=half_open)
    breaker = variant(settings, lock=guard.new_lock())
    clock = Clock(1e-3)
    log, changes = [], []

    def work(index):
        dice = random.Random(index).random
        for _ in range(1_500):
            if breaker.changes:
                changes.extend(breaker.take_changes())
            era = breaker.try_acquire(clock())
            if not era:
                continue
            log.append((era, 1, 1))
            end = dice()
            log.append((era, -(end < 0.3), -1))
            if end < 0.3:
                (breaker.release, breaker.ignore)[end < 0.15](era, clock())
            else:
                breaker.record(era, clock(), end < 0.6)

    hammer(work)
    changes += breaker.take_changes()
    periods = {change.era: [0, 0] for change in changes if change.to is State.HALF_OPEN}
    most = [0, 0]
    for era, *steps in log:
        if era in periods:
            for which, step in enumerate(steps):
                periods[era][which] += step
                most[which] = max(most[which], periods[era][which])
    assert len(periods) > 20
    assert 3 <= most[0] <= 5
    assert most[1] <= 3


@pytest.mark.stress
def test_each_refusal_is_counted_once():
    breaker = Breaker(Settings(), lock=guard.new_lock())
    breaker.to("forced_open", 0.0)
    refused = sum(hammer(lambda _: sum(not breaker.try_acquire(1.0) for _ in range(20_000))))
    assert refused == breaker.rejected == 160_000
