"""What comes before a call goes out: admission, the wait for a turn, the refusal."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from trafficcore.engine import Engine, Permit, Queued, Rejection
from trafficcore.errors import ConfigError, Rejected
from trafficcore.live.drivers import driver_of
from trafficcore.web.facts import Labels
from trafficcore.web.httpx_call import Call
from trafficcore.web.httpx_library import Library, outbound_facts

__all__ = ["Gate"]

_SLOW: Final = ("start", "end")


class Gate:
    """The engine as a transport sees it; threads and tasks may share one."""

    def __init__(
        self,
        engine: Engine,
        request_labels: Labels | None,
        slow: str,
        clock: Callable[[], float],
        *,
        raise_on_refusal: bool,
        slow_in_flight: bool,
    ) -> None:
        if slow not in _SLOW:
            raise ConfigError(f"slow must be 'start' or 'end', not {slow!r}")
        self._engine = engine
        self._labels = request_labels
        self._to_end = slow == "end"
        self._clock = clock
        self._raise = raise_on_refusal
        self._in_flight = slow_in_flight
        self._driver = driver_of(engine, clock)

    def admit(self, request: Any) -> Permit | Queued | Rejection:
        """Ask the engine about a request that wants out."""
        now = self._clock()
        if self._in_flight:
            self._engine.policies.table.look(now)
        return self._engine.admit(outbound_facts(request, self._labels), now)

    def wait(self, library: Library, request: Any, ticket: Queued) -> Permit | Rejection:
        """Wait in this thread for the end of the queue."""
        timeout = _pool_timeout(request)
        verdict: Permit | Rejection | None = self._driver.park_thread(ticket, timeout)
        if verdict is None:
            raise _too_late(library, request, timeout)
        return verdict

    async def wait_async(
        self, library: Library, request: Any, ticket: Queued
    ) -> Permit | Rejection:
        """Wait in the running loop for the end of the queue; a cancelled wait leaves it."""
        timeout = _pool_timeout(request)
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # another kind of loop: nothing here could wake its task
            self._engine.cancel(ticket, self._clock())
            raise
        verdict: Permit | Rejection | None = await self._driver.park_async(ticket, timeout)
        if verdict is None:
            raise _too_late(library, request, timeout)
        return verdict

    def call(self, permit: Permit) -> Call:
        """Begin the call that a permit is for."""
        if self._in_flight:
            permit.watch()
        return Call(permit, self._clock, to_end=self._to_end)

    def refuse(self, library: Library, request: Any, rejection: Rejection) -> Any:
        """Return the response of a refusal, or raise it where that was asked for."""
        if not self._raise:
            return library.refusal(request, rejection)
        source = "" if rejection.rule is None else str(rejection.rule)
        raise Rejected(rejection.reason, source=source, retry_after=rejection.retry_after)


def _pool_timeout(request: Any) -> float | None:
    """Return how long the client waits for a connection: a turn in the queue is one as well."""
    timeout: float | None = request.extensions.get("timeout", {}).get("pool")
    return timeout


def _too_late(library: Library, request: Any, timeout: float | None) -> Exception:
    late: Exception = library.module.PoolTimeout(
        f"no turn in the queue of {request.url.host} within {timeout:g} s", request=request
    )
    return late
