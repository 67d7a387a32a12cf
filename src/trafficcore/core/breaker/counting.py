"""What a breaker counts while it admits everybody, and when it looks at its rules.

Law     Results of the present sub-window are counted in plain slots, without a lock. A turn moves
        them into the window; an evaluation copies them, decides on the copies, and acts only if
        they have not moved since, else it begins again. Rules are looked at when a count reaches
        its edge, after each turn, and at each result of a window that needs their order.
State   `_c` good results, `_e` errors, `_s` slow ones, `_se` those that are both, `_g` errors at
        the gateway, `_d` their time, `_run` errors in a row. Each result raises at least one of
        the first three: if they are what they were, nothing has been counted. `_base` is what
        they are counted on: the rules and the window's sums, a new one at each change of these,
        None while they change.
Cost    an evaluation: one pass over the rules, whatever the window and the traffic, and no lock
        unless one holds.
Source  the reference's rules R9 to R14; the machine's order of stores is argued at each place.

All methods here but `_compare` run under the breaker's lock; `breaker.py` holds what runs without.
"""

# ruff: noqa: PLR1730  # min() costs three times the comparison, and is a call

import math
from typing import Any, Final

from trafficcore.core.breaker.counts import NOTHING, Tally
from trafficcore.core.breaker.rules import BAD, ERRORS, NEVER, SLOW, Compiled, judge_of
from trafficcore.core.breaker.settings import Settings
from trafficcore.core.breaker.window import AnyWindow, make_window

__all__ = ["MOVED", "NONE", "Counting", "Hit"]

_EVER: Final = math.inf
_EVERY: Final = (True,) * 8

#: The index of the rule that holds, and what was counted.
Hit = tuple[int, Tally]

NONE: Final[frozenset[int]] = frozenset()

#: Says of an evaluation that the counts were not what they had been when it ended.
MOVED: Final[Hit] = (-1, NOTHING)


class Counting:
    """The counters and the window of a breaker; its states are built upon them."""

    __slots__ = (
        "__weakref__",
        "_any",
        "_base",
        "_c",
        "_d",
        "_decides",
        "_e",
        "_error_edge",
        "_g",
        "_good_edge",
        "_good_until",
        "_judge",
        "_lock",
        "_run",
        "_s",
        "_se",
        "_slow_edge",
        "_until",
        "_window",
        "dropped",
        "exceeded",
        "live",
        "now",
        "settings",
        "slow_after",
    )

    _base: "tuple[tuple[Compiled, ...], bool, int, int, int, int, int, float] | None"
    _window: AnyWindow
    #: The rules that metrics_only has told of.
    exceeded: frozenset[int]

    def __init__(self, settings: Settings, now: float, lock: Any) -> None:
        self._lock = lock
        #: The latest time told; if the clock goes back, it stays.
        self.now = now
        #: The era while everybody is admitted, else 0.
        self.live = 0
        #: Results whose bucket had left the window before they came.
        self.dropped = 0
        self._adopt(settings, now)
        self._begin(now, idle=True)

    def _adopt(self, settings: Settings, now: float) -> None:
        """Take new settings; counting begins anew with `_begin`."""
        self._tune(settings)
        self._window = make_window(settings.window, now)

    def _tune(self, settings: Settings) -> None:
        """Take what may change without a new window."""
        self.settings = settings
        #: Above this a call is slow.
        self.slow_after = _EVER if settings.slow_after is None else settings.slow_after
        self._any = settings.evaluate_on == "any"
        self._judge = judge = judge_of(settings)
        #: By kind: whether such a result may trip it.
        self._decides = _EVERY if self._any else judge.matters

    def _begin(self, now: float, *, idle: bool) -> None:
        """Start from nothing. Nobody counts meanwhile: `live` is 0. `idle`: count for nothing."""
        self._window.clear(now)
        self._c = self._e = self._s = self._se = self._g = self._run = 0
        self._d: float = 0
        self._good_edge = self._error_edge = self._slow_edge = NEVER
        self.exceeded = NONE
        self._rebase()
        self._until = self._good_until = _EVER
        if not idle:
            self._until = self._window.until
            self._good_until = self._window.good_until
            self._weigh(now, False, True)

    def _harvest(self) -> Tally:
        """Take what has been counted; until the edges are set again, whoever counts also looks."""
        c = self._c
        e = self._e
        s = self._s
        se = self._se
        g = self._g
        d = self._d
        self._base = None
        self._c = self._e = self._s = self._se = self._g = 0
        self._d = 0
        self._good_edge = self._error_edge = self._slow_edge = 0
        return (c + e + s - se, e, s, se, g, d)

    def _rebase(self) -> None:
        """Have what is counted from now on be counted on what the rules and the window are now."""
        window = self._window
        self._base = (self._judge.rules, window.direct, *window.kept)

    def _turn(self, now: float) -> None:
        """Move the counters into the window and the window to `now`."""
        window = self._window
        window.turn(now, self._harvest())
        self._rebase()
        # Whoever counts between the two lines counts for the new sub-window, by a clock held.
        self._until = window.until
        self._good_until = window.good_until

    def _read(self, now: float) -> Tally:
        """Return what counts at `now`."""
        if self._window.direct:
            self._turn(now)
            tally = self._window.kept
            self._weigh(now, False, True)  # a turn takes the edges away
            return tally
        c = self._c
        e = self._e
        s = self._s
        se = self._se
        g = self._g
        d = self._d
        return self._window.read(now, (c + e + s - se, e, s, se, g, d))

    def _count(self, now: float, kind: int, one: Tally, start: float) -> bool:
        """Count a result under the lock; False: it came too late for its bucket."""
        window = self._window
        if now >= window.until:
            self._turn(now)
        if window.direct:
            if not window.add(one, start):
                self.dropped += 1
                return False
        else:
            self._e += one[1]
            self._s += one[2]
            self._se += one[3]
            self._g += one[4]
            self._d += one[5]
            if not kind:
                self._c += 1
        return True

    def _weigh(self, now: float, decide: bool, shut: bool) -> Hit | None:
        """Look at the rules as of `now`; None: none holds, or it is not to `decide`.

        When one holds the gate is shut in the same step (unless not `shut`), so that nothing is
        counted past what was looked at; else the edges are set for what has been counted.
        """
        window = self._window
        while True:
            if now >= window.until or self._base is None:
                self._turn(now)
            found = self._compare(decide, shut)
            if found is not MOVED:
                return found

    def _compare(self, decide: bool, shut: bool) -> Hit | None:  # noqa: C901, PLR0912  # flat, hot
        """Look at the rules as it stands, or return `MOVED`. *Atomic*, unless it is to shut.

        Law: `rules.py`.  Twin: tests/core/breaker/test_rules.py, by definition.
        """
        base = self._base
        c, e, s = self._c, self._e, self._s
        se, g, run = self._se, self._g, self._run
        if base is None or (c and base[1]):  # what is counted comes after what a list holds
            return MOVED
        rules, _, before, errors, slow, slow_errors, gateway, duration = base
        errors += e
        slow += s
        hit, total = -1, 0
        good_more = error_more = slow_more = NEVER
        for index, measured, least, minimum, p, q, strict, gain in rules:
            if measured == ERRORS:
                x = errors
            elif measured == SLOW:
                x = slow
            else:
                x = (errors, gateway + g, run, errors + slow - slow_errors - se)[measured]
            more = least - x
            if more <= 0:
                if index in self.exceeded:
                    continue
                total = before + c + e + s - se
                if total < minimum:  # only results are missing, of whatever kind
                    if minimum - total < good_more:
                        good_more = minimum - total
                    error_more = slow_more = 1
                    continue
                if q:
                    more = p * total + strict - x * q
                    if more > 0:  # a share of one is never reached by adding
                        more = (more + gain - 1) // gain if gain else NEVER
                if more <= 0:  # it holds
                    if decide:
                        hit = index
                        break
                    good_more = error_more = slow_more = 1
                    continue
            if measured == BAD:  # either kind may bring the last one: they share what is left
                more = (more + 1) // 2
            if measured <= BAD and more < error_more:
                error_more = more
            if measured >= BAD and more < slow_more:
                slow_more = more
        # From here to the stores there is no call: see tests/core/breaker/test_exactness.py.
        if base is not self._base or c != self._c or e != self._e or s != self._s:
            return MOVED  # turned or counted meanwhile, and not looked at
        if hit < 0:
            self._good_edge = c + good_more if self._any else NEVER
            self._error_edge = e + error_more
            self._slow_edge = s + slow_more
            return None
        if shut:
            self.live = 0
        return hit, (total, errors, slow, slow_errors + se, gateway + g, duration + self._d)
