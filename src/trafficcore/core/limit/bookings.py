"""Bookings: tokens reserved ahead, in a bucket that can take them back.

Law     A bucket that holds reservations knows one number: what is left when all of them have been
        used. Giving one back is not always giving its tokens back: those that a full bucket would
        have spilt meanwhile are lost, and who reserved later keeps the time that was named. So the
        bucket is recounted from what is past, reservation by reservation,
            level(at) = min(capacity, level + rate * (at - before)) - cost,
        with and without the one given up; what is left at the end for who comes later, less what
        comes in until then, is the bucket's number, and its difference is what comes back. Then
        the bucket is where it would be had that one never been made. Nobody is given a time
        before that of who reserved earlier.
State   The reservations not yet past, in order, each with the level it leaves behind; level and
        time of the last one that is past, or of the last debt. Of a bucket with other books
        (`shared`), what they take is not seen here: where it owes more than this book knows of,
        others have reserved ahead, and nothing comes back: never too much. Of any other, what was
        taken past the book is seen when the book is next asked, and is a use as of then.
Cost    O(1) to reserve; to give back, one step for each reservation behind it.
Twin    tests/model/bookings.py
"""

from bisect import bisect_left, bisect_right
from math import inf
from operator import attrgetter
from typing import Final

from trafficcore.core.limit.bucket import Bucket

__all__ = ["Booking", "Bookings"]

#: Tokens that rounding may lose or find: what a bucket owes beyond them was taken by others.
_CRUMB: Final = 1 / 64

_at = attrgetter("at")


class Booking:
    """`cost` tokens for use from `at` on; `level` is what they leave behind."""

    __slots__ = ("at", "cost", "level", "open")

    def __init__(self, at: float, cost: float) -> None:
        self.at = at
        self.cost = cost
        self.level: float = 0
        self.open = True


class Bookings:
    """Reserves in a bucket, and gives back. *Guarded*, every method, by the bucket's owner.

    Refunds and debts of a bucket with reservations ahead go through here too.
    """

    __slots__ = (
        "_behind", "_bucket", "_capacity", "_entries", "_foreign", "_last", "_level", "_rate",
        "_shared",
    )  # fmt: skip

    def __init__(self, bucket: Bucket, *, shared: bool = False) -> None:
        self._bucket = bucket
        self._shared = shared
        #: Whether others have taken of a shared bucket since there were reservations in this book.
        self._foreign = False
        #: Whether others had reserved ahead before the first of them.
        self._behind = False
        self._capacity = bucket.capacity
        self._rate = bucket.rate
        self._entries: list[Booking] = []
        self._level: float = 0
        self._last: float = 0

    def ahead(self, now: float) -> int:
        """Return how many reservations are still to come."""
        self._look(now)
        return len(self._entries)

    def due(self, now: float, cost: float) -> float:
        """Return the time by which `cost` tokens have come in beside all that is reserved."""
        due = self._bucket.due(now, cost)
        return max(due, self._entries[-1].at) if self._entries else due

    def reserve(
        self, now: float, cost: float, latest: float = inf, *, start: float | None = None
    ) -> Booking | None:
        """Take `cost` tokens now, for the first time from `start` on; None: not by `latest`."""
        self._look(now)
        if start is None:
            start = now
        if self._entries and self._bucket.due(start, cost) < self._entries[-1].at:
            start = self._entries[-1].at
        behind = not self._entries and self._owed_by_others(now)
        at = self._bucket.reserve(start, cost, latest)
        if at == inf:
            return None
        booking = Booking(at, cost)
        if at > now:
            if not self._entries:
                self._behind = behind
                self._level = self._bucket.level_at(at) + cost
                self._last = at
            self._insert(booking)
        return booking

    def cancel(self, booking: Booking, now: float) -> float:
        """Give a booking back, and return how many tokens came of it.

        0 where its time is past, or it was given back before.
        """
        if now > booking.at or not booking.open:
            return 0
        booking.open = False
        self._look(now)
        entries = self._entries
        if booking not in entries:  # its time is this very moment
            return self.refund(booking.cost, now) if booking.cost else 0
        before = self._free(now)
        place = entries.index(booking)
        lost = self._lost(now, place)
        del entries[place]
        self._recount(place)
        back = self._free(now) - before
        if back <= 0 or lost:
            return 0
        self._bucket.refund(back, now)
        return back

    def correct(self, booking: Booking, cost: float, now: float) -> None:
        """Have a booking be of `cost` tokens: more is a debt, less comes back as by `cancel`."""
        more = cost - booking.cost
        if not more or not booking.open:
            return
        self._look(now)
        booking.cost = cost
        if booking not in self._entries:
            if more > 0:
                self.charge(more, now)
            else:
                self.refund(-more, now)
            return
        before = self._free(now)
        place = self._entries.index(booking)
        unknown, lost = self._unknown(now), self._lost(now, place)
        self._recount(place)
        back = self._free(now) - before
        if more > 0:
            # What would have been spilt anyway is no debt, unless others took it.
            lacking = more if unknown else -back
            if lacking > 0:
                self._bucket.charge(lacking, now)
        elif back > 0 and not lost:
            self._bucket.refund(back, now)

    def refund(self, cost: float, now: float) -> float:
        """Give `cost` tokens back to the bucket; return how many of them count in the end."""
        self._look(now)
        if not self._entries:
            level = self._bucket.level_at(now)
            if self._owed_by_others(now):
                return 0
            self._bucket.refund(cost, now)
            self._level, self._last = self._bucket.level_at(now), now
            return min(cost, self._bucket.capacity - level)
        if self._lost(now):
            return 0
        before = self._free(now)
        self._insert(Booking(now, -cost))
        back = self._free(now) - before
        if back > 0:
            self._bucket.refund(back, now)
        return back

    def charge(self, cost: float, now: float) -> None:
        """Take `cost` tokens from the bucket, there or not."""
        self._look(now)
        if self._entries:
            self._insert(Booking(now, cost))
        else:
            level = self._bucket.level_at(now)
            if level >= 0 or not self._unknown(now):
                self._level, self._last = level - cost, now
        self._bucket.charge(cost, now)

    def follow(self, now: float) -> None:
        """Go on with the settings that the bucket has been given.

        Times that were named stay. The level is scaled as the bucket's is, counted without what
        is reserved: that has not been used yet.
        """
        self._look(now)
        capacity, rate = self._bucket.capacity, self._bucket.rate
        level = self._fill(self._level, self._last, now)
        if level > 0:
            level = level * capacity / self._capacity
        self._level, self._last = level, now
        self._capacity, self._rate = capacity, rate
        if self._entries:
            self._recount(0)
            lacking = self._bucket.level_at(now) - self._free(now)
            if lacking > 0:
                self._bucket.charge(lacking, now)
            elif lacking < 0:
                self._bucket.refund(-lacking, now)

    def _insert(self, booking: Booking) -> None:
        place = bisect_right(self._entries, booking.at, key=_at)
        self._entries.insert(place, booking)
        self._recount(place)

    def _recount(self, place: int) -> None:
        """Work out the levels from a place on, anew."""
        entries = self._entries
        level, last = self._level, self._last
        if place:
            level, last = entries[place - 1].level, entries[place - 1].at
        for i in range(place, len(entries)):
            entry = entries[i]
            level = min(self._capacity, self._fill(level, last, entry.at) - entry.cost)
            entry.level, last = level, entry.at

    def _free(self, now: float) -> float:
        """Return the level that is left at `now` for who comes later; below 0 it is a debt."""
        if not self._entries:
            return self._fill(self._level, self._last, now)
        last = self._entries[-1]
        return last.level - (last.at - now) * self._rate

    def _owed_by_others(self, now: float) -> bool:
        """Return whether others have reserved ahead, where there is nothing in this book."""
        return self._bucket.level_at(now) < -_CRUMB and self._unknown(now)

    def _lacking(self, now: float) -> float:
        """Return how much less the bucket has than this book knows of."""
        return self._free(now) - self._bucket.level_at(now)

    def _unknown(self, now: float) -> bool:
        """Return whether the bucket owes what others took, as far as can be seen from here."""
        return self._foreign or (self._shared and self._lacking(now) > _CRUMB)

    def _lost(self, now: float, place: int = -1) -> bool:
        """Return whether nothing may come back, but for undoing the very last (at `place`)."""
        return self._unknown(now) or (self._behind and place != len(self._entries) - 1)

    def _fill(self, level: float, last: float, now: float) -> float:
        return min(self._capacity, level + (now - last) * self._rate)

    def _look(self, now: float) -> None:
        """Forget what is past, but for the level it leaves to what is to come; see what was taken.

        What the bucket lacks was taken past the book: a use as of now, which is late, if at all,
        and so never frees too much. It costs who comes later less where a full bucket would have
        spilt it anyway.
        """
        entries = self._entries
        if not entries:
            return
        # Where the last one's time has come, the bucket knows it all.
        past = bisect_left(entries, now, key=_at) if entries[-1].at > now else len(entries)
        if past:
            self._level, self._last = entries[past - 1].level, entries[past - 1].at
            del entries[:past]
        if not entries:
            self._foreign = self._behind = False
            return
        taken = self._lacking(now)
        if taken <= _CRUMB:
            return
        if self._shared:
            self._foreign = True
        else:
            self._insert(Booking(now, taken))
            spilt = self._lacking(now)
            if spilt > 0:
                self._bucket.refund(spilt, now)
