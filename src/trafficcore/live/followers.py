"""Followers: lines elsewhere that want to know when a limiter has tokens earlier than it said."""

import weakref

from trafficcore.live.waiting import Line

__all__ = ["Followers"]


class Followers:
    """Lines, for as long as they live."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines: weakref.WeakSet[Line] = weakref.WeakSet()

    def add(self, line: Line) -> None:
        """Have a line nudged from now on."""
        self._lines.add(line)

    def ring(self) -> None:
        """Have the first in each line ask again."""
        for line in list(self._lines):
            line.nudge()
