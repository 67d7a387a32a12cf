"""TC301 to TC304, TC308, TC315: whether outlier detection can eject anybody, and may eject all.

Law    A host goes if 100 * (out + 1) / hosts is at most `max_ejection_percent` (Envoy, and Istio
       after 1.22; up to it the first always goes, which `--istio` says). How many hosts there are
       is what the command line says of the name, else what a ServiceEntry lists, else what the
       command line says of all.
"""

from collections.abc import Iterator

from trafficcore.engine.istio_version import always_first
from trafficcore.judge.case import Case
from trafficcore.manifest.problems import Problem
from trafficcore.spec import Destination, OutlierDetection

__all__ = ["detections", "ejection", "known_hosts"]

_ALL = 100
#: Two and three hosts are what many services have; a limit that ejects none of them is told.
_MANY = 4
#: While so many per cent are healthy they take every call, and nobody panics: 1.4 times 72.
_SPILLS = 72
#: Which versions keep to the percentage from the first host on.
_AFTER = " (Istio after 1.22)"


def ejection(case: Case) -> Iterator[Problem]:
    """Judge every outlier detection of every destination and port."""
    for rule in case.policy.destinations:
        hosts = known_hosts(rule, case)
        for outlier, path in detections(rule, case):
            yield from _judge(outlier, path, hosts, rule, case)
            yield from _panic(outlier, path, rule, case)


def detections(rule: Destination, case: Case) -> Iterator[tuple[OutlierDetection, str]]:
    """Yield each outlier detection of a destination with its path."""
    top = f"{rule.source.path}.trafficPolicy"
    if rule.policy.outlier is not None:
        yield rule.policy.outlier, f"{top}.outlierDetection"
    settings = f"{top}.portLevelSettings"
    paths = case.places.ports(rule.source, settings) if rule.ports else {}
    for number, policy in rule.ports:
        if policy.outlier is not None:
            yield policy.outlier, f"{paths.get(str(number), settings)}.outlierDetection"
    for at, subset in enumerate(rule.subsets):
        path = f"{rule.source.path}.subsets[{at}].trafficPolicy.outlierDetection"
        if subset.policy.outlier is not None and case.places.find(rule.source, path) is not None:
            yield subset.policy.outlier, path


def known_hosts(rule: Destination, case: Case) -> int | None:
    """Return how many hosts a destination has, None where nobody knows."""
    hosts = case.hosts.of(rule.host, rule.namespace)
    return _declared(case).get(rule.host, case.hosts.others) if hosts is None else hosts


def _declared(case: Case) -> dict[str, int]:
    """Return how many endpoints the ServiceEntries of a host list, where that is certain."""
    counts: dict[str, int] = {}
    unknown: set[str] = set()
    for host in case.declared.hosts:
        if host.kind != "ServiceEntry":
            continue
        if host.endpoints is None:
            unknown.add(host.name)
        else:
            counts[host.name] = counts.get(host.name, 0) + host.endpoints
    return {name: count for name, count in counts.items() if name not in unknown}


def _judge(
    outlier: OutlierDetection, path: str, hosts: int | None, rule: Destination, case: Case
) -> Iterator[Problem]:
    percent, first = outlier.max_ejection_percent, always_first(case.identity.istio)
    field = f"{path}.maxEjectionPercent"
    if case.places.find(rule.source, field) is None:
        field = path
    if not _detects(outlier):
        yield case.tell("TC308", rule.source, path, "every count it could go by is 0")
    elif hosts == 1:
        yield case.tell("TC304", rule.source, field, _single(outlier, first=first), str(percent))
    elif percent == _ALL and not outlier.min_health_percent:
        message = "when all hosts are out, every call is refused: minHealthPercent is 0"
        yield case.tell("TC303", rule.source, field, message, str(percent))
    elif first:
        return  # one host goes whatever the percentage
    elif hosts is None:
        fewest = -(-_ALL // percent)
        if fewest >= _MANY:
            message = (
                f"with fewer than {fewest} hosts nobody is ever ejected, at {percent} %{_AFTER}"
            )
            yield case.tell("TC301", rule.source, field, message, str(percent))
    elif percent * hosts < _ALL:
        message = f"nobody is ever ejected: one of {hosts} hosts is more than {percent} %{_AFTER}"
        yield case.tell("TC302", rule.source, field, message, str(percent))


def _panic(
    outlier: OutlierDetection, path: str, rule: Destination, case: Case
) -> Iterator[Problem]:
    """Tell where panic begins before as many are out as may be."""
    edge = min(outlier.min_health_percent, _SPILLS)
    left = _ALL - outlier.max_ejection_percent
    if left < edge and _detects(outlier):
        message = f"with fewer than {edge} % healthy, those that are out are called again: panic"
        value = str(outlier.min_health_percent)
        yield case.tell("TC315", rule.source, f"{path}.minHealthPercent", message, value)


def _single(outlier: OutlierDetection, *, first: bool) -> str:
    percent = outlier.max_ejection_percent
    if percent < _ALL and not first:
        return f"the only host is never ejected, at {percent} %"
    if outlier.min_health_percent:
        return "the only host is ejected, and asked all the same: minHealthPercent is above 0"
    return f"the only host is ejected, and every call fails for {outlier.base_ejection_time:g}s"


def _detects(outlier: OutlierDetection) -> bool:
    local = outlier.consecutive_local_origin_failures if outlier.split_local_origin else 0
    return bool(outlier.consecutive_5xx or outlier.consecutive_gateway_errors or local)
