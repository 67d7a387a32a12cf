"""`Driver`: one timer for everybody who waits, threads and event loops alike.

Law    whoever waits is *parked* under his ticket. While something falls due later, one daemon
       thread sleeps until `next_deadline()`, polls, and wakes those whose verdict is there. What
       is due at once (something was given back, or up) is run by whoever caused it: the next is
       woken without a change of threads. A verdict is delivered once; one that nobody takes any
       more (cancelled, timed out, a closed loop) is given back at once, and goes to the next.
State  when the thread wakes by itself; what was decided and nobody was told yet. The thread belongs
       to no event loop, starts when something is due later, ends when nothing has been for a
       while, and begins anew in a fork.
Cost   a wake-up a poll, whatever the number of waiters; no polling; no kick where the thread is
       early enough anyway.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any, Final, Protocol

from trafficcore.engine.guard import after_fork, living, new_lock
from trafficcore.live.loops import call_in

__all__ = ["Driver", "Queue", "driver_of", "drivers_on"]

log: Final = logging.getLogger("trafficcore.driver")

#: Seconds the thread stays with nothing to wait for: somebody may come.
_IDLE: Final = 5
#: No nap is longer: a clock may be stepped, and a timer takes no more than some years.
_LONGEST: Final = 3600
#: Seconds between two tries where `poll` raises, which it never should.
_RETRY: Final = 1


class Queue(Protocol):
    """What a driver drives: an engine, or anything with its verbs.

    Tickets have `wake` and `verdict`, both None at first; a verdict that can be undone has
    `give_back(now)`, which does nothing the second time.
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

    _thread: threading.Thread | None

    def __init__(self, queue: Queue, clock: Callable[[], float] = time.monotonic) -> None:
        self._queue = queue
        self._clock = clock
        self._lock = new_lock()
        self.after_fork()
        after_fork(self)

    def park_thread(self, ticket: Any, timeout: float | None = None) -> Any:
        """Wait in this thread; return the verdict, or None if `timeout` seconds went by first.

        Whatever interrupts the wait leaves nothing behind. So does `ticket.wake()`, called by
        somebody who has cancelled the ticket: then the answer is None.
        """
        woken = threading.Event()
        ticket.wake = woken.set
        try:
            self.kick()
            # Decided before `wake` was there: then nobody called it, but the verdict is there.
            if ticket.verdict is None and not woken.wait(timeout):
                if self._leave(ticket):
                    return None
                woken.wait()
        except BaseException:
            self._give_up(ticket)
            raise
        return ticket.verdict

    async def park_async(self, ticket: Any, timeout: float | None = None) -> Any:  # noqa: ASYNC109  # the same verb as `park_thread`
        """Wait in the running event loop, as `park_thread` does."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # waits need asyncio: say so, and leave no place behind
            self._give_up(ticket)
            raise
        woken: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            try:
                call_in(loop, _finish, woken)
            except RuntimeError:  # the loop is closed: nobody will ever resume
                self._give_up(ticket)

        ticket.wake = wake
        try:
            self.kick()
            if ticket.verdict is None:
                if timeout is not None:
                    await asyncio.wait((woken,), timeout=timeout)
                    if not woken.done() and self._leave(ticket):
                        return None
                await woken
        except GeneratorExit:
            # Thrown away, perhaps by the collector and so inside any lock: undone at the next run.
            self._orphans.append(ticket)
            raise
        except BaseException:
            self._give_up(ticket)
            raise
        return ticket.verdict

    def kick(self) -> None:
        """Look at the deadlines again: somebody came, left, or gave something back.

        What is due now is run here; the thread is woken only if it would sleep too long.
        """
        if threading.get_ident() in self._running:
            return  # from a wake-up: whoever runs it looks again afterwards
        due = self._due()
        if due <= self._clock():
            self.run(self._clock())
            due = self._due()
        if due < self._armed:
            self._rouse()

    def run(self, now: float) -> None:
        """Poll as of `now` and wake everybody decided, until there is nothing more to decide."""
        me = threading.get_ident()
        if me in self._running:
            return
        self._running.add(me)
        try:
            while True:
                while self._orphans:
                    self._give_up(self._orphans.popleft())
                self._untold.extend(self._queue.poll(now))
                if not self._untold:
                    return
                self._tell()
        finally:
            self._running.discard(me)

    def _tell(self) -> None:
        """Wake whoever was decided; what one raises is his own affair."""
        while self._untold:
            try:
                ticket, verdict = self._untold.popleft()
            except IndexError:  # another thread was faster
                return
            ticket.verdict = verdict
            # After that store: who parks stores `wake` first, and then looks for a verdict.
            wake = ticket.wake
            if wake is not None:
                try:
                    wake()
                except Exception:
                    log.exception("a waiter could not be woken")

    def _leave(self, ticket: Any) -> bool:
        """Give the place up because time is over; False: the verdict has come meanwhile."""
        left = self._queue.cancel(ticket, self._clock())
        if left:
            self.kick()
        return left

    def _give_up(self, ticket: Any) -> None:
        """Leave for good: a place is freed, a verdict that has come or is coming is undone."""
        ticket.wake = lambda: self._undo(ticket.verdict)
        if not self._queue.cancel(ticket, self._clock()):
            self._undo(ticket.verdict)
        self.kick()

    def _undo(self, verdict: Any) -> None:
        give_back = getattr(verdict, "give_back", None)
        if give_back is not None:
            give_back(self._clock())
            self.kick()

    @property
    def clock(self) -> Callable[[], float]:
        """What tells the time here."""
        return self._clock

    def next_deadline(self) -> float:
        """Return when `run` has something to do."""
        return self._due()

    def _due(self) -> float:
        return -inf if self._untold or self._orphans else self._queue.next_deadline()

    def _rouse(self) -> None:
        """Have the thread look again when it must wake; start it if there is none."""
        with self._lock:
            if self._thread is not None:
                self._changed.notify_all()
                return
            thread = threading.Thread(target=self._time, name="trafficcore-timer", daemon=True)
            self._thread = thread
            try:
                thread.start()
            except BaseException:
                self._thread = None
                raise

    def _time(self) -> None:
        """Be the timer: sleep until something is due, run it; end when nothing has been."""
        while self._sleep():
            try:
                self.run(self._clock())
            except Exception:
                log.exception("the queues could not be polled")
                with self._lock:
                    self._changed.wait(_RETRY)

    def _sleep(self) -> bool:
        """Return True when something is due, False when the thread may end."""
        with self._lock:
            while True:
                self._armed = self._due()
                # Who came before that store saw the time before it and roused nobody: look again.
                self._armed = due = self._due()
                wait = due - self._clock()
                if wait <= 0:
                    return True
                if due < inf:
                    self._changed.wait(min(wait, _LONGEST))
                elif not self._changed.wait(_IDLE):
                    self._thread = None
                    self._armed = inf
                    if self._due() == inf:
                        return False
                    self._thread = threading.current_thread()

    def after_fork(self) -> None:
        """In a fork's child: the thread and those who waited are the parent's."""
        self._changed = threading.Condition(self._lock)
        self._thread = None
        self._armed = inf
        self._untold: deque[tuple[Any, Any]] = deque()
        self._orphans: deque[Any] = deque()
        self._running: set[int] = set()


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


def drivers_on(clock: Callable[[], float]) -> list[Driver]:
    """Return every driver whose time is that of `clock`: who moves one by hand runs them."""
    return [driver for driver in living(Driver) if driver.clock is clock]
