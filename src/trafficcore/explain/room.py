"""How many hosts outlier detection lets go, and for how long: the ejector's own arithmetic."""

from math import inf
from typing import Final

from trafficcore.core.outlier import Kind, Settings, Tally
from trafficcore.core.outlier.duration import due, lengthen
from trafficcore.core.outlier.settings import ENFORCING

__all__ = ["detectors", "ejection_times", "fewest_hosts", "most_out"]

#: What a mesh can switch on; Istio never enforces the periodic detectors.
_RUNS: Final = (
    Kind.CONSECUTIVE_5XX,
    Kind.CONSECUTIVE_GATEWAY_FAILURE,
    Kind.CONSECUTIVE_LOCAL_ORIGIN_FAILURE,
)


def detectors(settings: Settings) -> dict[Kind, int]:
    """Return the detectors that eject, each with how many failures in a row it takes."""
    found = {}
    for kind in _RUNS:
        wanted = getattr(settings, kind.value)  # a detector and its setting have one name
        local = kind is Kind.CONSECUTIVE_LOCAL_ORIGIN_FAILURE
        if local and not settings.split_external_local_origin_errors:
            continue
        if wanted and getattr(settings, ENFORCING[kind]):
            found[kind] = wanted
    return found


def most_out(settings: Settings, hosts: int) -> int:
    """Return how many of so many hosts can be out at once."""
    if not hosts or not detectors(settings):
        return 0
    allowed = settings.max_ejection_percent * hosts // 100
    return max(allowed, int(settings.always_eject_one_host))


def fewest_hosts(settings: Settings) -> float:
    """Return with how many hosts the first can go; `inf`: never."""
    percent = settings.max_ejection_percent
    if not detectors(settings):
        return inf
    if settings.always_eject_one_host:
        return 1
    return -(-100 // percent) if percent else inf


def ejection_times(settings: Settings, how_many: int) -> tuple[float, ...]:
    """Return how long the first ejections of one endpoint last at least, each after the other."""
    tally, times = Tally("any"), list[float]()
    tally.last_ejection = 0
    for _ in range(how_many):
        lengthen(tally, settings)
        times.append(due(tally, settings))
    return tuple(times)
