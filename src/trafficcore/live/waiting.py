"""Line: those who wait for tokens, in the order in which they came; threads and tasks alike.

Law     Only the first in line asks the bucket, at the time the bucket named; who comes later asks
        when it has become first. A grant is taken by the waiter itself, in one step with leaving
        the line, so one that gives up has taken nothing and there is nothing to give back. Nobody
        is granted anything after the deadline it came with. A place may be held for a reservation:
        it takes its tokens as soon as it is first, and nobody needs to be woken for it.
State   A deque of tickets; its head is never one that has left, nor a place held. Whoever holds the
        deque sees by its truth whether anybody waits: then nobody may go past them.
Cost    O(1) to join and to leave (those who left from the middle are swept out when they are the
        most); two questions a grant, however many wait.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from math import inf
from typing import Any, Final, Protocol

from trafficcore.errors import ConfigError

__all__ = ["Line", "Sleep", "Source", "Ticket", "patience", "wait_in_loop", "wait_in_thread"]

#: Stands in for waiting where a test has no time: called with the seconds there are to wait.
Sleep = Callable[[float], Any]
#: Timers take no more than some years; waking in vain once a day costs nothing.
_LONGEST: Final = 86_400
#: Seconds after which to ask again where a bucket refused what it seems to have: another process
#: that shares it gave tokens back meanwhile, or is stopped in the middle of a decision.
_AGAIN: Final = 0.001
#: Below so many it is not worth while to sweep the line.
_FEW: Final = 32


class Source(Protocol):
    """Where those in line take from."""

    def try_acquire(self, now: float, cost: float) -> bool:
        """Take `cost` if it is there at `now`, whoever waits."""
        ...

    def earliest(self, now: float, cost: float) -> float:
        """Return when it will be; `inf`: never."""
        ...


class Ticket:
    """One place in line: of somebody who waits, or held for a reservation (`fold`)."""

    __slots__ = ("cost", "fold", "gone", "granted", "source", "wake")

    def __init__(
        self,
        source: Source | None,
        cost: float,
        wake: Callable[[], Any],
        fold: Callable[[], Any] | None = None,
    ) -> None:
        self.source: Any = source
        self.cost = cost
        self.wake = wake
        self.fold = fold
        self.gone = False
        self.granted = False


class Line:
    """Waiters for one bucket, or for several together. Locks for itself."""

    __slots__ = ("__weakref__", "_clock", "_gone", "_lock", "ahead", "tickets", "users", "waiting")

    def __init__(self, clock: Callable[[], float], lock: AbstractContextManager[Any]) -> None:
        self._clock = clock
        self._lock = lock
        self._gone = 0
        self.tickets: deque[Ticket] = deque()
        #: What those in line want, in all.
        self.ahead: float = 0
        #: How many wait.
        self.waiting = 0
        #: For an owner with many lines: who still refers to this one.
        self.users = 0

    def join(self, source: Source, cost: float, wake: Callable[[], Any]) -> Ticket:
        """Take the last place; `wake()` is called when it has become the first."""
        ticket = Ticket(source, cost, wake)
        with self._lock:
            self.tickets.append(ticket)
            self.ahead += ticket.cost
            self.waiting += 1
        return ticket

    def hold(self, cost: float, fold: Callable[[], Any]) -> Ticket:
        """Hold the last place of a line in which somebody waits; `fold()` takes what it is for.

        It is called under the lock, when the place has become the first.
        """
        ticket = Ticket(None, cost, fold, fold)
        self.tickets.append(ticket)
        self.ahead += cost
        return ticket

    def restate(self, ticket: Ticket, cost: float) -> None:
        """Have a place held be for another cost. *Guarded*."""
        self.ahead += cost - ticket.cost
        ticket.cost = cost

    def ask(self, ticket: Ticket, deadline: float) -> float | None:
        """Grant a ticket if its time has come; else return the seconds until it may ask again.

        `inf`: it is not first, and `wake` will say. None: it will not be granted by its deadline.
        """
        lines: list[Line] = []
        outer, _asking.nudged = _asking.nudged, lines
        try:
            with self._lock:
                now = self._clock()
                first = self.tickets[0] is ticket
                if now > deadline or (now == deadline and not first):
                    return None
                if not first:
                    return inf
                if not ticket.source.try_acquire(now, ticket.cost):
                    due: float = ticket.source.earliest(now, ticket.cost)
                    if due <= now:
                        due = now + _AGAIN
                    return None if due == inf or due > deadline else due - now
                ticket.granted = True
                following = self._out(ticket)
        finally:
            _asking.nudged = outer
            for line in lines:
                if line is not self:  # its first is the one that asks
                    line.nudge()
        self._wake(following)
        return 0

    def leave(self, ticket: Ticket) -> None:
        """Give the place up; does nothing where it has been left before."""
        with self._lock:
            following = self._out(ticket)
        self._wake(following)

    def nudge(self) -> None:
        """Have the first in line ask again: tokens came back, or come at another rate.

        Where a source says so while it is asked, this is done as soon as the lock is released.
        """
        if _asking.nudged is not None:
            _asking.nudged.append(self)
            return
        with self._lock:
            first = self.tickets[0] if self.tickets else None
        self._wake(first)

    def clear(self) -> None:
        """Forget everybody: after a fork, those who wait are in the other process."""
        self.tickets.clear()
        self.ahead = self.waiting = self._gone = 0

    def _out(self, ticket: Ticket) -> Ticket | None:
        """Take a ticket out; return the one that has become first by it."""
        if ticket.gone:
            return None
        ticket.gone = True
        self.ahead -= ticket.cost
        self.waiting -= ticket.fold is None
        tickets = self.tickets
        if tickets and tickets[0] is ticket:
            return self._advance()
        self._gone += 1
        if self._gone > _FEW and 2 * self._gone > len(tickets):
            self._sweep()
        return None

    def _advance(self) -> Ticket | None:
        """Make one who waits the first in line, and return it."""
        tickets = self.tickets
        tickets[0].gone = True
        self._gone += 1
        while tickets:
            first = tickets[0]
            if not first.gone:
                if first.fold is None:
                    return first
                self.ahead -= first.cost
                first.gone = True
                self._gone += 1
                # While its place is still taken: nobody comes between.
                first.fold()
            tickets.popleft()
            self._gone -= 1
        self.ahead = 0  # and no rounding stays behind
        return None

    def _sweep(self) -> None:
        """Drop those who have gone; the line, whose first has not, is never seen empty."""
        tickets = self.tickets
        for _ in range(len(tickets)):
            ticket = tickets.popleft()
            if not ticket.gone:
                tickets.append(ticket)
        self._gone = 0

    def _wake(self, ticket: Ticket | None) -> None:
        """Wake a waiter; one whose event loop was closed is passed over."""
        while ticket is not None:
            try:
                ticket.wake()
            except RuntimeError:
                with self._lock:
                    ticket = self._out(ticket)
            else:
                return


class _Asking(threading.local):
    """Whether this thread is asking, under a line's lock; and the lines to be nudged after it.

    The lock of another line is never taken under it: that one may be asking too, and want ours.
    """

    nudged: list[Line] | None = None


_asking: Final = _Asking()


def patience(timeout: float | None) -> float:
    """Return a timeout as seconds; `inf` where there is none."""
    if timeout is None:
        return inf
    if timeout != timeout:  # noqa: PLR0124  # NaN, which no clock ever passes
        raise ConfigError(f"timeout must be a number of seconds, not {timeout!r}")
    return timeout


def wait_in_thread(
    line: Line,
    source: Source,
    cost: float,
    timeout: float | None,
    clock: Callable[[], float],
    sleep: Sleep | None,
) -> bool:
    """Block until the cost is granted (True), or it cannot be within `timeout` seconds (False)."""
    deadline = clock() + patience(timeout)
    woken = threading.Event()
    ticket = line.join(source, cost, woken.set)
    try:
        while True:
            woken.clear()
            wait = line.ask(ticket, deadline)
            if wait is None or ticket.granted:
                return ticket.granted
            pause = min(wait, deadline - clock())
            if sleep is None or wait == inf:
                woken.wait(max(0, min(pause, _LONGEST)))
            else:
                sleep(pause)
    finally:
        line.leave(ticket)


async def wait_in_loop(
    line: Line,
    source: Source,
    cost: float,
    timeout: float | None,  # noqa: ASYNC109  # the same verb as `wait_in_thread`
    clock: Callable[[], float],
) -> bool:
    """Do what `wait_in_thread` does, without blocking the event loop."""
    import asyncio

    loop = asyncio.get_running_loop()
    parked: asyncio.Future[None] = loop.create_future()

    def go_on() -> None:
        if not parked.done():
            parked.set_result(None)

    deadline = clock() + patience(timeout)
    ticket = line.join(source, cost, lambda: loop.call_soon_threadsafe(go_on))
    try:
        while True:
            parked = loop.create_future()
            wait = line.ask(ticket, deadline)
            if wait is None or ticket.granted:
                return ticket.granted
            pause = min(wait, deadline - clock())
            # Who is not first and has no deadline needs no timer: it is woken.
            timer = None if pause == inf else loop.call_later(min(pause, _LONGEST), go_on)
            try:
                await parked
            finally:
                if timer is not None:
                    timer.cancel()
    finally:
        line.leave(ticket)
