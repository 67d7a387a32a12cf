"""Amounts a machine can work with, and times it can keep: checked and rounded in one place."""

from collections.abc import Callable
from math import inf, isfinite, ulp
from typing import Any, Literal

from trafficcore.errors import ConfigError, ImpossibleCost

__all__ = ["check_amount", "check_cost", "checked", "is_finite", "refused_cost", "round_up"]


def is_finite(value: Any) -> bool:
    """Whether a number, of whatever class, is one that a float can be: not `10**400` either."""
    try:
        return isfinite(value)
    except OverflowError:
        return False


def checked(name: str, value: Any) -> Any:
    """Return `value` if it is a finite number from 0, else raise `ConfigError`."""
    try:
        good = 0 <= value < inf and is_finite(value)
    except TypeError:
        good = False
    if not good:
        raise ConfigError(f"{name} must be a finite number from 0, not {value!r}")
    return value


def check_amount(cost: Any) -> None:
    """Raise `ConfigError` for what is no amount at all: 0, negative, no number or no finite one."""
    try:
        good = 0 < cost < inf and is_finite(cost)
    except TypeError:
        good = False
    if not good:
        raise ConfigError(f"cost must be a finite number above 0, not {cost!r}")


def refused_cost(cost: Any, capacity: float) -> Literal[False]:  # noqa: ARG001  # says what of
    """Answer for a cost that is not in `0 < cost <= capacity`.

    More than the bucket holds is refused: it never can be granted. What is no amount at all is
    the caller's mistake and raises `ConfigError`.
    """
    check_amount(cost)
    return False


def check_cost(cost: Any, capacity: float) -> None:
    """Refuse a cost that can never be granted, with an error that says which."""
    check_amount(cost)
    if cost > capacity:
        raise ImpossibleCost(f"a cost of {cost!r} is above the capacity, {capacity!r}")


def round_up(due: float, granted: Callable[[float], bool]) -> float:
    """Return the first time from `due` on, give or take its rounding, at which `granted` holds.

    `due` is right but for the last bits of a float; on exact numbers it is right as it is.
    `inf` where no time is late enough.
    """
    if isinstance(due, float):
        step = ulp(due)
        while not granted(due):
            if not due < inf:
                return inf
            due += step
            step *= 2
    return due
