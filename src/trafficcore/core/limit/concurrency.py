"""ConcurrencyLimit: how much may be in flight at once, the thresholds Envoy calls circuit breakers.

Law     Admit while current < max; count one in, and out again when it ends. For retries there may
        be a budget instead: max(min_retry_concurrency, budget_percent of what is active or
        pending, rounded down).
State   A counter for each of connections, pending requests, requests, retries and connection
        pools; one such set for each routing priority.
Cost    O(1), one load and one store.
Source  Envoy, resource_manager_impl.h; defaults of circuit_breaker.proto. Envoy tests and counts
        in two steps and may overshoot between threads; here it is one.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from math import inf
from typing import Any, ClassVar, Final

import attrs

from trafficcore.core.nolock import NO_LOCK
from trafficcore.errors import ConfigError

__all__ = [
    "PRIORITIES",
    "Cap",
    "ConcurrencyLimit",
    "InFlight",
    "RetryBudget",
    "RetryCap",
    "by_priority",
]

#: Envoy's routing priorities; each has counters of its own.
PRIORITIES: Final = ("default", "high")


class Cap:
    """A count that admits while it is below `max` (`inf`: always)."""

    ATOMIC: ClassVar[tuple[str, ...]] = ("try_acquire", "inc", "release")
    __slots__ = ("_lock", "_max", "current")

    def __init__(self, most: float, *, lock: AbstractContextManager[Any] = NO_LOCK) -> None:
        if not most >= 0:
            raise ConfigError(f"a cap must be a whole number from 0, not {most!r}")
        self._max = most
        self.current = 0
        self._lock = lock

    def try_acquire(self) -> bool:
        """Count one in if there is room. *Atomic*."""
        most = self.max
        current = self.current
        if current >= most:
            return False
        self.current = current + 1
        return True

    def inc(self) -> None:
        """Count one in, room or not. *Atomic*."""
        self.current += 1

    def release(self) -> None:
        """Count one out. *Atomic*. What was never counted in cannot be."""
        current = self.current
        if current <= 0:
            raise ConfigError("released more than was acquired")
        self.current = current - 1

    @property
    def max(self) -> float:
        """How many may be in at once."""
        return self._max

    @property
    def remaining(self) -> float:
        """How many more would be admitted."""
        return max(0, self.max - self.current)

    @property
    def open(self) -> bool:
        """Whether the next one would be refused (Envoy's word for it)."""
        return self.current >= self.max


class InFlight(Cap):
    """A cap over calls that may have begun before there was one: counting out stops at nothing."""

    __slots__ = ()

    def release(self) -> None:
        """Count one out. *Atomic*."""
        current = self.current
        self.current = current - 1 if current > 0 else 0

    def change(self, most: float) -> None:
        """Admit below another number from now on; who is in stays in."""
        self._max = most


@attrs.frozen
class RetryBudget:
    """Retries as a share of the load, with a least number always allowed."""

    budget_percent: float = 20
    min_retry_concurrency: int = 3

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.budget_percent <= 100:
            raise ConfigError(f"budget_percent must be from 0 to 100, not {self.budget_percent!r}")
        if not self.min_retry_concurrency >= 0:
            raise ConfigError(
                f"min_retry_concurrency must be from 0, not {self.min_retry_concurrency!r}"
            )


class RetryCap(Cap):
    """A count of retries whose `max` follows the requests that are active or pending."""

    __slots__ = ("_active", "_budget", "_pending")

    def __init__(
        self,
        budget: RetryBudget,
        active: Cap,
        pending: Cap,
        *,
        lock: AbstractContextManager[Any] = NO_LOCK,
    ) -> None:
        super().__init__(budget.min_retry_concurrency, lock=lock)
        self._budget = budget
        self._active = active
        self._pending = pending

    @property
    def max(self) -> float:
        """How many may be in at once, with the load as it is."""
        load = self._active.current + self._pending.current
        share = self._budget.budget_percent * load // 100
        return share if share > self._max else self._max

    @property
    def remaining(self) -> float:
        """Always 0: the number would be true only until the load moves (so Envoy's gauge)."""
        return 0


class ConcurrencyLimit:
    """The caps of one upstream for one priority, each an attribute.

    A request takes `connections` or, while it waits for one, `pending_requests`; then `requests`;
    and `retries` when it is one. Unset caps have Envoy's defaults.
    """

    __slots__ = ("connection_pools", "connections", "pending_requests", "requests", "retries")

    RESOURCES: ClassVar[tuple[str, ...]] = (
        "connections",
        "pending_requests",
        "requests",
        "retries",
        "connection_pools",
    )

    def __init__(
        self,
        *,
        max_connections: float = 1024,
        max_pending_requests: float = 1024,
        max_requests: float = 1024,
        max_retries: float = 3,
        max_connection_pools: float = inf,
        retry_budget: RetryBudget | None = None,
        lock: AbstractContextManager[Any] = NO_LOCK,
    ) -> None:
        self.connections = Cap(max_connections, lock=lock)
        self.pending_requests = Cap(max_pending_requests, lock=lock)
        self.requests = Cap(max_requests, lock=lock)
        self.connection_pools = Cap(max_connection_pools, lock=lock)
        # A budget replaces max_retries.
        self.retries = (
            Cap(max_retries, lock=lock)
            if retry_budget is None
            else RetryCap(retry_budget, self.requests, self.pending_requests, lock=lock)
        )

    def cap(self, resource: str) -> Cap:
        """Return the cap of that name."""
        if resource not in self.RESOURCES:
            raise ConfigError(f"no such resource: {resource!r}; one of {', '.join(self.RESOURCES)}")
        found: Cap = getattr(self, resource)
        return found

    def snapshot(self, now: float) -> dict[str, dict[str, float]]:  # noqa: ARG002
        """Return every count with its cap, as plain data."""
        caps = ((name, self.cap(name)) for name in self.RESOURCES)
        return {name: {"current": cap.current, "max": cap.max} for name, cap in caps}


def by_priority(
    thresholds: Iterable[tuple[str, ConcurrencyLimit]],
) -> dict[str, ConcurrencyLimit]:
    """Return the limit of each priority: the first given for it, else one of defaults."""
    limits: dict[str, ConcurrencyLimit] = {}
    for priority, limit in thresholds:
        if priority not in PRIORITIES:
            raise ConfigError(f"priority must be one of {', '.join(PRIORITIES)}, not {priority!r}")
        limits.setdefault(priority, limit)
    return {priority: limits.get(priority) or ConcurrencyLimit() for priority in PRIORITIES}
