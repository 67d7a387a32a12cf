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

from functools import lru_cache
from typing import Final

from trafficcore.core.breaker.counts import Tally
from trafficcore.core.breaker.settings import Rule, Settings

__all__ = ["BAD", "ERRORS", "NEVER", "SLOW", "Compiled", "Judge", "judge_of"]

#: More results than any sub-window sees, and still one machine digit.
NEVER: Final = (1 << 30) - 1

#: What a rule measures: up to `BAD` an error raises it, from `BAD` on a slow call does.
ERRORS: Final = 0
_GATEWAY: Final = 1
_RUN: Final = 2
BAD: Final = 3
SLOW: Final = 4
_MEASURED: Final = {
    "error_rate": ERRORS,
    "error_count": ERRORS,
    "slow_rate": SLOW,
    "slow_count": SLOW,
    "bad_rate": BAD,
    "bad_count": BAD,
    "gateway_error_rate": _GATEWAY,
    "consecutive_errors": _RUN,
}

#: A rule in whole numbers: its index; what it measures; the least x that can do, at the minimum or
#: above; the minimum; for rates p, q, 1 if strict, and q - p (or none of it: q is 0).
Compiled = tuple[int, int, int, int, int, int, int, int]


def _least(p: int, q: int, strict: int) -> int:
    """Return the least whole x with x >= p/q, or x > p/q."""
    return p // q + 1 if strict else -(-p // q)


def _compile(index: int, rule: Rule, minimum: int) -> Compiled:
    measured = _MEASURED[rule.measure]
    p, q = rule.exact.as_integer_ratio()
    strict = int(rule.op == ">")
    if not rule.is_rate:
        return index, measured, _least(p, q, strict), minimum, 0, 0, 0, 0
    return index, measured, _least(p * minimum, q, strict), minimum, p, q, strict, q - p


class Judge:
    """All the rules of a breaker, in their order: with their minimums, and `bare` of them."""

    __slots__ = ("_bare", "matters", "rules")

    def __init__(self, rules: tuple[Compiled, ...], bare: tuple[Compiled, ...]) -> None:
        self.rules = rules
        self._bare = bare
        measured = {rule[1] for rule in rules}
        errors = bool(measured & {ERRORS, BAD, _RUN})
        slow = bool(measured & {SLOW, BAD})
        gateway = _GATEWAY in measured
        #: By kind: whether such a result is bad in the eyes of these rules.
        self.matters = tuple(
            bool((kind & 1 and errors) or (kind & 2 and slow) or (kind & 4 and gateway))
            for kind in range(8)
        )

    def condemns(self, tally: Tally, run: int) -> bool:
        """Say whether any rule holds, whatever the minimums."""
        total, errors, slow, slow_errors, gateway, _ = tally
        seen = (errors, gateway, run, errors + slow - slow_errors, slow)
        return any(
            p * total + strict <= seen[measured] * q if q else seen[measured] >= least
            for _, measured, least, _, p, q, strict, _ in self._bare
        )


#: Breakers that are set alike share their rules: there are breakers by the thousand.
_shared: Final = lru_cache(maxsize=256)(Judge)


def judge_of(settings: Settings) -> Judge:
    """Return the rules of `settings`, compiled."""
    rules = tuple(enumerate(settings.trip))
    return _shared(
        tuple(_compile(index, rule, settings.minimum(rule)) for index, rule in rules),
        tuple(_compile(index, rule, 0) for index, rule in rules),
    )
