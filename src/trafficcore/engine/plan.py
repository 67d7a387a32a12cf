"""`Plan`: what happens to one kind of request, worked out before it comes.

A plan is immutable and shared by every request that the same rules are about. Each stage is the
machine itself where there is one, and a group with the machine's own verbs where there are more,
so that the usual request pays one call a policy.
"""

from collections.abc import Callable
from typing import Any

from trafficcore.engine.claim import Claim
from trafficcore.engine.cluster import Cluster
from trafficcore.engine.facts import Facts
from trafficcore.engine.schedule import QuotaStage
from trafficcore.engine.stages import BreakStage, ConnectionStage, LimitStage
from trafficcore.engine.verdict import Permit
from trafficcore.outcome import Outcome

__all__ = ["Plan", "Side"]

SUCCESS, FAILURE, IGNORED = Outcome.SUCCESS, Outcome.FAILURE, Outcome.IGNORED
_GATEWAY = frozenset({502, 503, 504})


class Side:
    """Plain counters of one direction, alive as long as the engine."""

    __slots__ = ("admitted", "direction", "ended", "lock", "queued", "refused", "unmatched")

    def __init__(self, direction: str, lock: Any) -> None:
        self.direction = direction
        #: Only for where there is no GIL: then engine and permits count under it.
        self.lock = lock
        self.admitted = 0
        self.ended = 0
        self.refused = 0
        self.queued = 0
        self.unmatched = 0

    @property
    def in_flight(self) -> int:
        """How many have been admitted and have not ended."""
        return self.admitted - self.ended

    def snapshot(self) -> dict[str, int]:
        """Return the counters as plain data."""
        names = ("admitted", "in_flight", "queued", "refused", "unmatched")
        return {name: getattr(self, name) for name in names}


class Plan:
    """The stages of one kind of request; None and () where a policy has nothing to say."""

    __slots__ = (
        "breaker",
        "breaks",
        "cluster",
        "connections",
        "hits",
        "holds",
        "limit",
        "limits",
        "quota",
        "quotas",
        "rules",
        "shown",
    )

    def __init__(
        self,
        limits: tuple[LimitStage, ...] = (),
        breaks: tuple[BreakStage, ...] = (),
        quotas: tuple[Any, ...] = (),
        cluster: Cluster | None = None,
    ) -> None:
        self.limits = limits
        connections = tuple(stage for stage in limits if isinstance(stage, ConnectionStage))
        shared = [stage.bucket for stage in limits if stage not in connections]
        self.limit: Any = _one_of(shared, LimitGroup)
        #: Limits by connection, which look at the request; None where there are none.
        self.connections = connections or None
        self.breaks = breaks
        self.breaker: Any = _one_of([stage.breaker for stage in breaks], BreakerGroup)
        #: Whatever is claimed: of meters, of load ramps and of quotas, in this order.
        self.quotas = quotas
        #: The one quota there is, if it is a plain one; None where there are more or none.
        self.quota: QuotaStage | None = quotas[0] if len(quotas) == 1 and quotas[0].plain else None
        #: Whether the end of a call makes room for the next.
        self.holds = any(stage.holds for stage in quotas)
        self.cluster = cluster
        rules = [
            *(stage.rule for stage in limits),
            *(stage.rule for stage in breaks),
            *(stage.rule for stage in quotas),
        ]
        if cluster is not None:
            rules += cluster.membership.entries
            if cluster.rule is not None:
                rules.append(cluster.rule)
        self.rules = tuple(dict.fromkeys(rules))  # the meters of a rule are that rule as well
        #: Requests that followed this plan: every rule of it was hit so often.
        self.hits = 0
        #: What shells keep of its limits to tell clients of them; None before one does.
        self.shown: Any = None
        for rule in self.rules:
            rule.plans.append(self)

    def refused_connection(self, facts: Facts, now: float) -> ConnectionStage | None:
        """Take a token of each limit by connection; return the first that has none.

        What others of them gave stays taken: a connection that is refused is its own neighbour.
        """
        for stage in self.connections or ():
            if not stage.try_acquire(facts, now) and not stage.shadowed(now):
                return stage
        return None

    def try_breaker(self, now: float) -> Any:
        """Take the permit of a breaker that is not simply closed; falsy: refused."""
        era = self.breaker.try_acquire(now)
        if self.breaker.changes:
            self.tell_listeners()
        return era

    def tell_breaker(
        self, era: Any, outcome: Outcome, took: float, now: float, status: int
    ) -> None:
        """Tell the breaker of any call but a good and quick one."""
        breaker = self.breaker
        if not era:  # shadow mode let a refused call by: no result of this breaker's
            return
        if outcome is SUCCESS or outcome is FAILURE:
            failed = outcome is FAILURE
            gateway = failed and status in _GATEWAY
            breaker.record(era, now, error=failed, duration=took, gateway=gateway)
        elif outcome is IGNORED:
            breaker.ignore(era, now)
        else:
            breaker.release(era, now)

    def tell_listeners(self) -> None:
        """Pass on what changed, outside every lock."""
        for stage in self.breaks:
            stage.tell()

    def give_back(self, permit: Permit, side: Side, now: float) -> None:
        """Undo an admission in full: the call was never made."""
        side.admitted -= 1
        if self.cluster is not None and permit.endpoint is not None:
            self.cluster.give_back(permit.endpoint)
        if self.breaker is not None:
            self.breaker.release(permit.era, now)
        self.refund(permit.claims, now)

    def refund(self, claims: tuple[Claim, ...], now: float) -> None:
        """Give back what the quotas passed so far have given, and the tokens of the limits."""
        for claim in claims:
            claim.give_back(now)
        if self.limit is not None:
            self.limit.refund(1, now)


def _one_of(machines: list[Any], group: Callable[[tuple[Any, ...]], Any]) -> Any:
    if len(machines) > 1:
        return group(tuple(machines))
    return machines[0] if machines else None


class LimitGroup:
    """Several buckets of which each must have a token; a refusal gives back what others gave."""

    __slots__ = ("buckets",)

    def __init__(self, buckets: tuple[Any, ...]) -> None:
        self.buckets = buckets

    def try_acquire(self, now: float, cost: float = 1) -> bool:
        """Take from all or from none."""
        for index, bucket in enumerate(self.buckets):
            if not bucket.try_acquire(now, cost):
                for taken in self.buckets[:index]:
                    taken.refund(cost, now)
                return False
        return True

    def refund(self, cost: float, now: float) -> None:
        """Give back to all."""
        for bucket in self.buckets:
            bucket.refund(cost, now)


class BreakerGroup:
    """Several breakers of which each must admit; an era is a tuple of theirs."""

    __slots__ = ("breakers",)
    slow_after = 0  # every result goes to `record`, where each breaker judges by its own limit

    def __init__(self, breakers: tuple[Any, ...]) -> None:
        self.breakers = breakers

    @property
    def live(self) -> tuple[int, ...]:
        """The eras of all while all admit everybody, else ()."""
        eras = tuple([breaker.live for breaker in self.breakers])
        return eras if all(eras) else ()

    @property
    def changes(self) -> bool:
        """Whether any has something to tell."""
        return any(breaker.changes for breaker in self.breakers)

    def would_admit(self, now: float) -> bool:
        """Whether all would admit, without effect."""
        return all(breaker.would_admit(now) for breaker in self.breakers)

    def try_acquire(self, now: float) -> tuple[int, ...]:
        """Take a permit of each, or of none: () is a refusal."""
        eras: list[int] = []
        for breaker in self.breakers:
            era = breaker.try_acquire(now)
            if not era:
                for taken, its_era in zip(self.breakers, eras, strict=False):
                    taken.release(its_era, now)
                return ()
            eras.append(era)
        return tuple(eras)

    def watch(self, era: tuple[int, ...], now: float) -> tuple[Any, ...]:
        """Have each watch the call."""
        return tuple(
            breaker.watch(its_era, now)
            for breaker, its_era in zip(self.breakers, era, strict=False)
        )

    def landed(self, era: tuple[Any, ...], now: float) -> None:
        """Tell each that the response has begun."""
        for breaker, its_era in zip(self.breakers, era, strict=False):
            breaker.landed(its_era, now)

    def good(self, era: tuple[int, ...], now: float) -> None:
        """Record a good call with each."""
        for breaker, its_era in zip(self.breakers, era, strict=False):
            breaker.good(its_era, now)

    def record(self, era: tuple[int, ...], now: float, **result: Any) -> None:
        """Record a result with each; each decides by its own limit whether it was slow."""
        for breaker, its_era in zip(self.breakers, era, strict=False):
            breaker.record(its_era, now, **result)

    def ignore(self, era: tuple[int, ...], now: float) -> None:
        """Have the call count for nothing with each."""
        for breaker, its_era in zip(self.breakers, era, strict=False):
            breaker.ignore(its_era, now)

    def release(self, era: tuple[int, ...], now: float) -> None:
        """Give each its permit back."""
        for breaker, its_era in zip(self.breakers, era, strict=False):
            breaker.release(its_era, now)
