"""What a `QuotaScheduler` gives: a `Grant`, and the `Slot` that asks for one at each use."""

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from trafficcore.core.fair import Waiter
from trafficcore.errors import ConfigError
from trafficcore.live.calls import Unsettled
from trafficcore.live.kinds import inside

if TYPE_CHECKING:
    from trafficcore.live.fair import QuotaScheduler

__all__ = ["Grant", "Slot"]

P = ParamSpec("P")
R = TypeVar("R")


class Grant:
    """Tokens spent. `cost` is what they are taken for, `waited` whether they were waited for."""

    __slots__ = ("_scheduler", "_waiter", "cost")

    def __init__(self, scheduler: "QuotaScheduler", waiter: Waiter | None, cost: float) -> None:
        self._scheduler = scheduler
        self._waiter = waiter
        self.cost = cost

    @property
    def waited(self) -> bool:
        """Whether it had to wait."""
        return self._waiter is not None

    def reconcile(self, actual: float) -> None:
        """Correct the cost once it is known; as often as it is known better.

        What was charged too much goes to the next in the queue at once. What was charged too
        little is owed by the bucket, and by the workload's place in the order.
        """
        if not 0 <= actual < inf:
            raise ConfigError(f"a cost must be from 0 and finite, not {actual!r}")
        self._scheduler.charge(self, self._waiter, actual)

    def give_back(self, now: float) -> None:  # noqa: ARG002  # the driver's verb, with its time
        """Undo it: nobody was there to take it. Nothing happens the second time."""
        if self.cost:
            self.reconcile(0)


class Slot(Unsettled):
    """`with`, `async with` and a decorator; each use waits for tokens of its own."""

    __slots__ = ("_cost", "_more", "_scheduler", "_timeout", "_workload")

    def __init__(
        self,
        scheduler: "QuotaScheduler",
        workload: str | None,
        cost: float,
        timeout: float | None,
        more: dict[str, Any],
    ) -> None:
        self._scheduler = scheduler
        self._workload = workload
        self._cost = cost
        self._timeout = timeout
        self._more = more

    def __enter__(self) -> Grant:
        return self._scheduler.acquire(self._workload, self._cost, self._timeout, **self._more)

    async def __aenter__(self) -> Grant:
        return await self._scheduler.acquire_async(
            self._workload, self._cost, self._timeout, **self._more
        )

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return `function`, of whatever kind, with a wait for tokens before each call."""
        return inside(self, function)
