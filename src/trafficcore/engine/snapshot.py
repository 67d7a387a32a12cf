"""`snapshot`: everything there is to see of an engine, as plain data fit for JSON."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from trafficcore.engine.plan import Side
from trafficcore.engine.table import Table

if TYPE_CHECKING:
    from trafficcore.engine.engine import Engine

__all__ = ["snapshot"]


def snapshot(engine: "Engine", table: Table, sides: Iterable[Side], now: float) -> dict[str, Any]:
    """Return mode, counters by direction, every rule with its machines, and every cluster."""
    details: dict[int, dict[str, Any]] = {}
    for limit in table.limits:
        details.setdefault(id(limit.rule), {}).setdefault("buckets", []).append(
            limit.bucket.snapshot(now)
        )
    for stage in table.breaks:
        details.setdefault(id(stage.rule), {})["breaker"] = stage.breaker.snapshot(now)
    for ramp in table.ramps:
        details.setdefault(id(ramp.rule), {})["ramp"] = ramp.snapshot(now)
    for quota in table.quotas:
        details.setdefault(id(quota.rule), {})["quota"] = quota.snapshot(now)
    return {
        "mode": engine.mode.value,
        "now": now,
        "reloads": engine.policies.reloads,
        "listener_errors": engine.announcer.errors,
        "traffic": {side.direction: side.snapshot() for side in sides},
        "rules": [{**rule.snapshot(), **details.get(id(rule), {})} for rule in table.rules],
        "clusters": [cluster.snapshot(now) for cluster in table.clusters],
        "retries": engine.policies.rooms.snapshot(),
        "notices": list(table.notices),
    }
