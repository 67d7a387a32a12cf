"""Desk: where tokens of one bucket are reserved, given back, corrected and asked after.

Law     Who waits or has reserved is ahead of who comes later. A reservation made while others wait
        holds a place behind them, and is told the time by which all of them can have been served.
State   The line of those who wait, and the book of what is reserved.
Cost    All of it under the handle's lock: this is what the fast path is spared.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from math import inf
from typing import Any

from trafficcore.core.limit import Bookings, Bucket
from trafficcore.core.limit.amounts import check_amount, check_cost, checked
from trafficcore.live.reservation import Reservation
from trafficcore.live.waiting import Line, patience

__all__ = ["Desk"]


class Desk:
    """For one bucket; `shared`: other processes have desks for it too.

    `ring()` is called when tokens may have come earlier than was said.
    """

    __slots__ = ("_bookings", "_bucket", "_clock", "_lock", "_ring", "line")

    def __init__(
        self,
        bucket: Bucket,
        clock: Callable[[], float],
        lock: AbstractContextManager[Any],
        ring: Callable[[], Any],
        *,
        shared: bool,
    ) -> None:
        self._bucket = bucket
        self._clock = clock
        self._lock = lock
        self._ring = ring
        self._bookings = Bookings(bucket, shared=shared)
        self.line = Line(clock, lock)

    @property
    def idle(self) -> bool:
        """Whether nobody waits, and all that is reserved is past."""
        return not self.line.tickets and not self._bookings.ahead(self._clock())

    def reserve(self, cost: float, timeout: float | None) -> Reservation | None:
        """Take `cost` tokens for the first time there is; None: not within `timeout` seconds."""
        check_cost(cost, self._bucket.capacity)
        most = patience(timeout)
        with self._lock:
            now = self._clock()
            if self.line.tickets:
                return self._behind_the_line(now, cost, now + most)
            booking = self._bookings.reserve(now, cost, now + most)
            if booking is None:
                return None
            made = Reservation(self, cost, booking.at, booking.at - now)
            made.booking = booking
            return made

    def _behind_the_line(self, now: float, cost: float, latest: float) -> Reservation | None:
        at = self._bookings.due(now, self.line.ahead + cost)
        if at > latest or at == inf:
            return None
        made = Reservation(self, cost, at, at - now)

        def fold() -> None:
            made.ticket = None
            made.booking = self._bookings.reserve(self._clock(), cost, start=at)
            if made.booking is None:  # the capacity has become less: then it is a debt
                self._bookings.charge(cost, at)
            self._settle(made, made.cost - cost)

        made.ticket = self.line.hold(cost, fold)
        return made

    def cancel(self, reservation: Reservation) -> float:
        """Give a reservation back before its time; return how many tokens came of it."""
        with self._lock:
            back = self.take_back(reservation)
        self.nudge()
        return back

    def take_back(self, reservation: Reservation) -> float:
        """Do so and nudge nobody. *Guarded*."""
        now = self._clock()
        if now > reservation.at or not reservation.open:
            return 0
        reservation.open = False
        if reservation.ticket is not None:  # nothing had been taken yet
            self.line.leave(reservation.ticket)
            return reservation.cost
        if reservation.booking is None:
            return 0
        return self._bookings.cancel(reservation.booking, now)

    def restate(self, reservation: Reservation, actual: float) -> None:
        """Have a reservation be of `actual` tokens: more is a debt, less comes back.

        A place behind those who wait is told so: it is settled when its tokens are taken.
        """
        with self._lock:
            self.put_right(reservation, actual)
        self.nudge()

    def put_right(self, reservation: Reservation, actual: float) -> None:
        """Do so and nudge nobody. *Guarded*."""
        if not reservation.open:
            return
        more, reservation.cost = actual - reservation.cost, actual
        if reservation.ticket is not None:
            self.line.restate(reservation.ticket, actual)
        else:
            self._settle(reservation, more)

    def _settle(self, reservation: Reservation, more: float) -> None:
        now = self._clock()
        if reservation.booking is not None:
            self._bookings.correct(reservation.booking, reservation.cost, now)
        elif more > 0:
            self._bookings.charge(more, now)
        elif more < 0:
            self._bookings.refund(-more, now)

    def earliest(self, cost: float) -> float:
        """Return the time from which `cost` can be granted, behind those who wait."""
        check_cost(cost, self._bucket.capacity)
        with self._lock:
            now = self._clock()
            ahead = self.line.ahead
            if ahead:
                return self._bucket.due(now, ahead + cost)
            return self._bucket.earliest(now, cost)

    def refund(self, cost: float) -> None:
        """Give tokens back, never above the capacity."""
        check_amount(cost)
        with self._lock:
            self._bookings.refund(cost, self._clock())
        self.nudge()

    def correct(self, estimated: float, actual: float) -> None:
        """Settle what a call was taken for against what it used."""
        missing = checked("actual", actual) - checked("estimated", estimated)
        with self._lock:
            if missing > 0:
                self._bookings.charge(missing, self._clock())
        if missing < 0:
            self.refund(-missing)

    def follow(self) -> None:
        """Go on with the settings that the bucket has been given. *Guarded*."""
        self._bookings.follow(self._clock())

    def nudge(self) -> None:
        """Have those ask again who wait here, or for this bucket and others together."""
        if self.line.tickets:
            self.line.nudge()
        self._ring()
