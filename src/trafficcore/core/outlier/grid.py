"""Sweeps on a fixed grid of deadlines, run late by whoever comes by, each as of its own deadline.

Law     deadline(k) = start + k * interval. A sweep that was missed is carried out as of its
        deadline. Where nothing was counted, sweeps change nothing but multipliers until the
        first return is due: those are stepped over in one.
Cost    O(endpoints) a sweep; a gap of any length costs a few sweeps.
"""

import math
from collections.abc import Callable
from typing import Final

__all__ = ["Grid", "catch_up", "passed", "reached"]

#: On floats two sums of the same times may differ in their last bits; Envoy counts whole
#: milliseconds. So a float within a microsecond of a deadline is at it. Exact numbers get none.
SLACK: Final = 1e-6


def reached(now: float, deadline: float) -> bool:
    """Whether `now` is at or past a deadline."""
    return now >= deadline or (isinstance(now, float) and now + SLACK >= deadline)


def passed(now: float, deadline: float) -> bool:
    """Whether `now` is past a deadline, and not just at it."""
    return now > deadline + (SLACK if isinstance(now, float) else 0)


class Grid:
    """The deadlines of sweeps, from the first `now` seen on."""

    __slots__ = ("interval", "next", "start", "turn")

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self.start: float | None = None
        #: The number of the next sweep, and its deadline.
        self.turn = 1
        self.next: float = math.inf

    def begin(self, now: float) -> None:
        """Start the grid at `now`, unless it has started."""
        if self.start is None:
            self.restart(now)

    def restart(self, now: float) -> None:
        """Lay the grid anew, from `now` on."""
        self.start = now
        self.turn = 1
        self.next = self.deadline(1)

    def change(self, interval: float, now: float) -> None:
        """Take another interval: the next sweep is that long after the last, but not before now."""
        if interval == self.interval:
            return
        if self.start is None:
            self.interval = interval
            return
        last = self.deadline(self.turn - 1)
        self.interval = interval
        self.restart(max(last, now - interval))

    def stop(self) -> None:
        """Have no deadline until the next `begin`."""
        self.start = None
        self.next = math.inf

    def deadline(self, turn: int) -> float:
        """Return the deadline of a sweep by its number (the grid has started)."""
        start: float = self.start  # type: ignore[assignment]
        return start + turn * self.interval

    def index(self, moment: float) -> int:
        """Return the number of the last deadline at or before `moment`."""
        start: float = self.start  # type: ignore[assignment]
        turn = int((moment - start) // self.interval)
        # A float quotient may be off by one.
        if self.deadline(turn) > moment:
            return turn - 1
        return turn + 1 if self.deadline(turn + 1) <= moment else turn

    def after(self, moment: float, *, strictly: bool = False) -> float:
        """Return the first deadline to come that is at or past `moment`, or strictly past it."""
        there = passed if strictly else reached
        turn = self.index(moment)
        while not there(self.deadline(turn), moment):
            turn += 1
        return self.deadline(max(turn, self.turn))

    def step(self, turns: int = 1) -> None:
        """Go on by so many sweeps."""
        self.turn += turns
        self.next = self.deadline(self.turn)


def catch_up(
    grid: Grid,
    now: float,
    sweep: Callable[[float], bool],
    earliest: Callable[[float], float],
    idle: Callable[[int], None],
) -> None:
    """Run every sweep that is due by `now`, in order, each as of its deadline.

    `sweep(at)` runs one and says whether anything was counted in its interval. After one where
    nothing was, `earliest(at)` says before which moment further sweeps return nobody (`at` or
    earlier: don't step over any), and `idle(turns)` does to the multipliers what so many do.
    """
    while grid.next <= now:
        at = grid.next
        busy = sweep(at)
        grid.step()
        if busy or grid.next > now:
            continue
        moment = earliest(at)
        turn = grid.index(now) + 1 if moment > now else grid.index(moment)
        if turn > grid.turn:
            idle(turn - grid.turn)
            grid.step(turn - grid.turn)
