"""Numbers as people say them: exact, in seconds, rates below one a second by their interval."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

__all__ = ["count", "exact", "listed", "number", "ordinal", "rate", "share", "span"]

_SUFFIXES = {1: "st", 2: "nd", 3: "rd"}


def exact(value: Any) -> Fraction:
    """Return a number as it was written: 0.1 is a tenth, not the float nearest to it."""
    return value if isinstance(value, Fraction) else Fraction(str(value))


def number(value: Any) -> str:
    """Write a number to three decimals, or to three figures below 1; whole ones are exact."""
    wanted = exact(value)
    if wanted.denominator == 1:
        return str(wanted.numerator)
    if abs(wanted) < 1:
        return f"{float(wanted):.3g}"
    return f"{float(wanted):.3f}".rstrip("0").rstrip(".")


def _short(value: Fraction) -> bool:
    return (value * 1000).denominator == 1


def span(seconds: Any) -> str:
    """Write a time: in seconds, and below one in milliseconds."""
    wanted = exact(seconds)
    if 0 < wanted < 1:
        return f"{number(wanted * 1000)} ms"
    return f"{number(wanted)} s"


def rate(amount: Any, interval: Any) -> str:
    """Write `amount` each `interval` seconds: `30 per second`, `one each 30 s`, `7 each 60 s`."""
    tokens, time = exact(amount), exact(interval)
    if not tokens:
        return "none"
    if tokens >= time and _short(tokens / time):
        return f"{number(tokens / time)} per second"
    if tokens < time and _short(time / tokens):
        return f"one each {span(time / tokens)}"
    return f"{number(tokens)} each {span(time)}"


def share(part: Fraction) -> str:
    """Write a part of 1 in whole per cent, and near the ends with what keeps it apart from them."""
    percent = part * 100
    if percent.denominator == 1 or 1 <= percent <= 99:
        return f"{round(percent)} %"
    return f"{float(percent):.2g} %" if percent < 1 else f"{float(percent):.4g} %"


def count(how_many: Any, what: str) -> str:
    """Write how many of something there are."""
    return f"{number(how_many)} {what}{'' if how_many == 1 else 's'}"


def ordinal(place: int) -> str:
    """Write a place in a row: `3rd`."""
    teen = place % 100 in (11, 12, 13)
    return f"{place}{'th' if teen else _SUFFIXES.get(place % 10, 'th')}"


def listed(parts: Sequence[str], last: str = "and") -> str:
    """Write a list: `a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"
