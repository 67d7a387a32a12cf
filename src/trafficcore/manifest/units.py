"""Numbers and times from their text, exactly: no float is made before the value is known.

Times are written as protobuf's JSON has them (`60s`, `0.5s`) or as Go does (`500ms`, `1m30s`);
both are one grammar. The answer is seconds: an int where it is whole, else the nearest float.
"""

import math
import re
from fractions import Fraction

__all__ = ["NotThis", "duration", "number", "seconds", "span", "whole"]

_WHOLE = re.compile(r"[-+]?[0-9]+\Z")
_DECIMAL = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z")
_GO = re.compile(r"(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+\Z")
_GO_PART = re.compile(r"([0-9.]+)(ns|us|µs|μs|ms|s|m|h)")
_UNITS = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6),  # MICRO SIGN
    "μs": Fraction(1, 10**6),  # GREEK SMALL LETTER MU
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}
#: Protobuf's own bound, 10,000 years: beyond it a text is a slip of the keyboard.
_LONGEST = 315_576_000_000
#: Far above any number that means something, far below what slows int() or Fraction() down.
_MOST_DIGITS = 100


class NotThis(ValueError):  # noqa: N818 - it says what should stand there, not what went wrong
    """The text is not what the field wants; the message says what it wants."""


def whole(text: str) -> int:
    """Read a whole number; decimal only, as `010` means 10 to a person and 8 to YAML."""
    if len(text) <= _MOST_DIGITS and _WHOLE.match(text):
        digits = text.lstrip("+-")
        if len(digits) > 1 and digits[0] == "0":
            plain = digits.lstrip("0") or "0"
            raise NotThis(f"a decimal number without leading zeros, such as {plain}")
        return int(text)
    if len(text) <= _MOST_DIGITS and _DECIMAL.match(text):
        value = number(text)  # 5.0 and 1e3 are whole numbers to Kubernetes as well
        if isinstance(value, int):
            return value
    raise NotThis("a whole number")


def number(text: str) -> int | float:
    """Read a number: an int where it is whole, so that exact arithmetic stays exact."""
    if len(text) > _MOST_DIGITS or not _DECIMAL.match(text):
        raise NotThis("a number")
    value = float(text)
    if not math.isfinite(value):
        raise NotThis("a finite number")
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def duration(text: str) -> Fraction:
    """Read a time, exactly."""
    unsigned = text.removeprefix("+")
    if len(text) <= _MOST_DIGITS and _GO.match(unsigned):
        total = Fraction(0)
        for amount, unit in _GO_PART.findall(unsigned):
            total += Fraction(amount) * _UNITS[unit]
        if total > _LONGEST:
            raise NotThis("a duration of at most 10000 years")
        return total
    if _DECIMAL.match(text):
        raise NotThis("a duration with its unit, such as 1s")
    if text.startswith("-") and _GO.match(text[1:]):
        raise NotThis("a duration from 0s")
    raise NotThis("a duration such as 1s, 500ms or 1m30s")


def seconds(exact: Fraction) -> int | float:
    """Give a time to the engine: an int where it is whole, else the nearest float."""
    return exact.numerator if exact.denominator == 1 else float(exact)


def span(exact: Fraction) -> str:
    """Write a time for people."""
    if exact.denominator == 1:
        return f"{exact}s"
    milli = exact * 1000
    return f"{milli}ms" if milli.denominator == 1 else f"{float(exact)!r}s"
