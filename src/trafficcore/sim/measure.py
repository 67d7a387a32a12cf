"""What an expectation sees of a run: a few counts each, entered as the calls end.

The window of an expectation is known before the run, so its counts are exact and need no record
of single calls.
"""

from collections.abc import Callable, Sequence
from math import isnan, nan
from typing import Any

import attrs

from trafficcore.engine.events import BreakerChanged, EndpointEjected, EndpointReturned, Event
from trafficcore.sim.expect import Expectation
from trafficcore.sim.histogram import Histogram
from trafficcore.sim.loads import Call
from trafficcore.sim.stats import NO_ANSWER

__all__ = ["Gauge", "Verdict", "gauges"]


@attrs.frozen(kw_only=True)
class Verdict:
    """How an expectation came out. `value` is None where there was nothing to measure."""

    text: str
    holds: bool
    value: float | None
    shown: str

    def __str__(self) -> str:
        return f"{'holds' if self.holds else 'FAILS'}  {self.text}  ({self.shown})"


class Gauge:
    """Measures one expectation: `observe` each call's end, `listen` to transitions, then judge."""

    def __init__(self, expectation: Expectation) -> None:
        self.expectation = expectation
        self._hits = 0
        self._all = 0
        self._took = Histogram()
        subject = expectation.subject
        self._first = subject.what[0] if subject.what else ""
        self._enter: Callable[[Call, float], None] = {
            "all": self._others,
            "share": self._share,
            "latency": self._latency,
            "calls_to": self._calls_to,
        }.get(subject.kind, self._codes)
        self._is = _code_test(self._first)

    def observe(self, call: Call, now: float) -> None:
        """Note how a call ended."""
        expectation = self.expectation
        of = expectation.subject.of
        if expectation.start <= now < expectation.end and of in ("", call.load.spec.name):
            self._enter(call, now)

    def listen(self, event: Event) -> None:
        """Note a transition."""
        if self.expectation.subject.kind == "events" and (
            self.expectation.start <= event.at < self.expectation.end
        ):
            self._hits += _is_event(self._first, event)

    def _codes(self, call: Call, _now: float) -> None:
        self._all += 1
        self._hits += self._is(call)

    def _others(self, call: Call, _now: float) -> None:
        self._all += 1
        self._hits += not self._is(call)

    def _share(self, call: Call, _now: float) -> None:
        if 0 < call.code < 400:
            one, other = self.expectation.subject.what
            name = call.load.spec.name
            self._hits += name == one
            self._all += name == other

    def _latency(self, call: Call, now: float) -> None:
        self._took.add(now - call.sent)
        if self._took.full:
            self._took.settle()

    def _calls_to(self, call: Call, _now: float) -> None:
        server = call.server
        if server is not None:
            place, zone = self._first, server.locality
            self._all += 1
            self._hits += place in (server.address, zone) or zone.startswith(f"{place}/")

    def _value(self, most_waiting: int) -> float:
        kind = self.expectation.subject.kind
        if kind == "waiting":
            return most_waiting
        if kind == "latency":
            return self._latency_value()
        if kind == "share" or self.expectation.bounds.percent:
            part = self._hits / self._all if self._all else nan
            return part if kind == "share" else 100 * part
        return self._hits

    def _latency_value(self) -> float:
        took = self._took
        if not took.count or self._first == "mean":
            return took.mean if took.count else nan
        return took.quantile(1 if self._first == "max" else float(self._first[1:]) / 100)

    def verdict(self, most_waiting: int) -> Verdict:
        """Judge: what could not be measured does not hold."""
        expectation = self.expectation
        value = self._value(most_waiting)
        known = not isnan(value)
        empty = expectation.subject.kind == "all" and not self._all
        return Verdict(
            text=expectation.text,
            holds=known and not empty and expectation.bounds.holds(value),
            value=value if known else None,
            shown="nothing to measure" if not known or empty else self._shown(value),
        )

    def _shown(self, value: float) -> str:
        kind = self.expectation.subject.kind
        if kind == "latency":
            return f"{value:.4g} s"
        if kind == "all":
            return f"{value:g} of {self._all} were other"
        if self.expectation.bounds.percent:
            return f"{value:.3g} %, {self._hits} of {self._all}"
        return f"{value:.4g}" if kind == "share" else f"{value:g}"


def gauges(expectations: Sequence[Expectation]) -> list[Gauge]:
    """Make the gauges of a scenario."""
    return [Gauge(expectation) for expectation in expectations]


def _code_test(code: str) -> Callable[[Call], bool]:
    if code == "calls":
        return lambda call: True  # noqa: ARG005
    if code == "refused":
        return lambda call: bool(call.reason)
    if code == "timeout":
        return lambda call: call.code == NO_ANSWER
    if code.endswith("xx"):
        hundred = int(code[0])
        return lambda call: call.code // 100 == hundred
    if code.isdigit():
        number = int(code)
        return lambda call: call.code == number
    return lambda call: call.reason == code


def _is_event(name: str, event: Any) -> bool:
    if name == "trips":
        return isinstance(event, BreakerChanged) and event.after == "open"
    if name == "ejections":
        return isinstance(event, EndpointEjected) and event.enforced
    return isinstance(event, EndpointReturned)
