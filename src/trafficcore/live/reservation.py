"""Reservation: tokens that are taken, and the time from which they may be used."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from trafficcore.core.limit.amounts import checked
from trafficcore.core.limit.bookings import Booking
from trafficcore.live.waiting import Ticket

if TYPE_CHECKING:
    from trafficcore.live.desk import Desk

__all__ = ["Reservation"]


class Reservation:
    """`cost` tokens, for use from `at` on (on the limiter's clock), `delay` seconds after asking.

        turn = limiter.reserve(timeout=5)
        await asyncio.sleep(turn.delay)

    They are taken already: who comes later is behind. Whoever does not want them any more says
    `cancel()`; whoever learns what was really used says `correct(actual)`.
    """

    __slots__ = ("_desk", "_late", "at", "booking", "cost", "delay", "open", "ticket")

    def __init__(self, desk: "Desk", cost: float, at: float, delay: float) -> None:
        self._desk = desk
        self.cost = cost
        self.at = at
        self.delay = delay
        #: What it is in the bucket's book; before that, its place behind those who wait.
        self.booking: Booking | None = None
        self.ticket: Ticket | None = None
        self.open = True
        #: Whether it was corrected before its tokens were taken.
        self._late = False

    def __repr__(self) -> str:
        return f"<Reservation of {self.cost!r} at {self.at!r}>"

    def cancel(self) -> float:
        """Give back what has not been used, and return how many tokens came of it.

        Where `at` is past they count as used, and nothing comes back; so the second time. Who
        reserved later keeps the time that was named; what a full bucket would have spilt until
        then does not come back either.
        """
        return self._desk.cancel(self)

    def correct(self, actual: float) -> None:
        """Say what was really used: more is a debt, less comes back. Then that is the `cost`.

        Does nothing where it has been cancelled. A place behind those who wait is corrected when
        its tokens are taken.
        """
        checked("actual", actual)
        desk = self._desk
        with desk._lock:  # noqa: SLF001  # the desk's own part
            if not self.open:
                return
            more, self.cost = actual - self.cost, actual
            if self.ticket is not None:
                fold = self.ticket.fold
                if fold is not None and not self._late:
                    self._late = True
                    self.ticket.fold = partial(self._fold, fold, self.cost - more)
                return
            self._settle(more)
        desk.nudge()

    def _fold(self, fold: Callable[[], object], first: float) -> None:
        fold()
        self._settle(self.cost - first)

    def _settle(self, more: float) -> None:
        bookings, now = self._desk._bookings, self._desk._clock()  # noqa: SLF001
        if self.booking is not None:
            bookings.correct(self.booking, self.cost, now)
        elif more > 0:
            bookings.charge(more, now)
        elif more < 0:
            bookings.refund(-more, now)
