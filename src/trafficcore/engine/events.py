"""What an engine tells its listeners: transitions and summaries only, never single requests.

A listener is a plain callable of one event. It is called outside every lock, in the order of the
changes, by whichever thread noticed them; what it raises is counted and goes no further.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from trafficcore.outcome import Reason
from trafficcore.spec import Source

__all__ = [
    "BreakerChanged",
    "DiscoveryFailed",
    "DiscoveryRestored",
    "EndpointEjected",
    "EndpointReturned",
    "EndpointsChanged",
    "Event",
    "Listener",
    "ModeChanged",
    "PolicyLoaded",
    "QueueFull",
    "Refusals",
    "RuleRead",
    "Unmatched",
]


@attrs.frozen
class Event:
    """Anything that happened at `at` (seconds on the engine's clock)."""

    at: float


@attrs.frozen
class RuleRead(Event):
    """A rule was read: it is about `about` here, or does not apply because of `why_not`."""

    source: Source
    about: str
    why_not: str


@attrs.frozen
class PolicyLoaded(Event):
    """A set of policies took effect: `kept` of its rules brought their state along."""

    rules: int
    kept: int
    notices: tuple[str, ...]
    reload: bool
    #: Why the first of them does not apply to this process, where none does.
    idle: str = ""


@attrs.frozen
class BreakerChanged(Event):
    """A breaker went from one state to another; `until` is None where no time ends the state."""

    source: Source
    before: str
    after: str
    reason: str
    counts: Mapping[str, Any]
    until: float | None


@attrs.frozen
class EndpointEjected(Event):
    """An endpoint gets no calls until the sweep at `until`; None where it was not `enforced`."""

    source: Source
    cluster: str
    address: str
    kind: str
    enforced: bool
    until: float | None
    ejections: int
    count: int


@attrs.frozen
class EndpointReturned(Event):
    """An ejected endpoint gets calls again."""

    source: Source
    cluster: str
    address: str


@attrs.frozen
class EndpointsChanged(Event):
    """A source told of other endpoints: addresses that are new, and those that are no more."""

    cluster: str
    joined: tuple[str, ...]
    left: tuple[str, ...]


@attrs.frozen
class DiscoveryFailed(Event):
    """A source could not say who the endpoints are; those that were known stay."""

    cluster: str
    error: str


@attrs.frozen
class DiscoveryRestored(Event):
    """The source of a cluster's endpoints answers again."""

    cluster: str


@attrs.frozen
class Refusals(Event):
    """`count` requests were refused by a rule since `since`; one such line per rule and 10 s."""

    source: Source
    reason: Reason
    count: int
    since: float
    enforced: bool


@attrs.frozen
class QueueFull(Event):
    """A queue holds as many as it may; told once per busy period of 10 s."""

    source: Source
    waiting: int


@attrs.frozen
class Unmatched(Event):
    """`count` requests met no rule at all: the likeliest cause is a Host nobody declared."""

    count: int
    host: str


@attrs.frozen
class ModeChanged(Event):
    """Somebody switched between `enforce`, `shadow` and `off`."""

    before: str
    after: str


Listener = Callable[[Event], None]
