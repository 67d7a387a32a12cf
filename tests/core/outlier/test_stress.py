"""Eight threads at a tiny switch interval, with locks and without: none lost, none twice."""

import pytest

from support.exactness import hammer, python_clock
from trafficcore.core.outlier import Ejected, Ejector, Settings, Tally
from trafficcore.engine.guard import locked, new_lock

pytestmark = pytest.mark.stress

CLASSES = [pytest.param(Tally, id="free"), pytest.param(locked(Tally), id="locked")]
OUT = Settings(max_ejection_percent=100, interval=1)
TIMES = 12_000


@pytest.fixture(params=CLASSES)
def tally_class(request):
    return request.param


def cluster(settings, hosts, tally_class):
    ejector = Ejector(settings, lock=new_lock(), tally=tally_class)
    return ejector, [ejector.add(host, 0) for host in range(hosts)]


def test_no_result_is_lost_while_sweeps_settle_them(tally_class):
    ejector, [a] = cluster(OUT, 1, tally_class)
    clock = python_clock()
    settled = [0, 0, 0, 0]

    def settle():
        ejector.force_sweep(1)
        settled[0] += a.last_successes
        settled[1] += a.last_failures
        settled[2] += a.last_local_successes
        settled[3] += a.last_local_failures

    def work(index):
        if index == 0:
            for _ in range(600):
                settle()
            return
        for _ in range(TIMES):
            clock()
            a.good()
            clock()
            a.bad(503)
            a.local_good()
            a.local_bad()

    hammer(work)
    settle()
    assert settled == [7 * TIMES] * 4


def test_each_threshold_that_is_met_ejects_once(tally_class):
    ejector, tallies = cluster(OUT, 50, tally_class)

    def work(index):
        for tally in tallies:
            for _ in range(40):
                ejector.record(tally, 1, 500)

    hammer(work)
    assert ejector.active == ejector.version == 50
    assert sorted(change.key for change in ejector.changes) == list(range(50))
    assert ejector.stats["ejections_detected_consecutive_5xx"] == 50
    assert ejector.stats["ejections_enforced_total"] == 50
    assert all(tally.failures == 320 and tally.num_ejections == 1 for tally in tallies)


def test_a_run_fires_in_exactly_one_thread(tally_class):
    fired = []
    for _ in range(150):
        _ejector, [a] = cluster(Settings(consecutive_5xx=60), 1, tally_class)
        results = hammer(lambda index, a=a: [a.bad(500) for _ in range(10)])
        fired.append(sum(bool(one) for each in results for one in each))
        assert a.consecutive_5xx == a.failures == 80
    assert fired == [1] * 150


def test_who_is_out_adds_up_while_everything_happens_at_once(tally_class):
    ejector, tallies = cluster(OUT, 20, tally_class)
    times = iter(range(10**9))

    def work(index):
        for turn in range(400):
            now = next(times) / 100
            if now >= ejector.next_sweep:
                ejector.sweep(now)
            tally = tallies[(turn * 7 + index) % 20]
            if turn % 50 == 49 and index == 1:
                ejector.health_check_ok(tally, now)
            for _ in range(6):
                ejector.record(tally, now, 500 if (turn + index) % 3 else 200)

    hammer(work)
    balance = dict.fromkeys(range(20), 0)
    for change in ejector.take_changes():
        balance[change.key] += 1 if isinstance(change, Ejected) else -1
        assert balance[change.key] in {0, 1}
    assert balance == {tally.key: int(tally.ejected) for tally in tallies}
    assert ejector.active == sum(balance.values())
    assert ejector.stats["ejections_enforced_total"] == sum(t.num_ejections for t in tallies)


def test_one_thread_runs_each_sweep_that_is_due(tally_class):
    ejector, tallies = cluster(OUT, 5, tally_class)

    def work(index):
        for now in range(1, 200):
            if now >= ejector.next_sweep:
                ejector.sweep(now)
            tallies[index % 5].good()

    hammer(work)
    assert ejector._grid.turn == 200
    assert ejector.next_sweep == ejector._grid.next == 200
