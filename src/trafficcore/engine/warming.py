"""`Warming`: endpoints that have just joined weigh less for a while (`warmup`, slow start).

Law    a weight is the endpoint's own times `SlowStart.factor` of the time since it joined, and is
       looked at again every twentieth of the window: between two looks it stays, so that a pick
       costs no arithmetic. Endpoints that all join at once are alike, and nothing is to be seen.
State  when each endpoint joined.   Cost  O(endpoints) a look, none once all are warm
Source Envoy EdfLoadBalancerBase; Istio maps `warmup` to it. An ejection and return is no joining.
"""

from collections.abc import Mapping
from math import inf
from typing import Final

from trafficcore.core.balance import Endpoint, SlowStart

__all__ = ["Warming"]

_LOOKS: Final = 20
#: An endpoint of weight 1 in full; weights are whole numbers, and a factor is not.
_FULL: Final = 100


class Warming:
    """Sets the weights of one cluster's endpoints; for use under its lock."""

    __slots__ = ("_joined", "_settings", "_warm", "next_look")

    def __init__(self) -> None:
        self._settings: SlowStart | None = None
        self._joined: dict[str, tuple[float, int]] = {}
        self._warm = True
        #: When weights are due to change; `inf`: all are warm.
        self.next_look: float = inf

    def join(
        self, settings: SlowStart | None, endpoints: Mapping[str, Endpoint], now: float
    ) -> None:
        """Take on who is there now, each at its own weight; those that stay joined back then."""
        known, self._settings = self._joined, settings
        self._joined = {
            address: (known[address][0] if address in known else now, endpoint.weight)
            for address, endpoint in endpoints.items()
        }
        self.next_look = inf if settings is None else now
        self._warm = settings is None

    def weigh(self, endpoints: Mapping[str, Endpoint], now: float) -> bool:
        """Set the weights as of `now` if they are due; return whether any may have changed."""
        settings = self._settings
        if settings is None or now < self.next_look:
            return False
        factors = {
            address: settings.factor(now - since) for address, (since, _) in self._joined.items()
        }
        alike = len(set(factors.values())) < 2
        for address, (_, weight) in self._joined.items():
            factor = 1 if alike else factors[address] * _FULL
            endpoints[address].weight = max(1, round(weight * factor))
        warm = all(factor == 1 for factor in factors.values())
        self.next_look = inf if warm else now + settings.window / _LOOKS
        changed = not (warm and self._warm)
        self._warm = warm
        return changed
