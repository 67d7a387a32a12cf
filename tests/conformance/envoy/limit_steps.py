"""The steps of a limit vector, replayed; what is not known is an error."""

from collections.abc import Callable, Collection
from fractions import Fraction
from typing import Any, Protocol

from trafficcore.errors import ConfigError

CASE = {"name", "source", "kind", "config", "hosts", "steps", "expect_error"}


class World(Protocol):
    def act(self, op: str, step: dict[str, Any]) -> None:
        """Carry out a step; `step` is without its op."""

    def check(self, key: str, expected: Any) -> None:
        """Assert one expectation."""


def known(given: Collection[str], allowed: Collection[str], what: str) -> None:
    """Raise on keys that nobody would look at."""
    unknown = sorted(set(given) - set(allowed))
    assert not unknown, f"unknown in {what}: {', '.join(unknown)}"


def number(value: Any) -> Fraction:
    assert isinstance(value, int | Fraction), f"not a number: {value!r}"
    assert not isinstance(value, bool), f"not a number: {value!r}"
    return Fraction(value)


def count(value: Any) -> int:
    exact = number(value)
    assert exact.denominator == 1, f"not a whole number: {value!r}"
    assert exact >= 0, f"negative: {value!r}"
    return int(exact)


def replay(case: dict[str, Any], build: Callable[[dict[str, Any]], World]) -> None:
    known(case, CASE, "case")
    assert not case.get("hosts"), "a limiter has no hosts"
    config, steps = case.get("config", {}), case.get("steps", [])
    if case.get("expect_error", False):
        assert not steps, "a rejected config has no steps"
        try:
            build(config)
        except ConfigError:
            return
        raise AssertionError(f"accepted, and should not have been: {config}")
    world = build(config)
    for index, step in enumerate(steps):
        assert step.keys() & {"op", "expect"}, f"step {index} does nothing: {step}"
        action = {key: value for key, value in step.items() if key not in ("op", "expect")}
        if "op" in step:
            world.act(step["op"], action)
        else:
            known(action, (), f"step {index}")
        for key, expected in step.get("expect", {}).items():
            try:
                world.check(key, expected)
            except AssertionError as error:
                raise AssertionError(f"step {index} {step}: {error}") from error


def same(key: str, got: Any, expected: Any) -> None:
    assert got == expected, f"{key} is {got!r}, not {expected!r}"
