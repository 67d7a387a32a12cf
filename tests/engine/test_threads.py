"""An engine under threads, and after a fork: nothing is lost, no limit is exceeded by one."""

import os
import threading

import pytest

from support import policies as p
from support.exactness import hammer
from trafficcore.engine import Engine, Permit, Queued
from trafficcore.engine.guard import guarded

EACH = 1500
THREADS = 8


@pytest.fixture(params=[False, True], ids=["free", "locked"])
def locked(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def make(locked: bool, *rules: object, **more: object) -> Engine:
    return guarded(Engine, locked)(p.policy(*rules), locked=locked, **more)


@pytest.mark.stress
def test_a_limit_is_never_exceeded_by_one_and_every_call_is_counted(locked: bool) -> None:
    quota = 5000
    engine = make(
        locked,
        p.limit(quota, 10**9),
        p.breaker(),
        p.quota(10**6, 10**6),
        p.destination(consecutive_5xx=10**6),
        p.limit(10**8, direction=p.OUTBOUND),
        endpoints={p.NAME: ["a:1", "b:1", "c:1"]},
    )

    def work(thread: int) -> int:
        admitted = 0
        for n in range(EACH):
            verdict = engine.admit(p.request(headers={"user_type": "guest"}), 1)
            call = engine.admit(p.calling(), 1)
            assert isinstance(call, Permit)
            call.settle(None, 1, 500 if n % 7 == thread % 7 else 200)
            call.settle(None, 1, 500)
            if isinstance(verdict, Permit):
                admitted += 1
                verdict.started(200, 1)
                verdict.settle(None, 1)
                verdict.give_back(1)
        return admitted

    assert sum(hammer(work, threads=THREADS)) == quota
    snapshot = engine.snapshot(1)
    inbound, outbound = snapshot["traffic"]["inbound"], snapshot["traffic"]["outbound"]
    assert inbound["in_flight"] == outbound["in_flight"] == 0
    assert inbound["admitted"] == quota
    assert inbound["admitted"] + inbound["refused"] == outbound["admitted"] == THREADS * EACH
    by_kind = {rule["kind"]: rule for rule in reversed(snapshot["rules"])}
    assert by_kind["ASMLocalRateLimiter"]["hits"] == THREADS * EACH
    assert by_kind["ASMCircuitBreaker"]["breaker"]["total"] == quota
    assert by_kind["QuotaSchedulingPolicy"]["quota"]["workloads"][0]["admitted"] == quota
    endpoints = snapshot["clusters"][0]["endpoints"]
    assert [endpoint["active"] for endpoint in endpoints] == [0, 0, 0]


@pytest.mark.stress
def test_a_reload_in_the_middle_of_traffic_loses_nothing(locked: bool) -> None:
    engine = make(locked, p.limit(3000, 10**9), p.breaker())
    stop = threading.Event()

    def reload() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            engine.reload(
                p.policy(p.limit(10, host=f"h{n % 3}"), p.limit(3000, 10**9), p.breaker())
            )

    reloading = threading.Thread(target=reload)
    reloading.start()
    try:

        def work(_: int) -> int:
            admitted = 0
            for _n in range(EACH):
                verdict = engine.admit(p.request(), 1)
                if isinstance(verdict, Permit):
                    admitted += 1
                    verdict.settle(None, 1, 200)
            return admitted

        assert sum(hammer(work, threads=4)) == 3000
    finally:
        stop.set()
        reloading.join()
    traffic = engine.snapshot(1)["traffic"]["inbound"]
    assert traffic["in_flight"] == 0
    assert traffic["admitted"] == 3000


@pytest.mark.stress
def test_a_permit_is_settled_once_however_many_try(locked: bool) -> None:
    engine = make(locked, p.breaker())
    permits = [engine.admit(p.request(), 1) for _ in range(EACH)]

    def work(_: int) -> None:
        for permit in permits:
            assert isinstance(permit, Permit)
            permit.settle(None, 1, 200)

    hammer(work, threads=THREADS)
    snapshot = engine.snapshot(1)
    assert snapshot["traffic"]["inbound"]["in_flight"] == 0
    assert snapshot["rules"][0]["breaker"]["total"] == EACH


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_an_engine_built_before_a_fork_works_in_the_child() -> None:
    engine = p.engine(p.limit(3), p.quota(1, 1), p.breaker())
    waiting = [engine.admit(p.request(), 0) for _ in range(2)]
    assert isinstance(waiting[1], Queued)
    with engine._lock:  # held by the forking thread itself
        pid = os.fork()
        if not pid:
            try:
                assert engine.poll(5) == []
                assert engine.snapshot(5)["traffic"]["inbound"]["queued"] == 0
                verdict = engine.admit(p.request(), 5)
                assert isinstance(verdict, Permit)
                verdict.settle(None, 5, 200)
                engine.reload(p.policy(p.limit(3)))
                os._exit(0)
            except BaseException:
                os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert len(engine.poll(5)) == 1
