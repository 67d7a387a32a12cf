"""`Endpoint`: one server of a cluster, the one mutable record of the hot path.

State  who it is (address, locality, weight, labels) and how it is (priority, health, calls in
       flight); `tally` holds its outlier counts where an owner keeps some.
Cost   a slot each; identity is equality, so that endpoints are keys at no cost.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from trafficcore.errors import ConfigError

__all__ = ["Endpoint"]


class Endpoint:
    """A server at `address` (`host:port`) in `locality` (`region/zone/sub-zone`, "" = unknown).

    The owner sets the rest, and builds a new picker after changing it: `priority` (0 goes first),
    `healthy`, and `degraded`, which only means something while healthy. `active` counts calls in
    flight and may change at any time.
    """

    __slots__ = (
        "active",
        "address",
        "degraded",
        "healthy",
        "labels",
        "locality",
        "priority",
        "tally",
        "weight",
    )

    def __init__(
        self,
        address: str,
        locality: str = "",
        weight: int = 1,
        labels: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    ) -> None:
        if not address or not isinstance(address, str):
            raise ConfigError(f"address must be a text such as host:port, not {address!r}")
        if not isinstance(weight, int) or weight < 1:
            raise ConfigError(f"weight must be a whole number from 1, not {weight!r}")
        self.address = address
        self.locality = locality
        self.weight = weight
        self.labels: Mapping[str, str] = dict(labels)
        self.priority = 0
        self.healthy = True
        self.degraded = False
        self.active = 0
        self.tally: Any = None

    def __repr__(self) -> str:
        place = f" in {self.locality}" if self.locality else ""
        health = "" if self.healthy else ", unhealthy"
        return f"<Endpoint {self.address}{place}, priority {self.priority}{health}>"
