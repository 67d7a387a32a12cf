"""TC511: routes that lead to a subset which no DestinationRule of their host defines.

Law    Only hosts that have a DestinationRule in the set are looked at: another may be elsewhere.
"""

from collections.abc import Iterator

from trafficcore.engine.identity import host_matches
from trafficcore.judge.case import Case
from trafficcore.manifest.fields import nearest
from trafficcore.manifest.problems import Problem, short

__all__ = ["subsets"]


def subsets(case: Case) -> Iterator[Problem]:
    """Judge the subsets that the routes of VirtualServices name."""
    for service in case.declared.virtual_services:
        for route in service.routes:
            for target in route.to:
                known = _known(target.host, case) if target.subset else None
                if known is None or target.subset in known:
                    continue
                message = f"{target.host} has no subset {short(target.subset)}: calls are refused"
                meant = nearest(target.subset, sorted(known))
                message += f"; did you mean {meant}?" if meant else ""
                yield case.tell("TC511", service.source, route.path, message, target.subset)


def _known(host: str, case: Case) -> set[str] | None:
    """Return the subsets of a host; None where nothing in the set is about it."""
    rules = [rule for rule in case.policy.destinations if host_matches(rule.host, host)]
    return {subset.name for rule in rules for subset in rule.subsets} if rules else None
