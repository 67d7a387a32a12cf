"""What `loadBalancer` means: who of the endpoints that may be called takes the next call."""

from collections.abc import Iterator
from typing import Final

from trafficcore.explain.meaning import Meaning
from trafficcore.explain.words import number, span
from trafficcore.spec import ConsistentHash, TrafficPolicy

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
    if policy.hashing is not None:
        yield from _hashing(policy.hashing)
        return
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


def _hashing(spec: ConsistentHash) -> Iterator[Meaning]:
    key = _key(spec)
    if not key:
        text = "Each call goes to an endpoint drawn at random: consistentHash names no key."
        yield Meaning("balancing", "at random", text)
        return
    text = (
        f"Calls of one {key} go to one endpoint while it may be called; a call without it goes to"
        " one drawn at random."
    )
    yield Meaning("balancing", f"by {key}", text)
    cookie = spec.cookie
    if cookie is not None and cookie.ttl is not None:
        lasting = span(int(cookie.ttl)) if int(cookie.ttl) else "as long as its client"
        text = f"Where it is missing, the answer sets one that lasts {lasting}."
        yield Meaning("cookie", lasting, text)
    if spec.maglev:
        yield Meaning("table", f"maglev of {spec.size}", f"Maglev, a table of {spec.size} places.")
        return
    text = (
        f"A ring of at least {spec.size} places: where endpoints are fewer, those that stay take"
        " more of them when one goes, and so other calls move than its own."
    )
    yield Meaning("table", f"ring of {spec.size}", text)


def _key(spec: ConsistentHash) -> str:
    """Say in a phrase what is hashed, "" for nothing."""
    if spec.header:
        return f"header {spec.header}"
    if spec.cookie is not None:
        return f"cookie {spec.cookie.name}"
    if spec.query:
        return f"query parameter {spec.query}"
    return "source address" if spec.source_address else ""
