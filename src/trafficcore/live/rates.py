"""Rates as people write them: a number of tokens a second, or a text such as "100/min"."""

import re
from math import ceil, inf
from typing import Final

from trafficcore.core.limit.amounts import checked
from trafficcore.errors import ConfigError

__all__ = ["read_rate", "read_update", "read_window"]

_TEXT: Final = re.compile(
    r"\s*(?P<count>\d+(?:\.\d+)?(?:e\+?\d+)?)\s*(?:/|per\b)\s*"
    r"(?P<periods>\d+(?:\.\d+)?)?\s*(?P<unit>[a-z]+)\s*",
    re.IGNORECASE | re.ASCII,
)
_UNITS: Final = {
    unit: seconds
    for units, seconds in (
        ("ms millisecond milliseconds", 0.001),
        ("s sec secs second seconds", 1),
        ("m min mins minute minutes", 60),
        ("h hr hrs hour hours", 3600),
        ("d day days", 86400),
    )
    for unit in units.split()
}


def read_rate(rate: float | str, capacity: float | None = None) -> tuple[float, float]:
    """Return `(tokens a second, capacity)`.

    Texts are "count/unit" or "count/number unit": "100/min", "10/s", "5 per hour", "2/60s". By
    default a bucket holds one period's worth: the count of a text, a second's tokens of a number,
    rounded up; at least 1, but 0 where the rate is 0.
    """
    if isinstance(rate, str):
        count, seconds = _read(rate)
        tokens = count / seconds
        if not 0 < tokens < inf and count:
            raise ConfigError(f"rate must be a finite number a second above 0, not {rate!r}")
    else:
        tokens = count = float(checked("rate", rate))
    if capacity is None:
        capacity = max(1, ceil(count)) if count else 0
    checked("capacity", capacity)
    # Comparisons with an int are the quicker ones for a cost that is an int.
    return tokens, int(capacity) if capacity == int(capacity) else float(capacity)


def read_update(
    rate: float | str | None, capacity: float | None, old_rate: float, old_capacity: float
) -> tuple[float, float]:
    """Return `(tokens a second, capacity)` where what is None stays as it is."""
    return read_rate(
        old_rate if rate is None else rate, old_capacity if capacity is None else capacity
    )


def read_window(limit: float | str, window: float | None = None) -> tuple[float, float]:
    """Return `(limit, seconds)` of a text such as "100/min", or of the two numbers."""
    if isinstance(limit, str):
        if window is not None:
            raise ConfigError(f"the window is in the text already: {limit!r}, {window!r}")
        return _read(limit)
    if window is None:
        raise ConfigError(f'limit must be a text such as "100/min", or have a window: {limit!r}')
    return checked("limit", limit), checked("window", window)


def _read(text: str) -> tuple[float, float]:
    found = _TEXT.fullmatch(text)
    unit = _UNITS.get(found["unit"].lower()) if found else None
    seconds = float(found["periods"] or 1) * unit if found and unit else 0
    if not 0 < seconds < inf or not found:
        raise ConfigError(f'rate must be a number or a text such as "100/min", not {text!r}')
    return float(checked("rate", float(found["count"]))), seconds
