"""Runs one breaker vector on `trafficcore.core.breaker`, on whole numbers and fractions.

The format is in vectors/breaker/README.md. All of it is known here, and a key that is not is an
error: nothing is passed over. A permit settles once (R4), which is the holder's part: a second
report of a call, or one of a call that was refused (R7), only lets the time pass.
"""

import json
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from trafficcore.core.breaker import (
    Breaker,
    Count,
    Cumulative,
    HalfOpen,
    IllegalMove,
    Open,
    Ratio,
    Response,
    Rule,
    Rules,
    Settings,
    Time,
    answer,
)
from trafficcore.errors import ConfigError

CASE = {"name", "source", "note", "config", "steps"}
OPS = {
    "acquire": {"id"},
    "record": {"id", "outcome", "duration"},
    "release": {"id"},
    "read": set(),
    "to": {"state", "for"},
    "reset": set(),
}
EXPECT = {
    "expect_permitted",
    "expect_state",
    "expect_changes",
    "expect_metrics",
    "expect_retry_after",
    "expect_exceeded",
    "expect_error",
    "expect_response",
}
EXACT = {
    "total",
    "errors",
    "successes",
    "slow",
    "slow_errors",
    "rejected",
    "attempts",
    "late",
    "ignored",
}
NEARLY = {"duration_total", "error_rate", "slow_rate"}


class Unknown(Exception):
    """The vector says something that the format does not have."""


def known(where: str, given: Mapping[str, Any], *names: set[str]) -> None:
    odd = set(given).difference(*names)
    if odd:
        raise Unknown(f"{where}: {sorted(odd)}")


def exact(value: Any) -> Any:
    """Numbers as fractions: then no division on the way makes a float."""
    return Fraction(value) if isinstance(value, int | float) and value is not True else value


def one_of(where: str, value: Any, *values: Any) -> Any:
    if value not in values:
        raise Unknown(f"{where}: {value!r}")
    return value


def window(config: Mapping[str, Any]) -> Any:
    kind = config["kind"]
    if kind == "time":
        known("window", config, {"kind", "size", "buckets", "attribute"})
        return Time(exact(config["size"]), config["buckets"], config.get("attribute", "end"))
    if kind == "count":
        known("window", config, {"kind", "size"})
        return Count(config["size"])
    one_of("window.kind", kind, "cumulative")
    known("window", config, {"kind"})
    return Cumulative()


def rule(config: Mapping[str, Any]) -> Rule:
    known("trip", config, {"measure", "op", "value", "min_calls"})
    value, op = exact(config["value"]), config.get("op", ">=")
    return Rule(config["measure"], value, op, config.get("min_calls"))


def verdict(config: Mapping[str, Any]) -> Any:
    if config["kind"] == "ratio":
        known("verdict", config, {"kind", "need", "of"})
        return Ratio(config["need"], config["of"])
    one_of("verdict.kind", config["kind"], "rules")
    known("verdict", config, {"kind", "after"})
    return Rules(config["after"])


def half_open(config: Mapping[str, Any] | None) -> HalfOpen | None:
    if config is None:
        return None
    waits = {"max_wait", "max_wait_from", "max_wait_to"}
    known("half_open", config, {"permits", "max_concurrent", "verdict"}, waits)
    return HalfOpen(
        permits=config.get("permits", 1),
        max_concurrent=config.get("max_concurrent"),
        verdict=verdict(config.get("verdict", {"kind": "ratio", "need": 1, "of": 1})),
        max_wait=exact(config.get("max_wait")),
        max_wait_from=config.get("max_wait_from", "first_probe"),
        max_wait_to=config.get("max_wait_to", "open"),
    )


def opening(config: Mapping[str, Any]) -> Open:
    known("open", config, {"duration", "edge", "multiplier", "max", "auto"})
    return Open(
        exact(config["duration"]),
        multiplier=exact(config.get("multiplier", 1)),
        max=exact(config.get("max")),
        edge=config.get("edge", ">="),
        auto=config.get("auto", True),
    )


def response(config: Mapping[str, Any] | None) -> Response | None:
    if config is None:
        return None
    known("response", config, {"status", "headers", "body"})
    return Response(config.get("status", 503), config.get("headers", {}), config.get("body", ""))


def settings(config: Mapping[str, Any]) -> Settings:
    when = {"window", "min_calls", "slow_after", "trip", "evaluate_on"}
    known("config", config, when, {"open", "half_open", "late", "initial_state", "response"})
    return Settings(
        window=window(config["window"]),
        slow_after=exact(config.get("slow_after")),
        min_calls=config.get("min_calls", 1),
        evaluate_on=config.get("evaluate_on", "any"),
        late=config.get("late", "drop"),
        trip=[rule(each) for each in config.get("trip", ())],
        open=opening(config["open"]),
        half_open=half_open(config.get("half_open")),
        initial_state=config.get("initial_state", "closed"),
        response=response(config.get("response")),
    )


class Run:
    """One trace, on one breaker."""

    def __init__(self, case: Mapping[str, Any]) -> None:
        known("case", case, CASE)
        self.breaker = Breaker(settings(case["config"]), now=Fraction(0))
        self.permits: dict[str, tuple[int, Fraction]] = {}
        self.used: set[str] = set()

    def step(self, step: Mapping[str, Any]) -> None:
        op = one_of("op", step["op"], *OPS)
        known(op, step, {"t", "op"}, OPS[op], EXPECT)
        now = exact(step["t"])
        before = self.seen(now) if step.get("expect_error") else None
        try:
            permitted = getattr(self, op)(step, now)
        except (IllegalMove, ConfigError) as refusal:
            if not step.get("expect_error"):
                raise AssertionError(f"refused: {refusal}") from refusal
            assert self.seen(now) == before, "a step that was refused has changed something"
        else:
            assert not step.get("expect_error"), "should have been refused"
            if op == "acquire" or "expect_permitted" in step:
                assert permitted is step["expect_permitted"], f"permitted: {permitted}"
        self.check(step, now, self.breaker.take_changes())

    def seen(self, now: Fraction) -> dict[str, Any]:
        return self.breaker.snapshot(now)

    def acquire(self, step: Mapping[str, Any], now: Fraction) -> bool:
        era = self.breaker.try_acquire(now)
        if step["id"] in self.used:
            raise Unknown(f"call {step['id']!r} is acquired twice")
        self.used.add(step["id"])
        if era:
            self.permits[step["id"]] = era, self.breaker.now
        return bool(era)

    def record(self, step: Mapping[str, Any], now: Fraction) -> None:
        outcome = one_of("outcome", step["outcome"], "success", "error", "ignored")
        permit = self.take(step, now)
        if permit is None:
            return
        era, start = permit
        if outcome == "ignored":
            self.breaker.ignore(era, now)
        else:
            duration = exact(step.get("duration", 0))
            error = outcome == "error"
            self.breaker.record(era, now, error=error, duration=duration, start=start)

    def release(self, step: Mapping[str, Any], now: Fraction) -> None:
        permit = self.take(step, now)
        if permit is not None:
            self.breaker.release(permit[0], now)

    def take(self, step: Mapping[str, Any], now: Fraction) -> tuple[int, Fraction] | None:
        if step["id"] not in self.used:
            raise Unknown(f"call {step['id']!r} was never acquired")
        permit = self.permits.pop(step["id"], None)
        if permit is None:
            self.breaker.state(now)
        return permit

    def read(self, step: Mapping[str, Any], now: Fraction) -> None:
        self.breaker.state(now)

    def to(self, step: Mapping[str, Any], now: Fraction) -> None:
        self.breaker.to(step["state"], now, exact(step.get("for")))

    def reset(self, step: Mapping[str, Any], now: Fraction) -> None:
        self.breaker.reset(now)

    def check(self, step: Mapping[str, Any], now: Fraction, changes: list[Any]) -> None:
        seen = self.seen(now)
        moves = [[change.from_.value, change.to.value] for change in changes]
        by_looking = self.breaker.take_changes()
        assert not by_looking, f"looking at it moved it: {by_looking}"
        if "expect_state" in step:
            assert seen["state"] == step["expect_state"], f"state {seen['state']}"
        if "expect_changes" in step:
            assert moves == [list(move) for move in step["expect_changes"]], f"changes {moves}"
        if "expect_retry_after" in step:
            expected = exact(step["expect_retry_after"])
            assert seen["retry_after"] == expected, f"retry after {seen['retry_after']}"
        if "expect_exceeded" in step:
            exceeded = sorted(step["expect_exceeded"])
            assert seen["exceeded"] == exceeded, f"exceeded {seen['exceeded']}"
        self.check_metrics(step.get("expect_metrics", {}), seen)
        if "expect_response" in step:
            self.check_response(step["expect_response"], seen)

    def check_metrics(self, expected: Mapping[str, Any], seen: Mapping[str, Any]) -> None:
        known("expect_metrics", expected, EXACT, NEARLY)
        for name, value in expected.items():
            found = seen[name]
            if name in EXACT or value is None or found is None:
                assert found == value, f"{name}: {found}, not {value}"
            else:
                assert abs(found - value) <= 1e-6, f"{name}: {float(found)}, not {float(value)}"

    def check_response(self, expected: Mapping[str, Any], seen: Mapping[str, Any]) -> None:
        known("expect_response", expected, {"status", "headers", "body"})
        sent = answer(self.breaker.settings.response, seen["retry_after"])
        headers = {name.lower(): value for name, value in sent.headers}
        if "status" in expected:
            assert sent.status == expected["status"], f"status {sent.status}"
        if "body" in expected:
            assert sent.body == expected["body"], f"body {sent.body!r}"
        for name, value in expected.get("headers", {}).items():
            text = value if isinstance(value, str) else json.dumps(value)
            assert headers.get(name.lower()) == text, f"header {name}: {headers}"


def run(case: dict[str, Any]) -> None:
    """Raise AssertionError at the first step that does not show what the vector expects."""
    trace = Run(case)
    for number, step in enumerate(case["steps"]):
        try:
            trace.step(step)
        except (AssertionError, ConfigError, KeyError) as difference:
            kind = type(difference).__name__
            text = f"{case['name']}: step {number} {step}: {kind}: {difference}"
            raise AssertionError(text) from difference
