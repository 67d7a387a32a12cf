"""`Outbound`: what guards a client's calls without a manifest: limits, and a breaker a host.

Law    limits first, then the breaker, as in an engine; what a refusal took from a limit goes back.
       A permit is settled once; a cancelled call is no verdict.
State  the limits', the breakers', and the retries under way by host.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final, TypeAlias

from trafficcore.engine import Facts, Rejection
from trafficcore.engine.guard import guarded, new_lock
from trafficcore.engine.retry_room import RetryRooms
from trafficcore.errors import ConfigError
from trafficcore.live.breaker import CircuitBreaker, CircuitOpen
from trafficcore.live.breakers import Breakers
from trafficcore.live.limits import Limit
from trafficcore.outcome import Outcome, Reason
from trafficcore.web.limits import LimitGate, Met
from trafficcore.web.outbound_request import OutboundRequest

__all__ = ["Breaking", "Limiting", "Outbound", "OutboundPermit"]

#: What `breaker=` takes: a breaker a host (True: with its defaults), one for all, or none.
Breaking: TypeAlias = Breakers | CircuitBreaker | bool | None
#: What `limit=` takes: a rate a host, a limit, several, or none.
Limiting: TypeAlias = str | float | Limit | Iterable[str | float | Limit] | None

_OVERLOADED: Final = (("x-envoy-overloaded", "true"),)
_GATEWAY: Final = frozenset({502, 503, 504})
SUCCESS, FAILURE = Outcome.SUCCESS, Outcome.FAILURE
IGNORED, CANCELLED = Outcome.IGNORED, Outcome.CANCELLED


def _host(facts: Facts) -> str:
    return facts.host.lower()


class CircuitRefusal(Rejection):
    """A refusal of a breaker; `source` is its name."""

    __slots__ = ("source",)

    source: str


class Outbound:
    """Decides on calls as an engine does: `admit` answers a permit or a `Rejection`."""

    def __init__(
        self,
        breaker: Breaking = True,
        limit: Limiting = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not isinstance(breaker, (Breakers, CircuitBreaker, bool, type(None))):
            raise ConfigError(f"breaker must be Breakers(...) or a CircuitBreaker, not {breaker!r}")
        if isinstance(breaker, bool):
            breaker = Breakers(clock=clock) if breaker else None
        self._breakers = breaker
        limits = _limits(limit)
        self._limits = LimitGate(limits) if limits else None
        self.rooms = RetryRooms()
        #: Only for where there is no GIL.
        self.lock = new_lock()

    def admit(self, facts: Facts, now: float) -> "OutboundPermit | Rejection":
        """Decide on one call."""
        limits = self._limits
        met: Met = ()
        if limits is not None:
            answer = limits.admit(OutboundRequest(facts), facts.method, facts.path, now)
            if isinstance(answer, Rejection):
                return answer
            met = answer
        breakers = self._breakers
        if breakers is None:
            return OutboundPermit(self, None, 0, met, now)
        breaker = breakers if isinstance(breakers, CircuitBreaker) else breakers[_host(facts)]
        try:
            era = breaker.gate.live or breaker.admit(now)
        except CircuitOpen as refused:
            self.give_back(met, now)
            wait = refused.retry_after
            at = None if wait is None else now + wait
            reason = Reason.CIRCUIT_OPEN
            refusal = CircuitRefusal(reason, 503, _OVERLOADED, str(refused), None, now, at)
            refusal.source = breaker.name
            return refusal
        return OutboundPermit(self, breaker, era, met, now)

    def give_back(self, met: Met, now: float) -> None:
        """Give back what a call has paid that was never made."""
        if met and self._limits is not None:
            self._limits.give_back(met, now)

    def snapshot(self, now: float) -> dict[str, Any]:
        """Return limits, breakers and retries as plain data."""
        return {
            "breakers": None if self._breakers is None else self._breakers.snapshot(),
            "limits": [] if self._limits is None else self._limits.snapshot(now),
            "retries": self.rooms.snapshot(),
        }


def _limits(given: Limiting) -> list[Limit]:
    """Take limits as they are; a bare rate is one for each host."""
    if given is None:
        return []
    many = (given,) if isinstance(given, (str, int, float, Limit)) else tuple(given)
    return [limit if isinstance(limit, Limit) else Limit(limit, by=_host) for limit in many]


@guarded
class OutboundPermit:
    """Leave to make one call; what an engine's `Permit` is where there is no engine."""

    ATOMIC: ClassVar[tuple[str, ...]] = ("settle", "give_back")
    __slots__ = (
        "_breaker",
        "_judged",
        "_lock",
        "_met",
        "_owner",
        "admitted_at",
        "era",
        "started_at",
        "status",
    )
    #: Nothing chooses an endpoint here, by a cookie or otherwise.
    endpoint = set_cookie = None

    def __init__(
        self, owner: Outbound, breaker: CircuitBreaker | None, era: Any, met: Met, now: float
    ) -> None:
        self._owner: Outbound | None = owner
        self._breaker = breaker
        self._met = met
        self._judged: Outcome | None = None
        self._lock = owner.lock
        self.era = era
        self.admitted_at = now
        self.started_at: float | None = None
        self.status = 0

    def watch(self) -> None:
        """Do nothing: a breaker with `slow_in_flight` watches from the start."""

    def started(self, status: int, now: float) -> None:
        """Note that the response began: *slow* is measured up to here."""
        self.status = status
        self.started_at = now

    def landed(self, now: float) -> None:
        """Say that a call that is watched cannot become slow any more."""
        if self._breaker is not None:
            self._breaker.landed(self.era, now)

    def ignore(self) -> None:
        """Have this call count for nothing, whatever its status says."""
        self._judged = IGNORED

    def fail(self) -> None:
        """Have this call count as a failure, whatever its status says."""
        self._judged = FAILURE

    @property
    def settled(self) -> bool:
        """Whether the call has ended."""
        return self._owner is None

    def settle(
        self,
        outcome: Outcome | None,
        now: float,
        status: int = 0,
        *,
        local: bool = False,  # noqa: ARG002
    ) -> None:
        """End the call, once: as `Permit.settle`. *Atomic* as to once."""
        owner, self._owner = self._owner, None
        breaker = self._breaker
        if owner is None or breaker is None:
            return
        if outcome is not CANCELLED:
            status = status or self.status
            if outcome is None:
                outcome = FAILURE if 500 <= status <= 599 else SUCCESS
            if self._judged is not None:
                outcome = self._judged
        if outcome is CANCELLED:
            breaker.release(self.era)
        elif outcome is IGNORED:
            breaker.ignore(self.era)
        else:
            failed = outcome is FAILURE
            begun, started = self.admitted_at, self.started_at
            took = (now if started is None else started) - begun
            breaker.record(self.era, failed, took, failed and status in _GATEWAY, begun)

    def give_back(self, now: float) -> None:
        """Undo the admission of a call that was never made."""
        owner, self._owner = self._owner, None
        if owner is None:
            return
        owner.give_back(self._met, now)
        if self._breaker is not None:
            self._breaker.release(self.era)
