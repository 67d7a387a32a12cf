"""Which results count now: those of a time, a number, or all.

Law     time: a result in bucket i counts while bucket(now) - i < n, buckets on whole multiples of
        size / n. Count: the last n. Cumulative: all since `clear`.
State   what left the breaker's own counters: a ring of parts, and their running sums. Evicting
        subtracts; reading works out what would be evicted and evicts nothing, so that the next
        record finds the turn and looks at the rules.
Cost    O(1) amortised a turn, but for the shift of a short list; O(buckets) a read that finds the
        ring out of date.
Source  rules R9 to R11.

Every window answers the same calls. `fresh` is what the breaker has counted since the last turn.
`until` is how long results may be counted there without a turn, `good_until` the same for good
ones; `direct` windows want every other result one by one, under the lock, through `add`.
"""

import math
from collections import deque
from typing import Final

from trafficcore.core.breaker.counts import NOTHING, Tally, add
from trafficcore.core.breaker.settings import Count, Time, Window

__all__ = ["AnyWindow", "CountWindow", "CumulativeWindow", "TimeWindow", "make_window"]

_EVER: Final = math.inf


def _subtract(a: Tally, b: Tally, times: int = 1) -> Tally:
    """Take `b` out of `a`. What is empty is exactly 0, whatever rounding left behind."""
    total = a[0] - b[0] * times
    if not total:
        return NOTHING
    return (
        total,
        a[1] - b[1] * times,
        a[2] - b[2] * times,
        a[3] - b[3] * times,
        a[4] - b[4] * times,
        a[5] - b[5] * times,
    )


class TimeWindow:
    """A ring of the buckets that are over and not empty, oldest first."""

    __slots__ = (
        "_buckets",
        "_index",
        "_ring",
        "_step",
        "direct",
        "evicted",
        "good_until",
        "kept",
        "until",
    )

    def __init__(self, window: Time, now: float) -> None:
        size, buckets = window.size, window.buckets
        whole = isinstance(size, int) and size % buckets == 0
        self._step: float = size // buckets if whole else size / buckets
        self._buckets = buckets
        self.direct = window.attribute == "start"
        self.evicted = 0
        self.clear(now)

    def clear(self, now: float) -> None:
        """Forget everything; the present bucket is that of `now`."""
        #: A list: an empty deque takes ten times the room, and there are breakers by the thousand.
        self._ring: list[tuple[int, Tally]] = []
        self.kept: Tally = NOTHING
        self._turn_to(now)

    def _turn_to(self, now: float) -> None:
        index = int(now // self._step)
        until = (index + 1) * self._step
        if until <= now:  # rounding put the edge of the bucket before its inside
            index += 1
            until = (index + 1) * self._step
        self._index = index
        # Floats compare with floats at full speed; a step may be whole.
        self.until = -_EVER if self.direct else float(until) if isinstance(now, float) else until
        self.good_until = self.until

    def turn(self, now: float, fresh: Tally) -> None:
        """Close the present bucket with what is `fresh`, and drop what is too old at `now`."""
        if fresh[0]:
            self._ring.append((self._index, fresh))
            self.kept = add(self.kept, fresh)
        self._turn_to(now)
        gone = self._index - self._buckets
        ring = self._ring
        over = 0
        while over < len(ring) and ring[over][0] <= gone:
            old = ring[over][1]
            self.kept = _subtract(self.kept, old)
            self.evicted += old[0]
            over += 1
        del ring[:over]

    def add(self, one: Tally, start: float) -> bool:
        """Count a result in the bucket of its `start`; False: that bucket has left the window."""
        index = min(int(start // self._step), self._index)
        if self._index - index >= self._buckets:
            return False
        later = []
        while self._ring and self._ring[-1][0] > index:
            later.append(self._ring.pop())
        if self._ring and self._ring[-1][0] == index:
            self._ring[-1] = (index, add(self._ring[-1][1], one))
        else:
            self._ring.append((index, one))
        self._ring.extend(reversed(later))
        self.kept = add(self.kept, one)
        return True

    def place(self, start: float) -> int:
        """Return where the result lies that was counted last: the number of its bucket."""
        return min(int(start // self._step), self._index) if self.direct else self._index

    def amend(self, place: int, more: Tally) -> bool:
        """Add to a result in the ring; False: its bucket has left it."""
        for at, (index, part) in enumerate(self._ring):
            if index == place:
                self._ring[at] = (index, add(part, more))
                self.kept = add(self.kept, more)
                return True
        return False

    def read(self, now: float, fresh: Tally) -> Tally:
        """Return what counts at `now`, `fresh` included."""
        kept = self.kept
        if now < self.until:
            return add(kept, fresh) if kept[0] else fresh
        index = max(int(now // self._step), self._index)
        for then, part in self._ring:
            if index - then < self._buckets:
                break
            kept = _subtract(kept, part)
        return add(kept, fresh) if index - self._index < self._buckets else kept


class CountWindow:
    """Runs of equal results, oldest first: (how many, one of them)."""

    __slots__ = ("_runs", "_size", "direct", "evicted", "good_until", "kept", "until")

    def __init__(self, window: Count, now: float) -> None:
        self._size = window.size
        self.direct = True
        self.good_until = _EVER  # good results without a duration make one run
        self.until = -_EVER
        self.evicted = 0
        self.clear(now)

    def clear(self, now: float) -> None:  # noqa: ARG002  # as in TimeWindow
        """Forget everything."""
        self._runs: deque[tuple[int, Tally]] = deque()
        self.kept: Tally = NOTHING

    def turn(self, now: float, fresh: Tally) -> None:  # noqa: ARG002
        """Take in a run of good results."""
        if fresh[0]:
            self._push(fresh[0], (1, 0, 0, 0, 0, 0))

    def add(self, one: Tally, start: float) -> bool:  # noqa: ARG002
        """Take in one result."""
        self._push(1, one)
        return True

    def _push(self, times: int, one: Tally) -> None:
        runs, kept = self._runs, self.kept
        if runs and runs[-1][1] == one:
            runs[-1] = (runs[-1][0] + times, one)
        else:
            runs.append((times, one))
        kept = (
            kept[0] + times,
            kept[1] + one[1] * times,
            kept[2] + one[2] * times,
            kept[3] + one[3] * times,
            kept[4] + one[4] * times,
            kept[5] + one[5] * times,
        )
        over = kept[0] - self._size
        self.evicted += max(over, 0)
        while over > 0:
            many, old = runs[0]
            if many > over:
                runs[0] = (many - over, old)
                many = over
            else:
                runs.popleft()
            kept = _subtract(kept, old, many)
            over -= many
        self.kept = kept

    def place(self, start: float) -> int:  # noqa: ARG002
        """Return where the result lies that was counted last: its number, of all there were."""
        return self.evicted + self.kept[0] - 1

    def amend(self, place: int, more: Tally) -> bool:
        """Add to one result; False: it is none of the last ones any more."""
        before = place - self.evicted
        if before < 0:
            return False
        runs, later = self._runs, []
        left = self.kept[0] - runs[-1][0]
        while left > before:  # not in the last run
            later.append(runs.pop())
            left -= runs[-1][0]
        many, one = runs.pop()
        first = before - left
        for times, each in ((first, one), (1, add(one, more)), (many - first - 1, one)):
            if times:
                runs.append((times, each))
        runs.extend(reversed(later))
        self.kept = add(self.kept, more)
        return True

    def read(self, now: float, fresh: Tally) -> Tally:  # noqa: ARG002
        """Return what counts; the breaker has turned, so what is `fresh` is none of it."""
        return add(self.kept, fresh)


class CumulativeWindow:
    """One sum. There is no turn, so it all stays in the breaker's own counters as a rule."""

    __slots__ = ("direct", "evicted", "good_until", "kept", "until")

    def __init__(self) -> None:
        self.direct = False
        self.good_until = self.until = _EVER
        self.evicted = 0
        self.clear(0)

    def clear(self, now: float) -> None:  # noqa: ARG002  # as in TimeWindow
        """Forget everything."""
        self.kept: Tally = NOTHING

    def turn(self, now: float, fresh: Tally) -> None:  # noqa: ARG002
        """Take in what is `fresh`."""
        self.kept = add(self.kept, fresh)

    def add(self, one: Tally, start: float) -> bool:  # noqa: ARG002
        """Take in one result."""
        self.kept = add(self.kept, one)
        return True

    def place(self, start: float) -> int:  # noqa: ARG002
        """Return where the result lies that was counted last: among all."""
        return 0

    def amend(self, place: int, more: Tally) -> bool:  # noqa: ARG002
        """Add to a result."""
        self.kept = add(self.kept, more)
        return True

    def read(self, now: float, fresh: Tally) -> Tally:  # noqa: ARG002
        """Return what counts."""
        return add(self.kept, fresh)


AnyWindow = TimeWindow | CountWindow | CumulativeWindow


def make_window(window: Window, now: float) -> AnyWindow:
    """Return the ring for a window as it is set."""
    if isinstance(window, Time):
        return TimeWindow(window, now)
    if isinstance(window, Count):
        return CountWindow(window, now)
    return CumulativeWindow()
