"""`Refresh`: an answer that expires: what to go by, and when to ask again.

Law    An answer is good for its time to live, held between `least` and `most` and counted from the
       question. It is asked for again up to `jitter` of that time later: who asked at one moment
       shall not do so for ever. An answer that there is nothing is believed when it is the
       `negatives`-th in a row. Until then, and after a failure, the last good one stands; the
       n-th failure in a row is followed by a pause of `least * 2 ** (n - 1)`, at most `most`.
State  the answer, how many of a kind came in a row, when to ask next. One question at a time.
Cost   O(1)
Source Envoy's DNS clusters (`respect_dns_ttl`, `dns_jitter`); RFC 2308 for answers of nothing
"""

from collections.abc import Callable
from fractions import Fraction
from math import inf
from typing import Any, Final

import attrs

from trafficcore.errors import ConfigError

__all__ = ["Refresh", "RefreshSettings"]

_TENTH: Final = Fraction(1, 10)
#: More doublings than this are beyond any `most`, and beyond floats after a thousand.
_DOUBLINGS: Final = 60


@attrs.frozen(kw_only=True)
class RefreshSettings:
    """The bounds in seconds: `least` and `most` between two questions, `without` a time to live.

    `jitter` is what part of the time is added at most, `negatives` how many answers of nothing in
    a row are believed. Raises `ConfigError`.
    """

    least: float = 5
    most: float = 300
    without: float = 60
    jitter: float | Fraction = _TENTH
    negatives: int = 3

    def __attrs_post_init__(self) -> None:
        if not 0 < self.least <= self.most < inf:
            raise ConfigError(
                f"least and most must be seconds, 0 < least <= most, not {self.least!r} and"
                f" {self.most!r}"
            )
        if not 0 < self.without < inf:
            raise ConfigError(f"without must be seconds above 0, not {self.without!r}")
        if not 0 <= self.jitter <= 1:
            raise ConfigError(f"jitter must be a part from 0 to 1, not {self.jitter!r}")
        if not isinstance(self.negatives, int) or self.negatives < 1:
            raise ConfigError(f"negatives must be a whole number from 1, not {self.negatives!r}")


class Refresh:
    """One question. `answer` is what to go by, None while nothing is known.

    `draw` gives floats from 0 to below 1; None: no jitter.
    """

    __slots__ = ("_asked", "_draw", "_next", "_settings", "answer", "asking", "empty", "failures")

    def __init__(self, settings: RefreshSettings, draw: Callable[[], float] | None = None) -> None:
        self._settings = settings
        self._draw = draw
        self._asked: float | None = None
        self._next: float = -inf
        self.answer: Any = None
        self.asking = False
        #: Answers of nothing, and failures, in a row.
        self.empty = 0
        self.failures = 0

    def due(self, now: float) -> bool:
        """Whether to ask now."""
        return not self.asking and now >= self._next

    def next_deadline(self) -> float:
        """Return when to ask next; `inf` while the question is on its way."""
        return inf if self.asking else self._next

    def asked(self, now: float | None) -> None:
        """Note that the question went out; None: before there was a time to go by."""
        self.asking, self._asked = True, now

    def answered(self, answer: Any, ttl: float | None, now: float) -> None:
        """Take an answer in; `ttl` None: nobody says how long it is good for."""
        self.answer = answer
        self.empty = self.failures = 0
        self._wait_out(ttl, now)

    def nothing(self, answer: Any, ttl: float | None, now: float) -> None:
        """Take in that there is nothing, which `answer` stands for once it is believed."""
        self.empty += 1
        self.failures = 0
        if self.empty >= self._settings.negatives:
            self.answer = answer
        self._wait_out(ttl, now)

    def failed(self, now: float) -> None:
        """Take in that nobody answered; what was known stands."""
        settings = self._settings
        self.asking = False
        pause = settings.least * 2 ** min(self.failures, _DOUBLINGS)
        self.failures += 1
        self._next = now + self._spread(min(pause, settings.most))

    def lost(self) -> None:
        """Note that the question will never be answered: it is to be asked anew."""
        if self.asking:
            self.asking, self._next = False, -inf

    def _wait_out(self, ttl: float | None, now: float) -> None:
        """Have an answer asked for again when its time is over."""
        settings, asked = self._settings, self._asked
        self.asking = False
        if asked is None:  # nobody knows how old it is
            self._next = now
            return
        span = settings.without if ttl is None else ttl
        self._next = asked + self._spread(min(max(span, settings.least), settings.most))

    def _spread(self, span: float) -> float:
        if self._draw is None:
            return span
        return span + span * self._settings.jitter * self._draw()
