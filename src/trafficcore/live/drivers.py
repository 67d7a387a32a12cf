"""`Driver`: one timer for everybody who waits, threads and event loops alike.

Law    whoever waits is *parked* under his ticket. While somebody is, one daemon thread sleeps until
       `next_deadline()`, polls, and wakes those whose verdict is there. A verdict is delivered
       once; one that nobody takes any more (cancelled, timed out, a closed loop) is given back at
       once, and goes to the next.
State  how many are parked, and the thread while there is one. It belongs to no event loop, starts
       with the first waiter, ends when nobody has waited for a while, and begins anew in a fork.
Cost   a wake-up a poll, whatever the number of waiters; no polling.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from math import inf
from typing import Any, Final, Protocol

from trafficcore.engine.guard import after_fork, new_lock

__all__ = ["Driver", "Queue", "driver_of"]

#: Seconds the thread stays after the last waiter has left: another may come.
_IDLE: Final = 5
#: No wait is longer: a clock may be stepped, and a timer takes no more than some years.
_LONGEST: Final = 3600


class Queue(Protocol):
    """What a driver drives: an engine, or anything with its four verbs.

    Tickets have `wake` and `verdict`, both None at first; a verdict that can be undone has
    `give_back(now)`.
    """

    def poll(self, now: float) -> list[tuple[Any, Any]]:
        """Return the tickets whose wait is over, each with its verdict."""
        ...

    def next_deadline(self) -> float:
        """Return when `poll` has something to do."""
        ...

    def cancel(self, ticket: Any, now: float) -> bool:
        """Give a place up; False: there is a verdict, or there will be at once."""
        ...


class Driver:
    """Wakes those who wait in `queue`. Only a driver polls it."""

    def __init__(self, queue: Queue, clock: Callable[[], float] = time.monotonic) -> None:
        self._queue = queue
        self._clock = clock
        self._lock = new_lock()
        self._changed = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._parked = 0
        after_fork(self)

    def park_thread(self, ticket: Any, timeout: float | None = None) -> Any:
        """Wait in this thread; return the verdict, or None if `timeout` seconds went by first."""
        woken = threading.Event()
        if self._park(ticket, woken.set):
            try:
                if not woken.wait(timeout) and self._leave(ticket):
                    return None
                woken.wait()
            except BaseException:
                self._give_up(ticket)
                raise
            finally:
                self._unpark()
        return ticket.verdict

    async def park_async(self, ticket: Any, timeout: float | None = None) -> Any:
        """Wait in the running event loop, as `park_thread` does. A cancelled wait leaves nothing."""
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            loop.call_soon_threadsafe(_finish, woken)

        if self._park(ticket, wake):
            try:
                await asyncio.wait((woken,), timeout=timeout)
                if not woken.done() and self._leave(ticket):
                    return None
                await woken
            except BaseException:
                self._give_up(ticket)
                raise
            finally:
                self._unpark()
        return ticket.verdict

    def kick(self) -> None:
        """Look at the deadlines again: something has changed."""
        with self._lock:
            self._changed.notify_all()

    def _park(self, ticket: Any, wake: Callable[[], Any]) -> bool:
        """Have `wake` called when there is a verdict; False if there is one already."""
        with self._lock:
            if ticket.verdict is not None:
                return False
            ticket.wake = wake
            self._parked += 1
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="trafficcore-timer", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()
            return True

    def _unpark(self) -> None:
        with self._lock:
            self._parked -= 1

    def _leave(self, ticket: Any) -> bool:
        """Give the place up because time is over; False: the verdict has come meanwhile."""
        left = self._queue.cancel(ticket, self._clock())
        if left:
            self.kick()
        return left

    def _give_up(self, ticket: Any) -> None:
        """Leave for good: a place is freed, a verdict that has come or is coming is undone."""
        if self._leave(ticket):
            return
        with self._lock:
            ticket.wake = _refuse_to_wake
            verdict = ticket.verdict
        if verdict is not None:
            self._undo(verdict)

    def _deliver(self, ticket: Any, verdict: Any) -> None:
        with self._lock:
            ticket.verdict = verdict
            wake = ticket.wake
        if wake is None:  # decided before it was parked: whoever parks it finds the verdict
            return
        try:
            wake()
        except Exception:  # noqa: BLE001  # nobody is there any more: a closed loop, a wait given up
            self._undo(verdict)

    def _undo(self, verdict: Any) -> None:
        give_back = getattr(verdict, "give_back", None)
        if give_back is not None:
            give_back(self._clock())
            self.kick()

    def _run(self) -> None:
        """Sleep until something is due, poll, deliver; end when nobody has waited for a while."""
        while self._sleep():
            for ticket, verdict in self._queue.poll(max(self._due, self._clock())):
                self._deliver(ticket, verdict)

    def _sleep(self) -> bool:
        """Return True when a poll is due, False when the thread may end."""
        with self._lock:
            while True:
                self._due = self._queue.next_deadline()
                wait = self._due - self._clock()
                if wait <= 0:
                    return True
                if self._due < inf or self._parked:
                    self._changed.wait(min(wait, _LONGEST))
                elif not self._changed.wait(_IDLE) and not self._parked:
                    self._thread = None
                    return False

    def after_fork(self) -> None:
        """In a fork's child: the thread and those who waited are the parent's."""
        self._changed = threading.Condition(self._lock)
        self._thread = None
        self._parked = 0


class _GaveUpError(Exception):
    """Nobody takes the verdict."""


def _refuse_to_wake() -> None:
    raise _GaveUpError


def _finish(woken: "asyncio.Future[None]") -> None:
    if not woken.done():
        woken.set_result(None)


_making = new_lock()


def driver_of(engine: Any, clock: Callable[[], float] = time.monotonic) -> Driver:
    """Return the one driver of an engine, whichever shells share it."""
    driver: Driver | None = engine.driver
    if driver is None:
        with _making:
            driver = engine.driver
            if driver is None:
                driver = engine.driver = Driver(engine, clock)
    return driver
