"""The trip rules, compiled: which holds, and how many more results it takes until one could.

Law     A rule holds when its minimum is met and x/total (or x) compares with p/q as it says. All
        of it is whole numbers, x * q against p * total: no division, no rounding.
Edges   Good results only dilute, so a rule that does not hold now can first hold (a) at a bad
        result, not before x has grown by k: the least k with (x + k) / (total + k) far enough, or
        while x would not do at the minimum either, what it lacks of that; (b) at any result, when
        x suffices already and only the minimum is missing. (c) When old results leave, the share
        may rise: after a turn the rules are looked at anyway. An edge may come early, never late:
        results that a rule does not measure, or good ones in between, only put it off.
Source  the reference's rules R8, R12 to R14, R19.
"""

# ruff: noqa: PLR1730  # max() and min() cost three times the comparison

from collections.abc import Collection
from typing import Final

from trafficcore.core.breaker.counts import Tally
from trafficcore.core.breaker.settings import Rule, Settings

__all__ = ["NEVER", "Judge", "Verdict"]

#: More results than any sub-window sees, and still one machine digit.
NEVER: Final = (1 << 30) - 1

#: The rule that holds (else -1); how many more good results, errors, slow ones until one could.
Verdict = tuple[int, int, int, int]

#: Places in `(errors, slow, bad, gateway errors, errors in a row)`.
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

#: A rule in whole numbers: its index; what it measures; the least x that can do, at the minimum or
#: above; the minimum; for rates p, q, 1 if strict, and q - p (or none of it: q is 0).
_Compiled = tuple[int, int, int, int, int, int, int, int]


def _least(p: int, q: int, strict: int) -> int:
    """Return the least whole x with x >= p/q, or x > p/q."""
    return p // q + 1 if strict else -(-p // q)


def _compile(index: int, rule: Rule, minimum: int) -> _Compiled:
    measured = _MEASURED[rule.measure]
    p, q = rule.exact.as_integer_ratio()
    strict = int(rule.op == ">")
    if not rule.is_rate:
        return index, measured, _least(p, q, strict), minimum, 0, 0, 0, 0
    return index, measured, _least(p * minimum, q, strict), minimum, p, q, strict, q - p


class Judge:
    """All the rules of a breaker, in their order."""

    __slots__ = ("_bare", "_rules", "matters")

    def __init__(self, settings: Settings) -> None:
        rules = tuple(enumerate(settings.trip))
        self._rules = tuple(_compile(i, rule, settings.minimum(rule)) for i, rule in rules)
        self._bare = tuple(_compile(i, rule, 0) for i, rule in rules)
        measured = {rule[1] for rule in self._rules}
        errors = bool(measured & {_ERRORS, _BAD, _RUN})
        slow = bool(measured & {_SLOW, _BAD})
        gateway = _GATEWAY in measured
        #: By kind: whether such a result is bad in the eyes of these rules.
        self.matters = tuple(
            bool((kind & 1 and errors) or (kind & 2 and slow) or (kind & 4 and gateway))
            for kind in range(8)
        )

    def condemns(self, tally: Tally, run: int) -> bool:
        """Say whether any rule holds, whatever the minimums."""
        total, errors, slow, slow_errors, gateway, _ = tally
        seen = (errors, slow, errors + slow - slow_errors, gateway, run)
        return any(
            p * total + strict <= seen[measured] * q if q else seen[measured] >= least
            for _, measured, least, _, p, q, strict, _ in self._bare
        )

    def weigh(  # noqa: C901, PLR0912  # flat: under the lock, at each look
        self,
        total: int,
        seen: tuple[int, int, int, int, int],
        decide: bool,
        skip: Collection[int] = (),
    ) -> Verdict:
        """Return the first rule that holds, if it is to `decide`; else -1 and the edges."""
        good_more = error_more = slow_more = NEVER
        for index, measured, least, minimum, p, q, strict, gain in self._rules:
            x = seen[measured]
            more = least - x
            if more <= 0:
                if index in skip:
                    continue
                if total < minimum:  # only results are missing, of whatever kind
                    if minimum - total < good_more:
                        good_more = minimum - total
                    error_more = slow_more = 1
                    continue
                if q:
                    more = p * total + strict - x * q
                    if more > 0:
                        # A share of one is never reached by adding.
                        more = (more + gain - 1) // gain if gain else NEVER
                if more <= 0:  # it holds
                    if decide:
                        return index, 0, 0, 0
                    good_more = error_more = slow_more = 1
                    continue
            if measured == _SLOW:
                if more < slow_more:
                    slow_more = more
            elif measured != _BAD:
                if more < error_more:
                    error_more = more
            else:  # either kind may bring the last one: they share what is left
                half = (more + 1) // 2
                if half < error_more:
                    error_more = half
                if more + 1 - half < slow_more:
                    slow_more = more + 1 - half
        return -1, good_more, error_more, slow_more
