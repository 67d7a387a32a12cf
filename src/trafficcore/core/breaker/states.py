"""The six states, the moves between them, and nothing else.

Law     `TRANSITIONS` holds every move that results and time make; `BY_HAND` every move a person
        may make. There are no others: the machine looks each move up here before it makes it.
Source  the reference's rules R13, R15, R19, R20 (results and time) and R22, R23 (by hand).
"""

from enum import StrEnum
from typing import Final

from trafficcore.errors import TrafficError

__all__ = ["BY_HAND", "COUNTING", "TRANSITIONS", "Cause", "IllegalMove", "State"]


class State(StrEnum):
    """What a breaker does with calls."""

    CLOSED = "closed"  # admits, counts, may trip
    OPEN = "open"  # refuses for a time
    HALF_OPEN = "half_open"  # admits a few probes and judges by them
    FORCED_OPEN = "forced_open"  # refuses until told otherwise
    DISABLED = "disabled"  # admits, counts nothing
    METRICS_ONLY = "metrics_only"  # admits, counts, says what would have tripped it


class Cause(StrEnum):
    """Why a state ends by itself."""

    TRIP = "trip"  # a rule holds, or too many probes were bad
    COOLED = "cooled"  # the open time is over; probes come next
    HEALED = "healed"  # the open time is over, and there is no half-open
    RECOVERED = "recovered"  # enough probes were good
    HUNG = "hung"  # the probes gave no verdict in time, which counts as bad
    LAPSED = "lapsed"  # the same where it counts as good


class IllegalMove(TrafficError, ValueError):  # noqa: N818  # the tree's own naming
    """A move by hand that this state does not allow; nothing was changed."""


_CLOSED, _OPEN, _HALF_OPEN = State.CLOSED, State.OPEN, State.HALF_OPEN

TRANSITIONS: Final[dict[tuple[State, Cause], State]] = {
    (_CLOSED, Cause.TRIP): _OPEN,
    (_OPEN, Cause.COOLED): _HALF_OPEN,
    (_OPEN, Cause.HEALED): _CLOSED,
    (_HALF_OPEN, Cause.TRIP): _OPEN,
    (_HALF_OPEN, Cause.RECOVERED): _CLOSED,
    (_HALF_OPEN, Cause.HUNG): _OPEN,
    (_HALF_OPEN, Cause.LAPSED): _CLOSED,
}

_ANYWHERE: Final = frozenset({State.CLOSED, State.DISABLED, State.FORCED_OPEN, State.METRICS_ONLY})

BY_HAND: Final[dict[State, frozenset[State]]] = {
    State.CLOSED: _ANYWHERE | {_OPEN},
    State.OPEN: _ANYWHERE | {_OPEN, _HALF_OPEN},
    State.HALF_OPEN: _ANYWHERE | {_OPEN, _HALF_OPEN},
    State.FORCED_OPEN: _ANYWHERE | {_OPEN, _HALF_OPEN},
    State.DISABLED: _ANYWHERE | {_OPEN, _HALF_OPEN},
    State.METRICS_ONLY: _ANYWHERE,
}

#: States that admit everybody, so that acquiring and counting need no lock.
COUNTING: Final = frozenset({State.CLOSED, State.METRICS_ONLY, State.DISABLED})
