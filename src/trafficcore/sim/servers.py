"""The servers behind the policies: they take time, have room for so many calls, and fail.

Law    A server works on at most `capacity` calls; more wait in line, first come first served, at
       most `queue` of them, and what finds the line full is answered 503 at once. A call that its
       client has given up is worked off and counted all the same, as a real server would.
       What is wrong with a server changes at the times its failures begin and end.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING

from trafficcore.sim.draw import draws, uniforms
from trafficcore.sim.kernel import Kernel
from trafficcore.sim.spec import Failure, Server
from trafficcore.sim.stats import Series

if TYPE_CHECKING:
    import numpy as np

    from trafficcore.sim.loads import Call

__all__ = ["SimServer", "concerns"]

_OVERFLOW = 503
_UNREACHABLE = 503


def concerns(failure: Failure, number: int, server: Server) -> bool:
    """Whether a failure is one of this server, the `number`th of its service."""
    if failure.servers and not {str(number), server.address} & set(failure.servers):
        return False
    zone = failure.zone
    return not zone or server.locality == zone or server.locality.startswith(f"{zone}/")


class SimServer:
    """One server. `serve` takes a call and answers it some time later."""

    __slots__ = (
        "_chance",
        "_changes",
        "_error_status",
        "_errors",
        "_failures",
        "_kernel",
        "_latency",
        "_line",
        "_slow",
        "address",
        "busy",
        "capacity",
        "codes",
        "failing",
        "locality",
        "next_change",
        "over_time",
        "queue",
    )

    def __init__(
        self,
        spec: Server,
        failures: Sequence[Failure],
        kernel: Kernel,
        rng: "np.random.Generator",
        over_time: Series,
    ) -> None:
        self.address = spec.address
        self.locality = spec.locality
        self.capacity = spec.capacity or inf
        self.queue = spec.queue
        self.busy = 0
        self.codes: dict[int, int] = {}
        #: Calls to the whole zone, shared by its servers.
        self.over_time = over_time
        self._kernel = kernel
        self._latency = draws(spec.latency, rng)
        self._chance = uniforms(rng)
        self._errors = spec.errors
        self._error_status = spec.error_status
        self._line: deque[Call] = deque()
        self._failures = tuple(failures)
        self._slow: dict[int, Iterator[float]] = {
            id(failure): draws(failure.latency, rng) for failure in failures if failure.latency
        }
        edges = {0.0} | {f.start for f in failures} | {f.end for f in failures if f.end < inf}
        self._changes = sorted(edges, reverse=True)
        self.failing: Failure | None = None
        self.next_change: float = 0.0

    def _change(self, now: float) -> None:
        """Look at what is wrong from now on: of several failures the first that is written."""
        while self._changes and self._changes[-1] <= now:
            self._changes.pop()
        self.next_change = self._changes[-1] if self._changes else inf
        self.failing = next((f for f in self._failures if f.start <= now < f.end), None)

    def serve(self, call: "Call") -> None:
        """Take a call: work on it, let it wait, or turn it away."""
        kernel = self._kernel
        now = kernel.now
        if now >= self.next_change:
            self._change(now)
        self.over_time.add(now)
        failing = self.failing
        if failing is not None and failing.refused and self._hit(failing):
            call.answer = _UNREACHABLE
            call.unreached = True
            kernel.at(now + call.load.refused_after, self._answer, call)
        elif self.busy < self.capacity:
            self.busy += 1
            self._work(call)
        elif len(self._line) < self.queue:
            self._line.append(call)
        else:
            call.answer = _OVERFLOW
            kernel.at(now + call.load.refused_after, self._answer, call)

    def _hit(self, failing: Failure) -> bool:
        return failing.share >= 1 or next(self._chance) < failing.share

    def _work(self, call: "Call") -> None:
        kernel = self._kernel
        now = kernel.now
        if now >= self.next_change:
            self._change(now)
        failing = self.failing
        latency = self._latency
        call.answer = 200
        if failing is not None and not failing.refused and self._hit(failing):
            if failing.hangs:  # until the failure ends; without an end its place stays taken
                if failing.end < inf:
                    kernel.at(failing.end + next(latency), self._done, call)
                return
            call.answer = failing.status or 200
            latency = self._slow.get(id(failing), latency)
        elif self._errors and next(self._chance) < self._errors:
            call.answer = self._error_status
        kernel.at(now + next(latency), self._done, call)

    def _done(self, call: "Call") -> None:
        line = self._line
        if line:
            self._work(line.popleft())
        else:
            self.busy -= 1
        self._answer(call)

    def _answer(self, call: "Call") -> None:
        code = call.answer
        self.codes[code] = self.codes.get(code, 0) + 1
        if not call.over:
            call.load.settle(call)
