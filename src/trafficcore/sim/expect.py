"""Expectations: one sentence each, read once, measured during a run, judged at its end.

    share subscriber/guest between 3.5 and 4.5     answers below 400 of the one over the other
    no 5xx after 12 s                              none of these codes
    all 498 of guest from 6 s to 64 s              nothing but these codes
    429 of guest is 3                              a count; `at least`, `at most`, `above`, `below`
    refused of guest above 50 %                    a part of all its answers in that time
    p99 of guest below 300 ms                      a latency: mean, max, p50, p99.9 …
    calls to cn-hangzhou/zone-b after 30 s is 0    where calls went: a zone or an address
    trips is 1                                     also `ejections`, `returns`
    waiting at most 20                             the longest all queues together have been

A class is named by its load, a code is `200`, `5xx`, `timeout`, `refused` (by a policy), a reason
such as `rate_limited`, or `calls` (any). Times are those of the answers; one that comes at 12 s is
after 12 s and not before.
"""

import re
from math import inf
from typing import Final

import attrs

from trafficcore.errors import ConfigError
from trafficcore.manifest.units import NotThis, duration, number
from trafficcore.outcome import Reason

__all__ = ["Comparison", "Expectation", "Subject", "parse"]

_WORDS: Final = re.compile(r"\S+")
_QUANTILE: Final = re.compile(r"p[0-9]{1,2}(?:\.[0-9]+)?\Z")
_CODE: Final = re.compile(r"[1-5](?:[0-9]{2}|xx)\Z")
_AMOUNT: Final = re.compile(r"([0-9.]+(?:[eE][-+]?[0-9]+)?)(.*)\Z")
_UNITS: Final = frozenset(("ns", "us", "µs", "ms", "s", "m", "h", "%"))
_EVENTS: Final = ("trips", "ejections", "returns")
_REASONS: Final = tuple(reason.value for reason in Reason)
#: A count that is no more than rounding away from a bound is on it.
_SLACK: Final = 1e-9


@attrs.frozen
class Subject:
    """What is measured: `kind` is share, codes, none, all, latency, calls_to, events or waiting.

    `of` is the class ("": all), `what` the code, quantile, zone, event, or the pair of a share.
    """

    kind: str
    what: tuple[str, ...] = ()
    of: str = ""


@attrs.frozen
class Comparison:
    """Bounds of a number; `percent` says that it is a part of the whole."""

    least: float = -inf
    most: float = inf
    open_least: bool = False
    open_most: bool = False
    percent: bool = False

    def holds(self, value: float) -> bool:
        """Whether a value is inside."""
        slack = _SLACK * max(1.0, abs(value))
        if self.open_least and value <= self.least + slack:
            return False
        if self.open_most and value >= self.most - slack:
            return False
        return self.least - slack <= value <= self.most + slack


@attrs.frozen
class Expectation:
    """One sentence: subject, window of time, bounds."""

    text: str
    subject: Subject
    start: float
    end: float
    bounds: Comparison

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that it names."""
        subject = self.subject
        named = subject.what if subject.kind == "share" else ()
        return (*named, subject.of) if subject.of else named


class _Reader:
    """The words of one sentence, taken from the left."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._words = _WORDS.findall(text)
        self._at = 0

    def peek(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def take(self, *wanted: str) -> str:
        """Take the next word; if any are wanted it must be one of them."""
        word = self.peek()
        if not word or (wanted and word not in wanted):
            raise self.fault(" or ".join(wanted) if wanted else "more words")
        self._at += 1
        return word

    def has(self, word: str) -> bool:
        """Take a word if it is the next."""
        if self.peek() != word:
            return False
        self._at += 1
        return True

    def fault(self, wanted: str) -> ConfigError:
        found = f"not {self.peek()!r}" if self.peek() else "and the sentence ends there"
        said = " ".join(self._words[: self._at])
        place = f" behind {said!r}" if said else ""
        return ConfigError(f"must have {wanted}{place}, {found}")

    def amount(self) -> tuple[float, str]:
        """Read a number with or without a unit: `300ms`, `12 s`, `50 %`, `4.5`."""
        begun = self._at
        found = _AMOUNT.match(self.peek())
        if found is None:
            raise self.fault("a number")
        unit = found[2]
        if not unit and self._at + 1 < len(self._words) and self._words[self._at + 1] in _UNITS:
            unit = self._words[self._at + 1]
            self._at += 1
        try:
            value = (
                float(number(found[1])) if unit in ("", "%") else float(duration(found[1] + unit))
            )
        except NotThis as what:
            self._at = begun
            raise self.fault(str(what)) from what
        self._at += 1
        return value, "s" if unit not in ("", "%") else unit

    def time(self) -> float:
        begun = self._at
        value, unit = self.amount()
        if unit != "s":
            self._at = begun
            raise self.fault("a time with its unit, such as 12 s")
        return value


def parse(text: str) -> Expectation:
    """Read one sentence; raises `ConfigError` that says what should stand where."""
    reader = _Reader(text)
    subject = _subject(reader)
    start, end = _window(reader)
    if subject.kind in ("none", "all"):
        bounds = Comparison(most=0)
    else:
        bounds = _comparison(reader, timed=subject.kind == "latency")
        if start == 0 and end == inf:
            start, end = _window(reader)
    if reader.peek():
        raise reader.fault("nothing more")
    if bounds.percent and subject.kind not in ("codes", "calls_to"):
        raise ConfigError("must have a plain number: only parts of all calls are percentages")
    if subject.kind == "waiting" and (start > 0 or end < inf):
        raise ConfigError("must have no time: waiting is the most of the whole run")
    if bounds.least > bounds.most:
        least, most = bounds.least, bounds.most
        raise ConfigError(f"must have bounds in their order, not between {least:g} and {most:g}")
    if start >= end:
        raise ConfigError(f"must have a time that ends after it begins, not {start:g} to {end:g} s")
    return Expectation(text, subject, start, end, bounds)


def _subject(reader: _Reader) -> Subject:
    word = reader.take()
    if word == "share":
        return _share(reader)
    if word in _EVENTS:
        return Subject("events", (word,))
    if word == "waiting":
        return Subject("waiting")
    if word == "calls" and reader.has("to"):
        kind, what = "calls_to", reader.take()
    elif word in ("mean", "max") or _QUANTILE.match(word):
        kind, what = "latency", word
    elif word in ("no", "all"):
        kind, what = ("none" if word == "no" else "all"), _code(reader.take())
    else:
        kind, what = "codes", _code(word)
    return Subject(kind, (what,), reader.take() if reader.has("of") else "")


def _share(reader: _Reader) -> Subject:
    one, mark, other = reader.take().partition("/")
    if not (one and mark and other) or "/" in other:
        raise ConfigError("must have two classes as in 'share subscriber/guest'")
    return Subject("share", (one, other))


def _code(word: str) -> str:
    if _CODE.match(word) or word in ("calls", "refused", "timeout", *_REASONS):
        return word
    raise ConfigError(
        f"must have share, no, all, calls, a latency (p99), a code (200, 5xx, timeout, refused), "
        f"a reason ({', '.join(_REASONS)}), {', '.join(_EVENTS)} or waiting, not {word!r}"
    )


def _window(reader: _Reader) -> tuple[float, float]:
    if reader.has("after"):
        return reader.time(), inf
    if reader.has("before"):
        return 0, reader.time()
    if reader.has("from"):
        start = reader.time()
        reader.take("to")
        return start, reader.time()
    return 0, inf


def _comparison(reader: _Reader, *, timed: bool) -> Comparison:
    word = reader.take("is", "at", "above", "below", "between")
    kind = reader.take("least", "most") if word == "at" else word
    values = [reader.amount()]
    if kind == "between":
        reader.take("and")
        values.append(reader.amount())
    units = {unit for _, unit in values}
    if timed is not ("s" in units) or len(units) > 1:
        wanted = "a time with its unit, such as 300 ms" if timed else "a number without a unit"
        raise ConfigError(f"must be compared with {wanted}, not as in {reader.text!r}")
    first, last, percent = values[0][0], values[-1][0], "%" in units
    if kind in ("is", "between"):
        return Comparison(first, last, percent=percent)
    if kind in ("least", "above"):
        return Comparison(least=first, open_least=kind == "above", percent=percent)
    return Comparison(most=first, open_most=kind == "below", percent=percent)
