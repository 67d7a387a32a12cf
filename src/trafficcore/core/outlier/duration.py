"""How long an ejection lasts, and how a record becomes clean again.

Law     An endpoint is out for min(base * multiplier, maximum) + jitter. The multiplier grows by
        one with each ejection while it is below maximum / base + 1: it may come to stand one
        step above what counts, where nothing gets longer but the record stays marked for one
        interval more. A sweep takes one off, down to 0, of whoever has been back for an
        interval; so none off in the sweep that lets an endpoint back.
Source  Envoy, `ejectHost`, `checkHostForUneject`, `onIntervalTimer`.

`marked` holds the endpoints with a multiplier above 0, among them all that are out.
"""

import math
from fractions import Fraction

from trafficcore.core.outlier.grid import reached
from trafficcore.core.outlier.settings import Settings
from trafficcore.core.outlier.tally import Tally

__all__ = ["Marked", "decay", "due", "earliest", "idle", "lengthen"]

Marked = dict[Tally, None]


def due(tally: Tally, settings: Settings) -> float:
    """Return from when on a sweep lets an ejected endpoint back."""
    at: float = tally.last_ejection  # type: ignore[assignment]  # it has one
    due = at + min(settings.base_ejection_time * tally.multiplier, settings.max_ejection_time)
    if not tally.jitter_ms:
        return due
    # Whole milliseconds are no binary fraction: exact times get an exact one.
    exact = not isinstance(due, float)
    return due + (Fraction(tally.jitter_ms, 1000) if exact else tally.jitter_ms / 1000)


def lengthen(tally: Tally, settings: Settings) -> None:
    """Raise the multiplier of an endpoint that is being ejected."""
    base, maximum = settings.base_ejection_time, settings.max_ejection_time
    if tally.multiplier * base < maximum + base:
        tally.multiplier += 1


def decay(marked: Marked, settings: Settings, at: float) -> None:
    """Lower the multipliers in the sweep at `at`."""
    for tally in list(marked):
        back = tally.last_unejection
        if tally.ejected or back is None or not reached(at, back + settings.interval):
            continue
        _lower(marked, tally, 1)


def idle(marked: Marked, sweeps: int) -> None:
    """Lower the multipliers as so many sweeps do in which nobody comes back."""
    for tally in list(marked):
        if not tally.ejected:
            _lower(marked, tally, sweeps)


def earliest(marked: Marked, settings: Settings, at: float) -> float:
    """Return before which moment sweeps after the one at `at` do no more than `idle`."""
    moment = math.inf
    for tally in marked:
        back = tally.last_unejection
        if tally.ejected:
            moment = min(moment, due(tally, settings))
        elif back is not None and back > at:
            return at  # let back by a health check whose clock is ahead: `idle` is not exact yet
    return moment


def _lower(marked: Marked, tally: Tally, steps: int) -> None:
    tally.multiplier = max(0, tally.multiplier - steps)
    if not tally.multiplier:
        del marked[tally]
