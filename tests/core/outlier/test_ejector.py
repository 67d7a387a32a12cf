"""What an owner sees of an ejector: changes, versions, snapshots, new settings."""

import math

import attrs
import pytest

from trafficcore.core.outlier import Ejected, Ejector, Kind, Result, Returned, Settings
from trafficcore.core.outlier.tally import FIRED_5XX
from trafficcore.errors import ConfigError

OUT = Settings(max_ejection_percent=100)


def cluster(settings=OUT, hosts="abc", now=0, **more):
    ejector = Ejector(settings, **more)
    return ejector, *(ejector.add(host, now) for host in hosts)


def fail(ejector, tally, now, times=5, code=500):
    for _ in range(times):
        ejector.record(tally, now, code)


def test_a_new_ejector_has_nothing_to_do():
    ejector = Ejector(OUT)
    assert ejector.next_sweep == ejector.next_deadline() == math.inf
    ejector.sweep(100)
    assert (len(ejector), ejector.active, ejector.version, ejector.changes) == (0, 0, 0, [])


def test_without_endpoints_there_is_no_deadline():
    ejector, a, b, c = cluster()
    for tally in (a, b, c):
        ejector.remove(tally, 1)
    assert ejector.next_deadline() == math.inf
    ejector.remove(a, 2)  # a second time is none
    assert len(ejector) == 0


def test_what_happened_is_told_once_with_its_counts():
    ejector, a, _b, _c = cluster(now=3)
    fail(ejector, a, 4)
    [ejected] = ejector.take_changes()
    assert ejected == Ejected(
        key="a",
        kind=Kind.CONSECUTIVE_5XX,
        enforced=True,
        at=4,
        until=43,  # 34, rounded up to a sweep
        count=5,
        threshold=5,
        multiplier=1,
        num_ejections=1,
    )
    assert a.ejection is ejected
    assert ejector.changes == []
    ejector.sweep(42.9)
    assert a.ejected
    ejector.sweep(50)
    assert ejector.take_changes() == [Returned(key="a", at=43, kind=Kind.CONSECUTIVE_5XX)]
    assert not a.ejected


def test_a_periodic_detection_is_told_with_requests_rate_and_mean():
    settings = attrs.evolve(OUT, consecutive_5xx=0, enforcing_failure_percentage=100)
    ejector, *tallies = cluster(settings, "abcde")
    for tally in tallies[1:]:
        for _ in range(100):
            tally.good()
    for _ in range(50):
        tallies[0].bad(500)
        tallies[0].good()
    ejector.sweep(10)
    [ejected] = ejector.take_changes()
    assert (ejected.kind, ejected.key, ejected.until) == (Kind.SUCCESS_RATE, "a", 40)
    assert (ejected.count, ejected.requests) == (50, 100)
    assert (ejected.rate, ejected.average, ejected.threshold) == (50, 90, 52)
    for _ in range(90):
        tallies[1].bad(500)
    for tally in tallies[1:]:
        for _ in range(10):
            tally.good()
    for tally in tallies[2:]:
        for _ in range(40):
            tally.good()
    ejector.update(attrs.evolve(settings, failure_percentage_minimum_hosts=4), 15)
    ejector.sweep(20)
    [ejected] = ejector.take_changes()
    assert (ejected.kind, ejected.key) == (Kind.FAILURE_PERCENTAGE, "b")
    assert (ejected.count, ejected.requests, ejected.rate) == (90, 100, 10)
    assert (ejected.average, ejected.threshold) == (None, 85)


def test_unenforced_is_told_and_nobody_is_out():
    ejector, a, *_ = cluster(attrs.evolve(OUT, enforcing_consecutive_5xx=0))
    fail(ejector, a, 1)
    [told] = ejector.changes
    assert (told.enforced, told.until, told.count) == (False, None, 5)
    assert (ejector.active, ejector.version, a.ejected, a.ejection) == (0, 0, False, None)
    assert ejector.stats["ejections_unenforced"] == 1


def test_the_version_grows_with_each_change_of_who_is_out_and_with_nothing_else():
    ejector, a, b, c = cluster()
    fail(ejector, a, 0, times=4)
    assert ejector.version == 0
    fail(ejector, a, 0, times=1)
    assert ejector.version == 1
    fail(ejector, b, 0)
    assert ejector.version == 2
    fail(ejector, b, 0, times=20)
    ejector.add("d", 1)
    ejector.remove(c, 1)
    ejector.sweep(20)
    assert ejector.version == 2
    ejector.remove(b, 21)
    assert (ejector.version, ejector.active) == (3, 1)
    ejector.health_check_ok(a, 22)
    assert (ejector.version, ejector.active) == (4, 0)
    ejector.health_check_ok(a, 23)
    assert ejector.version == 4
    assert ejector.take_changes()[-1] == Returned(
        key="a", at=22, kind=Kind.CONSECUTIVE_5XX, checked=True
    )


def test_what_is_gone_counts_nowhere():
    ejector, a, b, _c = cluster()
    for _ in range(4):
        a.bad(500)
    ejector.remove(a, 1)
    ejector.detect(a, 1, a.bad(500))
    ejector.health_check_ok(a, 1)
    assert ejector.stats["ejections_detected_consecutive_5xx"] == 0
    assert ejector.active == ejector.version == 0
    ejector.detect(b, 1, FIRED_5XX)
    assert ejector.active == 1


def test_local_results_follow_the_settings_of_now():
    ejector, a, *_ = cluster()
    for _ in range(4):
        ejector.local(a, 0, Result.CONNECT_FAILED)
    assert (a.consecutive_5xx, a.consecutive_local_origin_failure) == (4, 0)
    ejector.update(attrs.evolve(OUT, split_external_local_origin_errors=True), 0)
    for _ in range(5):
        ejector.local(a, 0, Result.TIMEOUT)
    assert a.ejection.kind is Kind.CONSECUTIVE_LOCAL_ORIGIN_FAILURE
    assert a.consecutive_5xx == 4


def test_new_settings_keep_what_was_counted_and_who_is_out():
    ejector, a, b, _c = cluster()
    fail(ejector, a, 1)
    fail(ejector, b, 1, times=2)
    ejector.update(attrs.evolve(OUT, consecutive_5xx=3, base_ejection_time=60), 2)
    assert a.ejected
    assert ejector.next_sweep == 10
    fail(ejector, b, 3, times=1)
    assert b.ejected
    fail(ejector, ejector.add("d", 3), 3, times=3)
    assert ejector.active == 3
    ejector.sweep(60)
    assert a.ejected  # the new time counts
    ejector.sweep(70)
    assert ejector.active == 0


def test_new_settings_do_not_move_the_grid_unless_the_interval_is_new():
    ejector, _a, *_ = cluster()
    ejector.sweep(20)
    ejector.update(attrs.evolve(OUT, consecutive_5xx=1), 25)
    assert ejector.next_sweep == 30
    ejector.update(attrs.evolve(OUT, interval=7), 26)
    assert ejector.next_sweep == 27
    ejector.update(attrs.evolve(OUT, interval=1), 26)
    assert ejector.next_sweep == 26
    empty = Ejector(OUT)
    empty.update(attrs.evolve(OUT, interval=3), 5)
    empty.add("a", 6)
    assert empty.next_sweep == 9


def test_sweeps_that_were_due_are_run_under_the_old_settings():
    ejector, a, *_ = cluster()
    fail(ejector, a, 1)
    ejector.update(attrs.evolve(OUT, base_ejection_time=300), 45)
    assert not a.ejected


def test_chance_decides_with_the_draws_given_and_only_where_it_is_to():
    with pytest.raises(ConfigError, match="draw must be given"):
        Ejector(attrs.evolve(OUT, max_ejection_time_jitter=1))
    half = attrs.evolve(OUT, enforcing_consecutive_5xx=50)
    with pytest.raises(ConfigError, match="draw must be given"):
        Ejector(OUT).update(half, 0)
    numbers = iter([150, 349, 2**40 * 100 + 99])
    ejector, a, b, c = cluster(half, draw=lambda: next(numbers))
    for tally in (a, b, c):
        fail(ejector, tally, 0)
    assert [tally.ejected for tally in (a, b, c)] == [False, True, False]
    never = cluster(draw=lambda: pytest.fail("drawn"))
    fail(never[0], never[1], 0)


def test_a_snapshot_says_who_is_out_by_what_and_until_when():
    ejector, a, b, _c = cluster()
    fail(ejector, a, 1)
    ejector.record(b, 2, 503)
    b.good()
    snapshot = ejector.snapshot(5)
    assert (snapshot.at, snapshot.hosts, snapshot.active, snapshot.next_sweep) == (5, 3, 1, 10)
    assert snapshot.max_ejection_percent == 100
    assert (snapshot.success_rate_average, snapshot.local_success_rate_threshold) == (-1, -1)
    assert snapshot.stats["ejections_active"] == 1
    assert snapshot.stats["ejections_enforced_consecutive_5xx"] == 1
    first, second, third = snapshot.endpoints
    assert (first.key, first.ejected, first.ejection.until) == ("a", True, 40)
    assert first.ejection.kind is Kind.CONSECUTIVE_5XX
    assert (second.successes, second.failures, second.ejection) == (1, 1, None)
    assert third.last_ejection is None
    ejector.sweep(40)
    again = ejector.snapshot(41).endpoints[0]
    assert (again.ejected, again.ejection) == (False, None)
    assert (again.multiplier, again.num_ejections, again.last_unejection) == (1, 1, 40)
    assert attrs.asdict(snapshot)["endpoints"][0]["ejection"]["count"] == 5
