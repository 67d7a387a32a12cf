"""`ControlPoint`: a place inside the application at which an engine's policies are asked.

Law    policies whose selectors name the control point act there, and no others: what a request met
       on its way in, or meets on its way out, is another place. Who has to wait does so here.
State  none: the engine's.
Source Aperture's control points, which its SDK has the application name.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from trafficcore.engine import Engine, Facts, Permit, Queued, Rejection
from trafficcore.errors import ConfigError, Rejected
from trafficcore.live.blocks import Block
from trafficcore.live.drivers import driver_of
from trafficcore.outcome import Outcome

__all__ = ["ControlPoint"]

_TAKEN = ("", "ingress", "egress")


class ControlPoint:
    """Where the application itself asks, under the `name` that policies call it by.

    `service` is the service that it is part of, for policies that name one. What a rule may look
    at are the labels of each use::

        checkout = ControlPoint(engine, "checkout", service="shop")
        with checkout({"tier": user.tier}, timeout=2) as permit: ...   # in a thread
        async with checkout({"tier": user.tier}) as permit: ...        # in a task
        @checkout({"job": "nightly"})                                   # on functions of both kinds

    Who is refused gets `Rejected`. A block that raises counts as a failed call, one that is
    cancelled as none. `timeout` is how long the caller has, all in all (None: nobody knows): it
    waits no longer, less the policy's `decision_deadline_margin`.
    """

    __slots__ = ("_clock", "_driver", "_engine", "name", "service")

    def __init__(
        self,
        engine: Engine,
        name: str,
        *,
        service: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if name in _TAKEN:
            raise ConfigError(f"a control point must have a name of its own, not {name!r}")
        self.name = name
        self.service = service
        self._engine = engine
        self._clock = clock
        self._driver = driver_of(engine, clock)

    def __call__(
        self, labels: Mapping[str, str] | None = None, timeout: float | None = None
    ) -> Block[Permit]:
        """Return a block and a decorator, sync and async, that asks each time it is used."""
        return Block(
            partial(self.acquire, labels, timeout),
            partial(self.acquire_async, labels, timeout),
            self.settle,
        )

    def acquire(
        self, labels: Mapping[str, str] | None = None, timeout: float | None = None
    ) -> Permit:
        """Ask, and wait in this thread where that is the answer; the caller settles the permit."""
        verdict = self._ask(labels, timeout)
        if isinstance(verdict, Queued):
            verdict = self._driver.park_thread(verdict)
        return _permit(verdict)

    async def acquire_async(
        self,
        labels: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # the caller's, which the queue looks at
    ) -> Permit:
        """Do what `acquire` does in a task; a cancelled one leaves nothing behind."""
        verdict = self._ask(labels, timeout)
        if isinstance(verdict, Queued):
            verdict = await self._driver.park_async(verdict)
        return _permit(verdict)

    def settle(self, permit: Permit, error: BaseException | None = None) -> None:
        """End what a permit was for, by what it raised."""
        outcome = Outcome.SUCCESS
        if error is not None:
            gone = isinstance(error, (asyncio.CancelledError, GeneratorExit))
            outcome = Outcome.CANCELLED if gone else Outcome.FAILURE
        permit.settle(outcome, self._clock())

    def _ask(self, labels: Mapping[str, str] | None, timeout: float | None) -> Any:
        facts = Facts(self.name, self.service, labels=labels, timeout=timeout)
        return self._engine.admit(facts, self._clock())


def _permit(verdict: Permit | Rejection) -> Permit:
    if isinstance(verdict, Rejection):
        source = "" if verdict.rule is None else str(verdict.rule)
        raise Rejected(verdict.reason, source=source, retry_after=verdict.retry_after)
    return verdict
