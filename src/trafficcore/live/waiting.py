"""Line: those who wait for tokens, in the order in which they came; threads and tasks alike.

Law     Only the first in line asks the bucket, at the time the bucket named; who comes later asks
        when it has become first. A grant is taken by the waiter itself, in one step with leaving
        the line, so one that gives up has taken nothing and there is nothing to give back.
State   A deque of tickets; its head is never one that has left. Whoever holds the deque sees by
        its truth whether anybody waits: then nobody may go past them.
Cost    O(1) to join and to leave (a ticket in the middle stays until it is first); one wake-up a
        grant, however many wait.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from math import inf
from typing import Any, Final

__all__ = ["Line", "Sleep", "wait_in_loop", "wait_in_thread"]

#: Stands in for waiting where a test has no time: called with the seconds there are to wait.
Sleep = Callable[[float], Any]
#: Timers take no more than some years; waking in vain once a day costs nothing.
_LONGEST: Final = 86_400
#: Seconds after which to ask again where a bucket refused what it seems to have: another process
#: that shares it gave tokens back meanwhile, or is stopped in the middle of a decision.
_AGAIN: Final = 0.001


class Ticket:
    """One place in line."""

    __slots__ = ("cost", "gone", "wake")

    def __init__(self, cost: float, wake: Callable[[], Any]) -> None:
        self.cost = cost
        self.wake = wake
        self.gone = False


class Line:
    """Waiters for one bucket. Every method is *guarded* by the lock handed in.

    `take(now, cost)` takes tokens if they are there, whoever waits; `earliest(now, cost)` says
    when they will be.
    """

    __slots__ = ("_clock", "_earliest", "_lock", "_take", "ahead", "tickets", "users")

    def __init__(
        self,
        clock: Callable[[], float],
        take: Callable[[float, float], bool],
        earliest: Callable[[float, float], float],
        lock: AbstractContextManager[Any],
    ) -> None:
        self._clock = clock
        self._take = take
        self._earliest = earliest
        self._lock = lock
        self.tickets: deque[Ticket] = deque()
        #: What those in line want, in all.
        self.ahead: float = 0
        #: For an owner with many lines: who still refers to this one.
        self.users = 0

    @property
    def waiting(self) -> int:
        """How many are in line."""
        return sum(not ticket.gone for ticket in self.tickets)

    def join(self, cost: float, wake: Callable[[], Any]) -> Ticket:
        """Take the last place; `wake()` is called when it has become the first."""
        ticket = Ticket(cost, wake)
        with self._lock:
            self.tickets.append(ticket)
            self.ahead += cost
        return ticket

    def ask(self, ticket: Ticket) -> float:
        """Return the seconds until it is worth asking again.

        0: granted, and out of the line. `inf`: not first; `wake` will say.
        """
        with self._lock:
            if self.tickets[0] is not ticket:
                return inf
            now = self._clock()
            if not self._take(now, ticket.cost):
                wait = self._earliest(now, ticket.cost) - now
                return wait if wait > 0 else _AGAIN
            following = self._out(ticket)
        self._wake(following)
        return 0

    def leave(self, ticket: Ticket) -> None:
        """Give the place up; does nothing where it has been left before."""
        with self._lock:
            following = self._out(ticket)
        self._wake(following)

    def nudge(self) -> None:
        """Have the first in line ask again: tokens came back."""
        with self._lock:
            first = self.tickets[0] if self.tickets else None
        self._wake(first)

    def clear(self) -> None:
        """Forget everybody: after a fork, those who wait are in the other process."""
        self.tickets.clear()
        self.ahead = 0

    def _out(self, ticket: Ticket) -> Ticket | None:
        """Take a ticket out; return the one that has become first by it."""
        if ticket.gone:
            return None
        ticket.gone = True
        self.ahead -= ticket.cost
        tickets = self.tickets
        if not tickets or tickets[0] is not ticket:
            return None
        while tickets and tickets[0].gone:
            tickets.popleft()
        if not tickets:
            self.ahead = 0  # and no rounding stays behind
            return None
        return tickets[0]

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


def wait_in_thread(
    line: Line, cost: float, patience: float, clock: Callable[[], float], sleep: Sleep | None
) -> bool:
    """Block until the cost is granted (True), or it cannot be within `patience` seconds (False)."""
    deadline = clock() + patience
    woken = threading.Event()
    ticket = line.join(cost, woken.set)
    try:
        while True:
            woken.clear()
            wait = line.ask(ticket)
            if not wait:
                return True
            pause = _pause(wait, deadline - clock())
            if pause is None:
                return False
            if sleep is None or wait == inf:
                woken.wait(min(pause, _LONGEST))
            else:
                sleep(pause)
    finally:
        line.leave(ticket)


async def wait_in_loop(
    line: Line, cost: float, patience: float, clock: Callable[[], float]
) -> bool:
    """Do what `wait_in_thread` does, without blocking the event loop."""
    import asyncio

    loop = asyncio.get_running_loop()
    parked: asyncio.Future[None] = loop.create_future()

    def go_on() -> None:
        if not parked.done():
            parked.set_result(None)

    deadline = clock() + patience
    ticket = line.join(cost, lambda: loop.call_soon_threadsafe(go_on))
    try:
        while True:
            parked = loop.create_future()
            wait = line.ask(ticket)
            if not wait:
                return True
            pause = _pause(wait, deadline - clock())
            if pause is None:
                return False
            timer = loop.call_later(min(pause, _LONGEST), go_on)
            try:
                await parked
            finally:
                timer.cancel()
    finally:
        line.leave(ticket)


def _pause(wait: float, left: float) -> float | None:
    """Return how long to pause; None where it would end too late."""
    if left <= 0 or left < wait < inf:
        return None
    return wait if wait < left else left
