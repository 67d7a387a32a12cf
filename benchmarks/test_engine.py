"""`admit` + `settle` with all four policies, from their manifests."""

import random
import sys
import threading
import time
from itertools import repeat

from benchmarks.measure import Row
from benchmarks.test_limits import EVERYDAY
from trafficcore import Engine, Facts, Outcome, RateLimiter
from trafficcore.engine import Identity
from trafficcore.engine.route import Routes
from trafficcore.spec import Direction

NAME = "web.default.svc.cluster.local"
POLICIES = """
apiVersion: istio.alibabacloud.com/v1
kind: ASMLocalRateLimiter
metadata: {name: limit}
spec:
  applyToTraffic: sidecar_outbound
  configs:
  - match: {vhost: {name: web.default.svc.cluster.local, route: {header_match: [{name: ':path', prefix_match: /}]}}}
    limit: {fill_interval: {seconds: 8000000}, quota: 2000000}
---
apiVersion: istio.alibabacloud.com/v1
kind: ASMCircuitBreaker
metadata: {name: break}
spec:
  applyToTraffic: sidecar_outbound
  configs:
  - match: {vhost: {name: web.default.svc.cluster.local}}
    breaker_config: {window_size: 10s, slow_request_rt: 0.5s, max_slow_requests: 5, error_percent: {value: 50}, min_request_amount: 20}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: out}
spec:
  host: web
  trafficPolicy: {outlierDetection: {consecutive5xxErrors: 3, maxEjectionPercent: 100}}
---
apiVersion: istio.alibabacloud.com/v1
kind: QuotaSchedulingPolicy
metadata: {name: quota}
spec:
  quota_scheduler:
    bucket_capacity: 1000000000
    fill_amount: 1000000000
    rate_limiter: {interval: 1s}
    scheduler:
      workloads:
      - {name: guest, label_matcher: {match_labels: {http.request.header.user_type: guest}}, parameters: {priority: 50.0}}
      - {name: subscriber, label_matcher: {match_labels: {http.request.header.user_type: subscriber}}, parameters: {priority: 200.0}}
    selectors: [{service: web, control_point: egress}]
"""


def engine() -> Engine:
    return Engine.load(
        POLICIES,
        locality="r/a",
        endpoints={NAME: [(f"10.0.0.{n}:80", f"r/{'ab'[n % 2]}") for n in range(10)]},
        listeners=(),
    )


def test_all_four(row: Row) -> None:
    made = engine()
    facts = Facts(Direction.OUTBOUND, NAME, "/a", headers={"user_type": "guest"})
    admit, clock, success = made.admit, time.monotonic, Outcome.SUCCESS

    def batch(calls: int) -> int:
        for _ in repeat(None, calls):
            permit = admit(facts, clock())
            permit.settle(success, clock(), 200)  # type: ignore[union-attr]
        return calls

    row.measure("engine-admit-settle", batch)
    snapshot = made.snapshot(clock())
    assert all(rule["applies"] and rule["hits"] for rule in snapshot["rules"])
    assert all(not rule["refused"] for rule in snapshot["rules"])
    assert snapshot["traffic"]["outbound"]["in_flight"] == 0


def test_match(row: Row) -> None:
    routes: Routes = engine()._table.outbound
    requests = [Facts(Direction.OUTBOUND, NAME, f"/{n}") for n in range(100)]
    chosen = random.Random(1).choices(requests, k=row.calls)
    find = routes.find

    def batch(_: int) -> int:
        yes = 0
        for facts in chosen:
            if find(facts).limit is not None:
                yes += 1
        return yes

    assert Identity().namespace == "default"
    row.measure("match-memo", batch)


def test_eight_threads_over_one(row: Row) -> None:
    """Total throughput of eight threads on one limiter, in those of one: medians of five runs."""
    limiter = RateLimiter(**EVERYDAY)

    def run(threads: int, seconds: float) -> float:
        counts = [0] * threads
        stop = threading.Event()
        go = threading.Barrier(threads + 1)

        def work(index: int) -> None:
            acquire, stopped, yes = limiter.try_acquire, stop.is_set, 0
            go.wait()
            while not stopped():
                for _ in repeat(None, 100):
                    if acquire():
                        yes += 1
            counts[index] = yes

        workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
        for worker in workers:
            worker.start()
        go.wait()
        begun = time.perf_counter()
        time.sleep(seconds)
        stop.set()
        for worker in workers:
            worker.join()
        return sum(counts) / (time.perf_counter() - begun)

    seconds = 0.1 if row.calls < 20_000 else 0.5
    ratios = sorted(run(8, seconds) / run(1, seconds) for _ in range(5))
    assert sys.getswitchinterval() == 0.005
    row.publish("threads-8-over-1", ratios[2])
