"""Verbs: what a handle can do once it can try, name a time, and stand people in line."""

from collections.abc import Callable
from math import inf
from typing import Any, Generic, ParamSpec, Self, TypeVar

from trafficcore.errors import ImpossibleCost, Rejected
from trafficcore.live.calls import Unsettled, before
from trafficcore.live.parking import wait_in_loop, wait_in_thread
from trafficcore.live.waiting import Line, Sleep, Source
from trafficcore.outcome import Reason

__all__ = ["Verbs"]

Cost = TypeVar("Cost")
P = ParamSpec("P")
R = TypeVar("R")
_ONE: Any = 1


class Verbs(Unsettled, Generic[Cost]):
    """For the handles of this package: waiting, blocks and decorators over `try_acquire`."""

    __slots__ = ()
    name: str
    _clock: Callable[[], float]
    _sleep: Sleep | None

    def try_acquire(self, cost: Cost = _ONE) -> bool:
        """Take `cost` if it is there; answer at once."""
        raise NotImplementedError

    def earliest(self, cost: Cost = _ONE) -> float:
        """Return the time from which `cost` can be granted."""
        raise NotImplementedError

    def _place(self, cost: Cost) -> tuple[Line, Source, float]:
        """Return where to wait, for what, and how much of it; refuse what can never be granted."""
        raise NotImplementedError

    def acquire(self, cost: Cost = _ONE, timeout: float | None = None) -> None:
        """Take `cost`, waiting for it in this thread, first come first served.

        Raises `Rejected` after `timeout` seconds, or as soon as it is clear that they will not
        do; nothing is granted after them. A cost that can never be granted is an `ImpossibleCost`.
        """
        if not self.try_acquire(cost):
            place = self._place(cost)
            if not wait_in_thread(*place, timeout, self._clock, self._sleep):
                self._place(cost)  # new settings may have made it impossible
                raise self._rejected(cost)

    async def acquire_async(self, cost: Cost = _ONE, timeout: float | None = None) -> None:  # noqa: ASYNC109  # the same verb as `acquire`
        """Do what `acquire` does in a task; a cancelled one has taken nothing."""
        if not self.try_acquire(cost):
            place = self._place(cost)
            if not await wait_in_loop(*place, timeout, self._clock):
                self._place(cost)
                raise self._rejected(cost)

    def __enter__(self) -> Self:
        self._check()
        return self

    async def __aenter__(self) -> Self:
        self._check()
        return self

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function: each call takes a token or raises `Rejected`."""
        return before(function, self._check)

    def _check(self, *_: Any, **__: Any) -> None:
        if not self.try_acquire():
            raise self._rejected(_ONE)

    def _rejected(self, cost: Cost) -> Rejected:
        try:
            due = self.earliest(cost)
        except ImpossibleCost:
            due = inf
        after = max(0, due - self._clock()) if due < inf else None
        return Rejected(Reason.RATE_LIMITED, source=self.name, retry_after=after)
