"""Plays a case against an adapter of the balancing files.

An adapter takes the config as keyword arguments, has a method `op_<name>` for each op, taking the
step's other keys as keyword arguments, and `expect_<key>` for each thing expected. So a key that
nobody knows raises by itself.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import pytest

from trafficcore.errors import ConfigError

CASE_KEYS = {"name", "source", "kind", "config", "hosts", "steps", "expect_error", "note"}


def play(case: dict[str, Any], make: Callable[..., Any]) -> None:
    unknown = set(case) - CASE_KEYS
    assert not unknown, f"unknown keys in the case: {sorted(unknown)}"
    config, hosts = case.get("config", {}), case.get("hosts", [])
    if case.get("expect_error"):
        with pytest.raises(ConfigError):
            make(hosts, **config)
        return
    adapter = make(hosts, **config)
    for number, step in enumerate(case["steps"]):
        arguments = dict(step)
        expected = arguments.pop("expect", {})
        op = arguments.pop("op", None)
        assert op or expected, f"step {number} does nothing: {step}"
        if op is not None:
            getattr(adapter, f"op_{op}")(**arguments)
        else:
            arguments.pop("t", None)
            assert not arguments, f"step {number}: unknown keys {sorted(arguments)}"
        for key, value in expected.items():
            try:
                getattr(adapter, f"expect_{key}")(value)
            except AssertionError as fault:
                raise AssertionError(f"{case['name']}, step {number}, {key}: {fault}") from None


def same(actual: Any, expected: Any) -> None:
    assert actual == expected, f"{actual!r} instead of {expected!r}"


def close(actual: Any, expected: Any, tolerance: Fraction) -> None:
    """Compare numbers, or lists of them, one by one."""
    if isinstance(expected, list):
        same(len(actual), len(expected))
        for one, other in zip(actual, expected, strict=True):
            close(one, other, tolerance)
        return
    assert abs(Fraction(actual) - Fraction(expected)) <= tolerance, (
        f"{float(actual)} instead of {float(expected)}"
    )


def draws(numbers: list[int]) -> Iterator[int]:
    """The draws of a case in order, and 0 when they are used up."""
    yield from numbers
    while True:
        yield 0


def same_counts(picks: list[Any], names: list[Any], expected: Any) -> None:
    """Compare how often each was picked: by name, or in the order of the names."""
    counts = {name: picks.count(name) for name in names}
    if isinstance(expected, dict):
        assert set(expected) <= {str(name) for name in names}, f"unknown hosts in {expected}"
        same({str(k): v for k, v in counts.items() if str(k) in expected or v}, expected)
    else:
        same([counts[name] for name in names], expected)
