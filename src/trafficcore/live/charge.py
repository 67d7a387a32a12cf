"""`charge`: what a request truly cost, told to the quotas that admitted it."""

import time
from collections.abc import Callable

from trafficcore.engine import Engine, Permit
from trafficcore.errors import ConfigError
from trafficcore.live.drivers import driver_of

__all__ = ["charge"]


def charge(
    engine: Engine,
    permit: Permit,
    costs: dict[str, float],
    *,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Correct what a request was charged by quotas, each by its policy's name.

    `charge(engine, permit, {"llm-tokens": 512})` makes 512 the whole cost at that policy, as often
    as it is known better and before or after the call ends. What was charged too much goes to who
    waits there at once; what was charged too little is owed by the bucket, and by the workload's
    place in the order. A policy that has not admitted the request, because it is about others or
    has no budget for it, is passed over. Raises `ConfigError` for a cost that is no amount.
    """
    for name, actual in costs.items():
        if not 0 <= actual < float("inf"):
            raise ConfigError(f"the cost at {name!r} must be from 0 and finite, not {actual!r}")
    now = clock()
    claims = []
    for claim in permit.claims:
        rule = claim.flow.rule
        name = "" if rule is None else rule.source.name
        claims.append(claim.corrected(now, costs[name]) if name in costs else claim)
    permit.claims = tuple(claims)
    driver_of(engine, clock).kick()
