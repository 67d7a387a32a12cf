"""`hosts_picker`: the algorithm a DestinationRule names becomes what picks among hosts of a group.

Law    LEAST_REQUEST (also where nothing is named): of two hosts drawn at random the less busy one,
       by weight over calls in flight where weights differ. RANDOM: a draw by weight. ROUND_ROBIN:
       turns by weight. Priorities and localities have their say before, and stay exact turns.
       Without a draw there is no chance in it: hosts take turns whatever is named.
State  none.   Cost  O(hosts), off the hot path
Source Istio loadBalancer.simple; Envoy least_request_lb.cc
"""

from collections.abc import Callable
from typing import Any

from trafficcore.core.balance import Endpoint, Picker, RandomChoice, TwoChoices, Weighted

__all__ = ["Draw", "HostsPicker", "hosts_picker"]

#: Gives floats from 0 to below 1.
Draw = Callable[[], float]
#: Makes the picker of one group of hosts, given the lock of their cluster.
HostsPicker = Callable[[Any, tuple[Endpoint, ...]], Picker]


def hosts_picker(simple: str, draw: Draw | None) -> HostsPicker | None:
    """Return what makes the picker of a group of hosts; None: turns by weight."""
    if draw is None or simple == "ROUND_ROBIN":
        return None
    chance = draw
    if simple == "RANDOM":
        return lambda lock, hosts: RandomChoice(hosts, chance, lock)

    def least_request(lock: Any, hosts: tuple[Endpoint, ...]) -> Picker:
        weights = {host.weight for host in hosts}
        if len(weights) < 2:
            return TwoChoices(hosts, chance, lock)
        # clients that start at different points do not all go to the same host first
        start = int(chance() * sum(host.weight for host in hosts))
        return Weighted(hosts, picks=start, lock=lock)

    return least_request
