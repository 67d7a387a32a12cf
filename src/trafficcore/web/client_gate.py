"""What comes before a call goes out: admission, the wait for a turn, the refusal, another try.

One gate is in front of every client, whatever its library; `Library` is what differs.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final, Protocol

from trafficcore.engine import Engine, Facts, Mode, Permit, Queued, Rejection
from trafficcore.engine.elsewhere import cluster_of
from trafficcore.engine.retrying import Retrying
from trafficcore.errors import ConfigError, Rejected
from trafficcore.live.drivers import driver_of
from trafficcore.spec import Retries
from trafficcore.web.call import Call, Verdict, verdict_of
from trafficcore.web.outbound import Breaking, Limiting, Outbound
from trafficcore.web.tries import Tries

__all__ = ["Gate", "Library", "gate_of"]

_SLOW: Final = ("start", "end")


class Library(Protocol):
    """What a gate asks of the library a request is of."""

    def refusal(self, request: Any, rejection: Rejection) -> Any:
        """Return the response that a refusal is to the application."""
        ...

    def refused(self, request: Any, rejection: Rejection, source: str) -> Rejected:
        """Return what is raised in the place of that response."""
        ...

    def too_late(self, request: Any, message: str) -> Exception:
        """Return what is raised where that was not long enough."""
        ...


def _read_retries(retries: Retries | int | None) -> Retries | None:
    """Take retries as they are, or their number; anything else is a `ConfigError`."""
    if isinstance(retries, int) and not isinstance(retries, bool):
        return Retries(retries)
    if retries is None or isinstance(retries, Retries):
        return retries
    raise ConfigError(f"retries must be Retries(2) or a number, not {retries!r}")


class Gate:
    """An engine, or limits and breakers without one, as a client sees it; threads may share one."""

    def __init__(
        self,
        guard: Engine | Outbound,
        retries: Retries | int | None,
        slow: str,
        clock: Callable[[], float],
        *,
        raise_on_refusal: bool,
        slow_in_flight: bool,
        judge: Callable[[Exception], Verdict] = verdict_of,
        draw: Callable[[], float] = random.random,
    ) -> None:
        if slow not in _SLOW:
            raise ConfigError(f"slow must be 'start' or 'end', not {slow!r}")
        self._guard = guard
        self._engine = guard if isinstance(guard, Engine) else None
        self._retries = _read_retries(retries)
        self._to_end = slow == "end"
        self.clock = clock
        self._raise = raise_on_refusal
        self._in_flight = slow_in_flight
        self._judge = judge
        self._draw = draw
        self._driver: Any = None if self._engine is None else driver_of(self._engine, clock)
        self._rooms = guard.rooms if isinstance(guard, Outbound) else guard.policies.rooms

    def admit(self, facts: Facts) -> Any:
        """Ask for a request that wants out: a permit, a place in a queue, or a refusal."""
        now = self.clock()
        if self._in_flight and self._engine is not None:
            self._engine.policies.table.look(now)
        return self._guard.admit(facts, now)

    def wait(
        self, library: Library, request: Any, ticket: Queued, most: float | None
    ) -> Permit | Rejection:
        """Wait in this thread for the end of the queue, no longer than for a connection."""
        verdict: Permit | Rejection | None = self._driver.park_thread(ticket, most)
        if verdict is None:
            raise self._too_late(library, request, ticket, most)
        return verdict

    async def wait_async(
        self, library: Library, request: Any, ticket: Queued, most: float | None
    ) -> Permit | Rejection:
        """Do the same in the running loop; a cancelled wait leaves the queue."""
        self._check_loop(ticket)
        verdict: Permit | Rejection | None = await self._driver.park_async(ticket, most)
        if verdict is None:
            raise self._too_late(library, request, ticket, most)
        return verdict

    def readmit(self, tries: Tries) -> Any:
        """Ask for another try, which may wait in line too; None: there was no turn in time."""
        verdict = self.admit(tries.facts)
        if isinstance(verdict, Queued):
            return self._driver.park_thread(verdict, tries.allowed())
        return verdict

    async def readmit_async(self, tries: Tries) -> Any:
        """Do the same in the running loop."""
        verdict = self.admit(tries.facts)
        if isinstance(verdict, Queued):
            self._check_loop(verdict)
            return await self._driver.park_async(verdict, tries.allowed())
        return verdict

    def call(self, permit: Any) -> Call:
        """Begin the call that a permit is for."""
        if self._in_flight:
            permit.watch()
        call = Call(permit, self.clock, to_end=self._to_end, judge=self._judge)
        if self._engine is not None:
            cluster = cluster_of(permit)
            if cluster is not None:
                call.connect = cluster.membership.connect_timeout
        return call

    def retries(self, facts: Facts) -> Retries | None:
        """Return what is to be done where the call fails; None: nothing.

        What a route declares comes before the gate's own; out of force, manifests say nothing.
        """
        engine = self._engine
        if engine is not None and engine.mode is Mode.ENFORCE:
            return engine.policies.table.retries.find(facts) or self._retries
        return self._retries

    def tries(self, policy: Retries, facts: Facts, permit: Any) -> Tries:
        """Begin a call that may be tried again, with the permit of its first try."""

        def make(room: Any, **how: Any) -> Retrying:
            return Retrying(policy, room, permit.admitted_at, draw=self._draw, **how)

        return Tries(policy, facts, self._rooms, make, self.call, self.clock)

    def refuse(self, library: Library, request: Any, rejection: Rejection) -> Any:
        """Return the response of a refusal, or raise it where that was asked for."""
        if not self._raise:
            return library.refusal(request, rejection)
        source = getattr(rejection, "source", "")
        if rejection.rule is not None:
            source = str(rejection.rule)
        raise library.refused(request, rejection, source)

    def snapshot(self) -> dict[str, Any]:
        """Return what guards the calls, and what came of retries, as plain data."""
        return self._guard.snapshot(self.clock())

    def _check_loop(self, ticket: Queued) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # another kind of loop: nothing here could wake its task
            if self._engine is not None:
                self._engine.cancel(ticket, self.clock())
            raise

    def _too_late(
        self, library: Library, request: Any, ticket: Queued, timeout: float | None
    ) -> Exception:
        host = ticket.facts.host
        return library.too_late(request, f"no turn in the queue of {host} within {timeout:g} s")


def gate_of(
    engine: Engine | None,
    breaker: Breaking,
    limit: Limiting,
    retries: Retries | int | None,
    slow: str,
    clock: Callable[[], float],
    *,
    raise_on_refusal: bool,
    slow_in_flight: bool,
    judge: Callable[[Exception], Verdict] = verdict_of,
) -> Gate:
    """Return the gate of a shell by its settings; an engine's manifests say the rest themselves."""
    if engine is not None and (limit is not None or breaker is not True):
        raise ConfigError(
            "breaker and limit are for calls without an engine: its manifests say them"
        )
    return Gate(
        Outbound(breaker, limit, clock) if engine is None else engine,
        retries,
        slow,
        clock,
        raise_on_refusal=raise_on_refusal,
        slow_in_flight=slow_in_flight,
        judge=judge,
    )
