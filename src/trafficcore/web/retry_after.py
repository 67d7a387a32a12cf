"""`retry-after` as a server writes it: seconds, or a date."""

from email.utils import mktime_tz, parsedate_tz

__all__ = ["read_retry_after"]

#: Digits that anybody means: a century of seconds has ten.
_DIGITS = 10


def read_retry_after(text: str, wall: float) -> float | None:
    """Return the seconds to wait, never negative; None where the text is neither (RFC 9110).

    `wall` is the time of day, in seconds of the epoch.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return int(text) if len(text) <= _DIGITS else float("inf")
    try:
        parsed = parsedate_tz(text)
        at = None if parsed is None else mktime_tz(parsed)
    except (ValueError, OverflowError):
        return None
    return None if at is None else max(0, at - wall)
