"""Presets are the settings their libraries document, and those of the vectors named after them."""

import json
from fractions import Fraction
from pathlib import Path

import attrs
import pytest

from conformance import breaker as format_
from support import policies as p
from trafficcore.core.breaker import (
    ERROR,
    Breaker,
    Count,
    Cumulative,
    HalfOpen,
    Open,
    Ratio,
    Rule,
    Rules,
    Settings,
    State,
    Time,
    presets,
)
from trafficcore.engine.compile import breaker_settings
from trafficcore.errors import ConfigError

VECTORS = Path(__file__).parents[2] / "conformance" / "vectors" / "breaker"

#: What the vectors say otherwise, without a difference to their traces: an idle half-open is
#: given no time limit by either; the seed writes its minimum beside a rule that has none.
FROM_VECTORS = {
    "gobreaker_default": presets.gobreaker(),
    "r4j_half_open_back_to_closed": presets.resilience4j(
        window=Time(20, 20),
        min_calls=5,
        slow_rate=0.5,
        slow_after=4,
        open_for=5,
        probes=4,
    ),
    "sentinel_exception_ratio": presets.sentinel(
        error_ratio=0.2, open_for=10, window=20, min_calls=1
    ),
    "sentinel_slow_ratio_of_one": presets.sentinel(
        slow_after=0.01, open_for=5, window=5, min_calls=3
    ),
    "seed_config_limits_of_slow": presets.asm(slow_after=0.5, max_slow=5, open_for=60),
}


def behaviour(settings):
    """Return what settings do: each rule with its own minimum and its value as it was meant."""
    half_open = settings.half_open
    if half_open is not None and half_open.max_wait is None:
        half_open = attrs.evolve(half_open, max_wait_from="first_probe")
    slow = settings.slow_after
    trip = [
        (rule.measure, rule.exact, rule.op, settings.minimum(rule) if rule.is_rate else 0)
        for rule in settings.trip
    ]
    opening = settings.open if half_open is not None else attrs.evolve(settings.open, auto=True)
    return (
        *(settings.window, None if slow is None else float(slow), settings.evaluate_on),
        *(settings.late, trip, opening, half_open, settings.initial_state),
    )


@pytest.mark.parametrize("name", FROM_VECTORS)
def test_a_preset_is_what_the_vectors_of_its_library_say(name):
    text = (VECTORS / f"{name}.json").read_text("utf-8")
    config = json.loads(text, parse_float=Fraction)["config"]
    assert behaviour(FROM_VECTORS[name]) == behaviour(format_.settings(config))


def test_asm_is_what_the_engine_makes_of_a_manifest():
    rule = {
        "window": 5,
        "open_for": 7,
        "slow_after": 0.2,
        "max_slow": 3,
        "error_percent": 35,
        "gateway_error_percent": 7,
        "min_requests": 11,
    }
    made = presets.asm(
        window=5,
        open_for=7,
        slow_after=0.2,
        max_slow=3,
        error_rate=0.35,
        gateway_error_rate=0.07,
        min_calls=11,
    )
    assert made == breaker_settings(p.breaker(rule=rule))


def test_the_defaults_of_asm():
    made = presets.asm(error_rate=0.5)
    assert made.window == Time(10, 10)
    assert (made.open.duration, made.half_open, made.slow_after) == (30, None, None)
    assert made.trip == (Rule("error_rate", 0.5, min_calls=1),)
    assert presets.asm(slow_after=1).trip == presets.asm(max_slow=1).trip == ()


def test_the_defaults_of_resilience4j():
    assert presets.resilience4j() == Settings(
        window=Count(100),
        slow_after=60,
        min_calls=100,
        late="count",
        trip=(Rule("error_rate", 0.5), Rule("slow_rate", 1)),
        open=Open(60, edge=">", auto=False),
        half_open=HalfOpen(10, verdict=Rules(10), max_wait=None, max_wait_from="entry"),
    )
    few = presets.resilience4j(min_calls=3)
    assert few.half_open.verdict == Rules(3)
    assert presets.resilience4j(min_calls=0).half_open.verdict == Rules(1)


def test_the_defaults_of_sentinel_and_its_one_rule():
    settings = presets.sentinel(error_count=2, open_for=10)
    assert (settings.window, settings.min_calls) == (Time(1, 1), 5)
    assert settings.trip == (Rule("error_count", 2, ">"),)
    assert presets.sentinel(slow_after=1, slow_ratio=0.5, open_for=1).trip[0].op == ">"
    assert presets.sentinel(slow_after=1, open_for=1).trip == (Rule("slow_rate", 1, ">="),)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({}, "one of"),
        ({"error_ratio": 0.1, "error_count": 1}, "one of"),
        ({"slow_after": 1, "error_count": 1}, "one of"),
        ({"slow_ratio": 0.5}, "needs slow_after"),
    ],
)
def test_sentinel_with_another_number_of_rules_is_refused(wrong, told):
    with pytest.raises(ConfigError, match=told):
        presets.sentinel(open_for=1, **wrong)


def test_gobreaker_may_clear_its_counts_and_ask_for_more_probes():
    settings = presets.gobreaker(max_requests=3, interval=30, timeout=5, consecutive_errors=1)
    assert settings.window == Time(30, 1, "start")
    assert settings.half_open == HalfOpen(3, verdict=Ratio(3, 3), max_wait=None)
    assert settings.open == Open(5, edge=">")
    assert settings.trip == (Rule("consecutive_errors", 1, ">"),)


def test_five_errors_in_a_row_as_pybreaker_has_it():
    settings = presets.consecutive()
    assert (settings.window, settings.open) == (Cumulative(), Open(60, auto=False))
    breaker = Breaker(settings)
    for _ in range(5):
        assert breaker.state(0) is State.CLOSED
        breaker.bad(breaker.try_acquire(0), 0, ERROR)
    assert breaker.state(0) is State.OPEN
    assert breaker.state(60) is State.OPEN  # until a call asks
    breaker.good(breaker.try_acquire(60), 60)
    assert breaker.state(60) is State.CLOSED
    assert presets.consecutive(need=2).half_open == HalfOpen(2, verdict=Ratio(2, 2))
