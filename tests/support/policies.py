"""Policies for tests, by the fewest words."""

from typing import Any

from trafficcore.engine import Engine, Facts, Identity
from trafficcore.spec import (
    BreakRule,
    Destination,
    Direction,
    LabelMatcher,
    Limit,
    OutlierDetection,
    Policy,
    QuotaRule,
    QuotaSelector,
    RampRule,
    RateLimitRule,
    Response,
    Scope,
    ServiceEntry,
    Source,
    TrafficPolicy,
    VirtualHost,
    Workload,
    WorkloadParameters,
)

INBOUND, OUTBOUND = Direction.INBOUND, Direction.OUTBOUND
NAME = "web.default.svc.cluster.local"


def source(kind: str, name: str = "x", line: int = 1) -> Source:
    return Source(file="p.yaml", line=line, kind=kind, namespace="default", name=name)


def scope(host: str = "*", port: int = 0, direction: Direction = INBOUND, **more: Any) -> Scope:
    vhost = VirtualHost(host, port, headers=more.pop("headers", ()))
    return Scope(direction=direction, namespace="default", vhost=vhost, **more)


def limit(quota: int = 2, fill: float = 60, name: str = "x", **more: Any) -> RateLimitRule:
    own = more.pop("limit", {})
    overrides = more.pop("overrides", ())
    return RateLimitRule(
        source=source("ASMLocalRateLimiter", name),
        scope=more.pop("scope", None) or scope(**more),
        limit=Limit(quota=quota, fill_interval=fill, **own),
        overrides=overrides,
    )


def breaker(name: str = "x", **more: Any) -> BreakRule:
    rule = {"slow_after": 0.5, "max_slow": 5, "open_for": 60, **more.pop("rule", {})}
    answer = more.pop("response", Response(status=498, body="delay break!"))
    return BreakRule(
        source=source("ASMCircuitBreaker", name), scope=scope(**more), response=answer, **rule
    )


def quota(
    capacity: float = 10, fill: float = 10, *, timeout: float | None = None, **more: Any
) -> QuotaRule:
    workloads = tuple(
        Workload(
            name=name,
            matcher=LabelMatcher(labels=(("http.request.header.user_type", name),)),
            parameters=WorkloadParameters(priority=priority, queue_timeout=timeout),
        )
        for name, priority in (("guest", 50), ("subscriber", 200))
    )
    return QuotaRule(
        source=source("QuotaSchedulingPolicy"),
        namespace="default",
        capacity=capacity,
        fill_amount=fill,
        interval=1,
        selectors=more.pop("selectors", (QuotaSelector(),)),
        workloads=workloads,
        default=WorkloadParameters(queue_timeout=timeout),
        **more,
    )


def destination(host: str = NAME, **outlier: Any) -> Destination:
    own = {
        "consecutive_5xx": 3,
        "interval": 5,
        "base_ejection_time": 20,
        "max_ejection_percent": 100,
    }
    return Destination(
        source=source("DestinationRule"),
        host=host,
        namespace="default",
        policy=TrafficPolicy(outlier=OutlierDetection(**{**own, **outlier})),
    )


def engine(*rules: Any, identity: Identity | None = None, **more: Any) -> Engine:
    return Engine(policy(*rules), identity=identity or Identity(), **more)


def policy(*rules: Any) -> Policy:
    def of(kind: type) -> tuple[Any, ...]:
        return tuple(rule for rule in rules if isinstance(rule, kind))

    return Policy(
        limits=of(RateLimitRule),
        breakers=of(BreakRule),
        destinations=of(Destination),
        quotas=of(QuotaRule),
        ramps=of(RampRule),
        entries=of(ServiceEntry),
    )


def request(
    host: str = "web", path: str = "/", direction: Direction = INBOUND, **more: Any
) -> Facts:
    return Facts(direction, host, path, **more)


def calling(host: str = NAME, path: str = "/", **more: Any) -> Facts:
    return Facts(OUTBOUND, host, path, **more)
