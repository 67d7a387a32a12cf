"""Line: those who wait for tokens, in the order in which they came; threads and tasks alike.

Law     Only the first in line asks the bucket, at the time the bucket named; who comes later asks
        when it has become first. A grant is taken by the waiter itself, in one step with leaving
        the line, so one that gives up has taken nothing and there is nothing to give back. Nobody
        is granted anything after the deadline it came with. A place may be held for a reservation:
        it takes its tokens as soon as it is first, and nobody needs to be woken for it. One whose
        event loop does not run is passed over; should it run again, it goes to the end of the line.
State   A deque of tickets; its head is never one that has left, nor a place held. Whoever holds the
        deque sees by its truth whether anybody waits: then nobody may go past them.
Cost    O(1) to join and to leave (those who left from the middle are swept out when they are the
        most); two questions a grant, however many wait.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from math import inf, isnan
from typing import Any, Final, Protocol

from trafficcore.errors import ConfigError
from trafficcore.live.watch import Watch

__all__ = ["AT_MOST", "Line", "Sleep", "Source", "Ticket", "patience"]

#: Stands in for waiting where a test has no time: called with the seconds there are to wait.
Sleep = Callable[[float], Any]
#: Timers take no more than some years; waking in vain once a day costs nothing.
AT_MOST: Final = 86_400
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
    """One place in line: of somebody who waits, or held for a reservation (`fold`).

    `loop` is the event loop that has to run for it to go on, None for a thread; `due` is when it
    asks again, once it is first.
    """

    __slots__ = ("cost", "due", "fold", "gone", "granted", "loop", "source", "wake")

    def __init__(
        self,
        source: Source | None,
        cost: float,
        wake: Callable[[], Any],
        fold: Callable[[], Any] | None = None,
        loop: Any = None,
    ) -> None:
        self.loop = loop
        self.due: float = 0
        self.source: Any = source
        self.cost = cost
        self.wake = wake
        self.fold = fold
        self.gone = False
        self.granted = False


class Line:
    """Waiters for one bucket, or for several together. Locks for itself."""

    __slots__ = (
        "__weakref__", "_clock", "_gone", "_homes", "_lock", "_watch", "ahead", "tickets", "users",
        "waiting",
    )  # fmt: skip

    def __init__(self, clock: Callable[[], float], lock: AbstractContextManager[Any]) -> None:
        self._clock = clock
        self._lock = lock
        self._gone = 0
        #: The loops that those in line wait in, None for threads; while there are several the
        #: first is watched, for another may have to go on where its loop does not run any more.
        self._homes: set[Any] = set()
        self._watch: Watch | None = None
        self.tickets: deque[Ticket] = deque()
        #: What those in line want, in all.
        self.ahead: float = 0
        #: How many wait.
        self.waiting = 0
        #: For an owner with many lines: who still refers to this one.
        self.users = 0

    def join(
        self, source: Source, cost: float, wake: Callable[[], Any], loop: Any = None
    ) -> Ticket:
        """Take the last place; `wake()` is called when it has become the first."""
        ticket = Ticket(source, cost, wake, loop=loop)
        with self._lock:
            self._append(ticket)
            mixed = len(self._homes) > 1
        if mixed:
            self._kick()
        return ticket

    def _append(self, ticket: Ticket) -> None:
        self.tickets.append(ticket)
        self.ahead += ticket.cost
        self.waiting += 1
        self._homes.add(ticket.loop)

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
                if ticket.gone:  # passed over, and its loop runs again
                    ticket.gone = False
                    self._append(ticket)
                first = self.tickets[0] is ticket
                if now > deadline or (now == deadline and not first):
                    return None
                if not first:
                    return inf
                if not ticket.source.try_acquire(now, ticket.cost):
                    due: float = ticket.source.earliest(now, ticket.cost)
                    if due <= now:
                        due = now + _AGAIN
                    ticket.due = due
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
        self._homes.clear()
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
        self._homes.clear()
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
        """Wake a waiter; one whose event loop does not run is passed over."""
        while ticket is not None:
            if len(self._homes) > 1:
                ticket.due = self._clock()
            if ticket.loop is None or ticket.loop.is_running():
                try:
                    ticket.wake()
                except RuntimeError:  # closed since
                    pass
                else:
                    return
            ticket = self._pass_over(ticket)

    def _pass_over(self, ticket: Ticket) -> Ticket | None:
        """Take one out that may come back; return the one that has become first by it."""
        with self._lock:
            following = self._out(ticket)
        with suppress(RuntimeError):  # its loop is closed: it never will
            ticket.wake()
        return following

    def _kick(self) -> None:
        """Have the first watched, where its loop may stop and others wait elsewhere."""
        if self._watch is None:
            self._watch = Watch(self, self._clock, self._lock)
        self._watch.kick()

    def watched(self) -> Ticket | None:
        """Return the first, where its loop may stop and others wait elsewhere. *Guarded*."""
        first = self.tickets[0] if self.tickets and len(self._homes) > 1 else None
        return first if first is not None and first.loop is not None else None

    def skip(self, ticket: Ticket) -> None:
        """Let the next go on in the place of one whose loop does not run."""
        self._wake(self._pass_over(ticket))


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
    try:
        known = not isnan(timeout)  # no clock ever passes it
    except TypeError:
        known = False
    if not known:
        raise ConfigError(f"timeout must be a number of seconds, not {timeout!r}")
    return timeout
