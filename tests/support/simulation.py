"""Scenarios in a few lines, and every call that a run makes written down."""

from collections.abc import Callable
from typing import NamedTuple

from trafficcore.sim import Prepared, Result, prepare, simulate
from trafficcore.sim.loads import Call
from trafficcore.sim.world import World

__all__ = ["Heard", "breaker", "hear", "outlier", "play", "read", "scenario_text"]

HEAD = "apiVersion: trafficcore/v1\nkind: Scenario\nmetadata: {name: t}\nspec:\n"
LIMIT = """
apiVersion: istio.alibabacloud.com/v1
kind: ASMLocalRateLimiter
metadata: {name: limit}
spec:
  configs:
  - match: {vhost: {name: web.default.svc.cluster.local}}
    limit: {fill_interval: {seconds: 1}, quota: QUOTA}
"""
QUOTA = """
apiVersion: istio.alibabacloud.com/v1
kind: QuotaSchedulingPolicy
metadata: {name: quota}
spec:
  quota_scheduler:
    bucket_capacity: CAPACITY
    fill_amount: FILL
    rate_limiter: {interval: 1s}
    scheduler:
      workloads:
      - name: guest
        label_matcher: {match_labels: {http.request.header.user_type: guest}}
        parameters: {priority: 50.0}
      - name: subscriber
        label_matcher: {match_labels: {http.request.header.user_type: subscriber}}
        parameters: {priority: 200.0}
    selectors: [{service: web, control_point: POINT}]
"""
BREAKER = """
apiVersion: istio.alibabacloud.com/v1
kind: ASMCircuitBreaker
metadata: {name: b}
spec:
  configs:
  - match: {vhost: {name: web.default.svc.cluster.local}}
    breaker_config: {window_size: 1s, min_request_amount: 1, SETTINGS}
"""
OUTLIER = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: out}
spec:
  host: web.default.svc.cluster.local
  trafficPolicy: {outlierDetection: {SETTINGS}}
"""


def limit(quota: int) -> str:
    """So many a second for the service `web`."""
    return LIMIT.replace("QUOTA", str(quota))


def quota(fill: int, capacity: int = 1, *, outbound: bool = False) -> str:
    """So many a second for `web`, shared 50 to 200."""
    text = QUOTA.replace("FILL", str(fill)).replace("CAPACITY", str(capacity))
    return text.replace("POINT", "egress" if outbound else "ingress")


def breaker(settings: str) -> str:
    """A breaker for `web` over one second, from the first call on, with these settings more."""
    return BREAKER.replace("SETTINGS", settings)


def outlier(settings: str) -> str:
    """Outlier detection with these settings for `web`."""
    return OUTLIER.replace("SETTINGS", settings)


class Heard(NamedTuple):
    """One call as its client saw it."""

    now: float
    load: str
    code: int
    reason: str
    took: float
    address: str
    zone: str


def scenario_text(spec: str, policies: str = "") -> str:
    """Indent a spec under the head of a scenario, with manifests behind it."""
    lines = "".join(f"  {line}\n" for line in spec.strip("\n").splitlines())
    return HEAD + lines + (f"---\n{policies}" if policies else "")


def read(spec: str, policies: str = "") -> Prepared:
    (prepared,) = prepare(scenario_text(spec, policies))
    return prepared


def play(spec: str, policies: str = "") -> Result:
    prepared = read(spec, policies)
    return simulate(prepared.scenario, prepared.policy)


def hear(
    spec: str, policies: str = "", before: Callable[[World], object] = lambda _: None
) -> tuple[World, list[Heard]]:
    """Run a scenario; return its world and its counted calls in the order of their ends."""
    prepared = read(spec, policies)
    heard: list[Heard] = []

    def note(call: Call, now: float) -> None:
        server = call.server
        where = (server.address, server.locality) if server is not None else ("", "")
        heard.append(
            Heard(now, call.load.spec.name, call.code, call.reason, now - call.sent, *where)
        )

    world = World(prepared.scenario, prepared.policy, observe=(note,))
    before(world)
    world.run()
    return world, heard
