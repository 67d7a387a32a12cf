"""Together: several limits as one verdict, all or nothing.

Law     A cost is granted where every limit grants it; where one refuses, those asked before it get
        back what they had granted, and are as if they had not been asked. Who waits here is
        served in order, and behind those who wait at one of the limits alone; a waiter takes
        nothing before the time that the limits name.
State   The limits, and the line of those who wait for all of them.
Cost    That of the limits.
"""

import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from trafficcore.core.limit.amounts import check_amount
from trafficcore.engine.guard import after_fork, new_lock
from trafficcore.errors import ConfigError
from trafficcore.live.followers import Followers
from trafficcore.live.verbs import Verbs
from trafficcore.live.waiting import Line, Sleep, Source

__all__ = ["Costs", "Member", "Together"]

#: One cost for all limits, or one for each.
Costs: TypeAlias = float | Sequence[float]


class Member(Protocol):
    """What `RateLimiter`, `SlidingWindowLimiter` and `KeyedRateLimiter.of` have in common."""

    @property
    def followers(self) -> Followers:
        """Who is told when tokens come back."""
        ...

    def try_acquire(self, cost: float = 1) -> bool:
        """Take `cost` if it is there."""
        ...

    def earliest(self, cost: float = 1) -> float:
        """Return the time from which `cost` can be granted."""
        ...

    def refund(self, cost: float = 1) -> None:
        """Give `cost` back."""
        ...


class Together(Verbs[Costs]):
    """Grants what all of `limits` grant, or takes nothing from any.

    A cost is one number for all, or a sequence with one for each: `(1, 350)` is one request and
    350 tokens; what does not fit is a `ConfigError`, and so are no limits at all. All limits are to
    be on one clock, which is also this one's.

        both = Together(RateLimiter("10/s"), RateLimiter("100/min"))
        both.try_acquire()                        # and acquire, acquire_async, with, @both
        Together(requests, tokens.of(user)).try_acquire((1, 350))
    """

    __slots__ = (
        "__weakref__",
        "_clock",
        "_follows",
        "_limits",
        "_line",
        "_sleep",
        "followers",
        "name",
    )

    def __init__(
        self,
        *limits: Member,
        clock: Callable[[], float] = time.monotonic,
        name: str = "",
        sleep: Sleep | None = None,
    ) -> None:
        if not limits:
            raise ConfigError("together with what? give at least one limit")
        for limit in limits:
            if hasattr(limit, "of"):
                raise ConfigError(f"{limit!r} has a bucket for each key: give limiter.of(key)")
        self.name = name
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._line = Line(clock, new_lock())
        #: Whether the limits tell the line: not before somebody waits in it.
        self._follows = False
        self.followers = Followers()
        after_fork(self)

    def try_acquire(self, cost: Costs = 1) -> bool:
        """Take the cost from every limit, or nothing from any; answer at once."""
        costs = self._costs(cost)
        if self._line.tickets:
            return False
        return self._take(costs)

    def earliest(self, cost: Costs = 1) -> float:
        """Return the time from which all of them can grant it, as each of them says."""
        return max(
            limit.earliest(each)
            for limit, each in zip(self._limits, self._costs(cost), strict=True)
        )

    def refund(self, cost: Costs = 1) -> None:
        """Give the cost back to every limit."""
        for limit, each in zip(self._limits, self._costs(cost), strict=True):
            limit.refund(each)
        self.followers.ring()

    def after_fork(self) -> None:
        """Forget who waits: they do so in the parent."""
        self._line.clear()

    def _take(self, costs: Sequence[float]) -> bool:
        taken: list[tuple[Member, float]] = []
        done = False
        try:
            for limit, cost in zip(self._limits, costs, strict=True):
                if not limit.try_acquire(cost):
                    return False
                taken.append((limit, cost))
            done = True
        finally:
            if not done:  # refused, or a limit has no such cost and said so
                for limit, cost in taken:
                    limit.refund(cost)
        return True

    def _costs(self, cost: Costs) -> Sequence[float]:
        if not isinstance(cost, Sequence):
            return (cost,) * len(self._limits)
        if len(cost) != len(self._limits):
            raise ConfigError(f"{len(self._limits)} limits, and {len(cost)} costs: {cost!r}")
        for each in cost:
            check_amount(each)
        return cost

    def _place(self, cost: Costs) -> tuple[Line, Source, float]:
        self.earliest(cost)  # which refuses what can never be granted
        if not self._follows:
            for limit in self._limits:
                limit.followers.add(self._line)
            self._follows = True
        return self._line, _All(self, cost), 0


class _All:
    """What one who waits asks for: a `Source`."""

    __slots__ = ("_cost", "_owner")

    def __init__(self, owner: Together, cost: Costs) -> None:
        self._owner = owner
        self._cost = cost

    def try_acquire(self, now: float, cost: float) -> bool:
        # Asked first, and taken only where all seem to have it: what is taken and given back has
        # others ask again, who would do the same.
        if self.earliest(now, cost) > now:
            return False
        return self._owner._take(self._owner._costs(self._cost))  # noqa: SLF001  # its own part

    def earliest(self, now: float, cost: float) -> float:  # noqa: ARG002
        due = self._owner.earliest(self._cost)
        # The limits have read the clock after `now`: their "at once" is ours.
        return due if due > self._owner._clock() else now  # noqa: SLF001
