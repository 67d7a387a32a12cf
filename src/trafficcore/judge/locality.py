"""TC306, TC316, TC510: localities on unasked, too few hosts for zones, weights of other places."""

from collections.abc import Iterator

from trafficcore.judge.case import Case
from trafficcore.judge.ejection import detections, known_hosts
from trafficcore.manifest.problems import Problem
from trafficcore.spec import Destination

__all__ = ["locality"]

_SETTINGS = ("localityLbSetting", "zoneAwareLbSetting")


def locality(case: Case) -> Iterator[Problem]:
    """Judge where the calls of each destination go."""
    for rule in case.policy.destinations:
        yield from _unasked(rule, case)
        yield from _elsewhere(rule, case)
        yield from _too_few(rule, case)


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


def _too_few(rule: Destination, case: Case) -> Iterator[Problem]:
    zones, hosts = rule.policy.zone_aware, known_hosts(rule, case)
    if zones is None or not zones.enabled or hosts is None or hosts >= zones.min_cluster_size:
        return
    least = zones.min_cluster_size
    path = f"{rule.source.path}.trafficPolicy.loadBalancer.zoneAwareLbSetting"
    message = f"zones are never looked at: {hosts} hosts are fewer than minClusterSize, {least}"
    yield case.tell("TC316", rule.source, path, message, str(least))


def _takes(pattern: str, own: str) -> bool:
    """Compare part by part; a `*`, and what a pattern leaves out, stands for any."""
    parts = own.split("/")
    return all(
        part == "*" or (at < len(parts) and parts[at] == part)
        for at, part in enumerate(pattern.split("/"))
    )
