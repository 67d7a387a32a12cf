"""What `loadBalancer` means: who of the endpoints that may be called takes the next call."""

from collections.abc import Iterator
from typing import Final

from trafficcore.explain.meaning import Meaning
from trafficcore.explain.words import number, span
from trafficcore.spec import TrafficPolicy

__all__ = ["balancing_meanings"]

_LEAST: Final = (
    "least requests",
    (
        "Of two endpoints drawn at random the one with fewer calls in flight takes the next; where"
        " weights differ they go by weight over calls in flight."
    ),
)
_SAID: Final = {
    "ROUND_ROBIN": ("in turns", "Endpoints that may be called take turns, by weight."),
    "RANDOM": ("at random", "Each call goes to an endpoint drawn at random, by weight."),
    "PASSTHROUGH": (
        "none",
        "Each call goes to the address it names: endpoints are not looked at.",
    ),
}


def balancing_meanings(policy: TrafficPolicy) -> Iterator[Meaning]:
    """Say by which algorithm endpoints are chosen, and how those that join grow."""
    value, text = _SAID.get(policy.simple, _LEAST)
    yield Meaning("balancing", value, text)
    warmup = policy.warmup
    if warmup is None or policy.simple in ("RANDOM", "PASSTHROUGH"):
        return
    least = number(warmup.minimum_percent)
    text = (
        f"An endpoint that joins others begins with {least} % of its weight at least and has all of"
        f" it after {span(warmup.duration)}."
    )
    if warmup.aggression != 1:
        power = number(warmup.aggression)
        text += f" Its part is the part of the time gone by, to the power of 1 / {power}."
    yield Meaning("warm-up", span(warmup.duration), text)
