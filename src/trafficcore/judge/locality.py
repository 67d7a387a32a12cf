"""TC306, TC510: localities that are on unasked, and weights that say nothing about this place."""

from collections.abc import Iterator

from trafficcore.judge.case import Case
from trafficcore.judge.ejection import detections
from trafficcore.manifest.problems import Problem
from trafficcore.spec import Destination

__all__ = ["locality"]

_SETTINGS = ("localityLbSetting", "zoneAwareLbSetting")


def locality(case: Case) -> Iterator[Problem]:
    """Judge where the calls of each destination go."""
    for rule in case.policy.destinations:
        yield from _unasked(rule, case)
        yield from _elsewhere(rule, case)


def _unasked(rule: Destination, case: Case) -> Iterator[Problem]:
    for _, path in detections(rule, case):
        balancer = path.removesuffix("outlierDetection") + "loadBalancer"
        asked = (case.places.find(rule.source, f"{balancer}.{name}") for name in _SETTINGS)
        if not any(asked):
            message = "turns locality on: callers keep to their own zone while it is healthy"
            yield case.tell("TC306", rule.source, path, message)


def _elsewhere(rule: Destination, case: Case) -> Iterator[Problem]:
    own = case.identity.locality
    setting = rule.policy.locality
    if not own or setting is None or not setting.enabled or not setting.distribute:
        return
    if not any(_takes(pattern, own) for pattern, _ in setting.distribute):
        path = f"{rule.source.path}.trafficPolicy.loadBalancer.localityLbSetting.distribute"
        message = f"no from takes {own}: calls from there go to every locality alike"
        yield case.tell("TC510", rule.source, path, message, own)


def _takes(pattern: str, own: str) -> bool:
    """Compare part by part; a `*`, and what a pattern leaves out, stands for any."""
    parts = own.split("/")
    return all(
        part == "*" or (at < len(parts) and parts[at] == part)
        for at, part in enumerate(pattern.split("/"))
    )
