"""What a breaker tells: a change of state, a rule that would have made one, a mistake."""

import attrs

from trafficcore.core.breaker.counts import Counts
from trafficcore.core.breaker.settings import Rule
from trafficcore.core.breaker.states import State

__all__ = ["Change", "Exceeded", "Mistake"]


@attrs.frozen
class Change:
    """One state became another: why, with which counts, since when and until when.

    `at` is when it came about, which may lie before it was noticed; `counts` what the state that
    ended showed; `era` that of the new state; `until` when an open one ends, else None. `breaker`
    is the name of one that has a name, and tells of its changes itself.
    """

    from_: State
    to: State
    reason: str
    era: int
    counts: Counts
    at: float
    until: float | None
    breaker: str = ""


@attrs.frozen
class Exceeded:
    """A rule holds for the first time since metrics_only was entered."""

    index: int
    rule: Rule
    era: int
    counts: Counts
    at: float


@attrs.frozen
class Mistake:
    """The function that `Open` was given raised, or gave no length; the usual one holds instead."""

    error: str
