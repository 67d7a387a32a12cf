"""What an application may read of a cookie, or of a parameter of the query: all that it may be.

Law     Applications disagree. Of two values under one name Flask reads the first, Starlette and
        Django the last; bytes that are not ASCII are latin-1 to Starlette and UTF-8 to Flask; a
        quoted cookie holds semicolons for Flask and for `SimpleCookie`, and ends at one elsewhere.
        A caller who could pick the reading that we take would pick his bucket with it, and keep
        for the application the value that it lets in. So nothing is picked: every value that one
        of them could read is told, and whoever keeps a limit by them has each of them pay.
Bound   That is one value, or two of a browser that keeps a cookie for two paths. A request with
        more than `MOST` is counted by `SEVERAL`, a key that all of its kind have in common.
"""

import re
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Final
from urllib.parse import parse_qsl

__all__ = ["MOST", "SEVERAL", "cookie_values", "query_values"]

#: How many values one request may have and still pay for each of them.
MOST: Final = 4
#: What counts those that have more; whoever writes it as a value is one of them.
SEVERAL: Final = f"more than {MOST} values"

_QUOTED: Final = re.compile(r'"(?:[^\\"]|\\.)*"', re.DOTALL)
_TO_SEMICOLON: Final = re.compile(r"[^;]*")
#: White space ends a value for `SimpleCookie`, which reads none that has a quote inside.
_TO_SPACE: Final = re.compile(r'[^\s;"]*(?=[\s;]|\Z)')
_unquoted: Final = SimpleCookie().value_decode


def cookie_values(text: str, name: str) -> list[str]:
    """Return the values that a cookie has in the text of `cookie` headers, each once."""
    if name not in text:
        return []
    begins = re.compile(rf"(?<![^\s;]){re.escape(name)}\s*=\s*")  # re remembers it

    def found() -> Iterator[str]:
        for reading in _readings(text):
            for begin in begins.finditer(reading):
                for form in (_TO_SEMICOLON, _TO_SPACE, _QUOTED):
                    value = form.match(reading, begin.end())
                    if value is not None:
                        yield _unquoted(value[0].strip())[0]

    return _bounded(found())


def query_values(text: str, name: str) -> list[str]:
    """Return the values that a parameter has in a query, each once."""
    if name not in text and "%" not in text and "+" not in text and text.isascii():
        return []
    return _bounded(
        value
        for reading in _readings(text)
        for key, value in parse_qsl(reading, keep_blank_values=True)
        if key == name
    )


def _readings(text: str) -> tuple[str, ...]:
    """Return text that stands for bytes, as latin-1 and, where that is another, as UTF-8."""
    if text.isascii():
        return (text,)
    return text, text.encode("latin-1", "replace").decode("utf-8", "replace")


def _bounded(values: Iterator[str]) -> list[str]:
    """Return what is distinct; `SEVERAL` alone as soon as it is too much."""
    distinct: dict[str, None] = {}
    for value in values:
        distinct[value] = None
        if len(distinct) > MOST:
            return [SEVERAL]
    return list(distinct)
