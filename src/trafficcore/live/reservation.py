"""Reservation: tokens that are taken, and the time from which they may be used."""

from typing import Protocol

from trafficcore.core.limit.amounts import checked
from trafficcore.core.limit.bookings import Booking
from trafficcore.live.waiting import Ticket

__all__ = ["Reservation"]


class _Desk(Protocol):
    """Where a reservation is given back and corrected."""

    def cancel(self, reservation: "Reservation") -> float: ...

    def restate(self, reservation: "Reservation", actual: float) -> None: ...


class Reservation:
    """`cost` tokens, for use from `at` on (on the limiter's clock), `delay` seconds after asking.

        turn = limiter.reserve(timeout=5)
        await asyncio.sleep(turn.delay)

    They are taken already: who comes later is behind. Whoever does not want them any more says
    `cancel()`; whoever learns what was really used says `correct(actual)`.
    """

    __slots__ = ("at", "booking", "cost", "delay", "desk", "open", "ticket")

    def __init__(self, desk: _Desk, cost: float, at: float, delay: float) -> None:
        self.desk = desk
        self.cost = cost
        self.at = at
        self.delay = delay
        #: What it is in the bucket's book; before that, its place behind those who wait.
        self.booking: Booking | None = None
        self.ticket: Ticket | None = None
        self.open = True

    def __repr__(self) -> str:
        return f"<Reservation of {self.cost!r} at {self.at!r}>"

    def cancel(self) -> float:
        """Give back what has not been used, and return how many tokens came of it.

        Where `at` is past they count as used, and nothing comes back; so the second time. Who
        reserved later keeps the time that was named; what a full bucket would have spilt until
        then does not come back either.
        """
        return self.desk.cancel(self)

    def correct(self, actual: float) -> None:
        """Say what was really used: more is a debt, less comes back. Then that is the `cost`.

        Does nothing where it has been cancelled. A place behind those who wait is corrected when
        its tokens are taken.
        """
        self.desk.restate(self, checked("actual", actual))
