"""The trip rules, compiled: which holds, and how many more results it takes until one could.

Law     A rule holds when its minimum is met and x/total (or x) compares with p/q as it says. All
        of it is whole numbers: x * q against p * total. No division, no rounding.
Edges   Good results only dilute, so a rule that does not hold now can first hold (a) at a bad
        result, not before x has grown by k: the least k with (x + k) / (total + k) far enough, or
        below the minimum the least with x + k enough for the minimum itself; (b) at any result,
        when x suffices already and only the minimum is missing. (c) When old results leave, the
        share may rise: after a turn the rules are looked at anyway. An edge may come early, never
        late: errors that a rule does not measure, or good results in between, only put it off.
Source  rules R8, R12 to R14, R19.
"""

from collections.abc import Collection
from typing import Final

from trafficcore.core.breaker.counts import Tally
from trafficcore.core.breaker.settings import Rule, Settings

__all__ = ["NEVER", "Edges", "Judge"]

#: More results than any sub-window sees, and still one machine digit.
NEVER: Final = (1 << 30) - 1

#: How many more good results, errors and slow results until a rule could hold.
Edges = tuple[int, int, int]

_ERRORS, _SLOW, _BAD, _GATEWAY, _RUN = range(5)
_MEASURED: Final = {
    "error_rate": _ERRORS,
    "error_count": _ERRORS,
    "slow_rate": _SLOW,
    "slow_count": _SLOW,
    "bad_rate": _BAD,
    "bad_count": _BAD,
    "gateway_error_rate": _GATEWAY,
    "consecutive_errors": _RUN,
}


class _Compiled:
    """A rule in whole numbers."""

    __slots__ = ("is_rate", "measured", "minimum", "on_errors", "on_slow", "p", "q", "strict")

    def __init__(self, rule: Rule, minimum: int) -> None:
        self.p, self.q = rule.exact.as_integer_ratio()
        self.is_rate = rule.is_rate
        self.strict = rule.op == ">"
        self.minimum = minimum
        self.measured = _MEASURED[rule.measure]
        self.on_errors = self.measured != _SLOW
        self.on_slow = self.measured in {_SLOW, _BAD}

    def enough(self, total: int) -> int:
        """Return the least x that makes the rule hold at this total (1 for a count)."""
        edge = self.p * total
        return edge // self.q + 1 if self.strict else -(-edge // self.q)

    def more(self, x: int, total: int) -> int:
        """Return how many bad results in a row make a rule hold that does not hold, minimum met."""
        if not self.is_rate:
            return self.enough(1) - x
        gain = self.q - self.p
        if not gain:
            return NEVER  # a share of one is never reached by adding
        missing = self.p * total - x * self.q
        return missing // gain + 1 if self.strict else -(-missing // gain)


class Judge:
    """All the rules of a breaker, in their order."""

    __slots__ = ("_rules", "matters")

    def __init__(self, settings: Settings) -> None:
        self._rules = tuple(_Compiled(rule, settings.minimum(rule)) for rule in settings.trip)
        errors = any(r.on_errors and r.measured != _GATEWAY for r in self._rules)
        slow = any(r.on_slow for r in self._rules)
        gateway = any(r.measured == _GATEWAY for r in self._rules)
        #: By kind: whether such a result is bad in the eyes of these rules.
        self.matters = tuple(
            bool((kind & 1 and errors) or (kind & 2 and slow) or (kind & 4 and gateway))
            for kind in range(8)
        )

    def first(
        self, tally: Tally, run: int, *, minimums: bool = True, skip: Collection[int] = ()
    ) -> int:
        """Return the index of the first rule that holds, or -1."""
        total, errors, slow, slow_errors, gateway, _ = tally
        seen = (errors, slow, errors + slow - slow_errors, gateway, run)
        for index, rule in enumerate(self._rules):
            if minimums and total < rule.minimum:
                continue
            edge = rule.p * total if rule.is_rate else rule.p
            x = seen[rule.measured] * rule.q
            if (x > edge if rule.strict else x >= edge) and index not in skip:
                return index
        return -1

    def edges(self, tally: Tally, run: int, skip: Collection[int] = ()) -> Edges:
        """Return how many more of each it takes until a rule could hold."""
        total, errors, slow, slow_errors, gateway, _ = tally
        seen = (errors, slow, errors + slow - slow_errors, gateway, run)
        good_more = error_more = slow_more = NEVER
        for index, rule in enumerate(self._rules):
            if index in skip:
                continue
            x = seen[rule.measured]
            short = rule.minimum - total
            if short > 0:
                more = rule.enough(rule.minimum if rule.is_rate else 1) - x
                if more <= 0:  # only results are missing, of whatever kind
                    good_more = min(good_more, short)
                    error_more = slow_more = 1
                    continue
            else:
                more = rule.more(x, total)
                if more <= 0:  # it holds, and nobody has looked: the next result that may, does
                    good_more = error_more = slow_more = 1
                    continue
            if rule.on_errors and rule.on_slow:  # either may bring the last: they share what is left
                error_more = min(error_more, (more + 1) // 2)
                slow_more = min(slow_more, more + 1 - (more + 1) // 2)
            elif rule.on_slow:
                slow_more = min(slow_more, more)
            else:
                error_more = min(error_more, more)
        return good_more, error_more, slow_more
