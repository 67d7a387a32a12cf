"""TC512: subsets whose labels no endpoint has that a ServiceEntry lists.

Law    A host is looked at where every ServiceEntry of it says who its endpoints are; the addresses
       of a name have the labels that are said of the name.
"""

from collections.abc import Iterator

from trafficcore.judge.case import Case
from trafficcore.manifest.problems import Problem
from trafficcore.spec import EndpointSpec

__all__ = ["unlabelled"]


def unlabelled(case: Case) -> Iterator[Problem]:
    """Judge the subsets of every DestinationRule whose endpoints are known."""
    for rule in case.policy.destinations:
        endpoints = _listed(rule.host, case)
        for at, subset in enumerate(rule.subsets if endpoints else ()):
            wanted = set(subset.labels)
            if any(wanted <= set(endpoint.labels) for endpoint in endpoints):
                continue
            labels = ", ".join(f"{key}={value}" for key, value in subset.labels)
            message = f"no endpoint of {rule.host} has {labels}: its calls are refused"
            path = f"{rule.source.path}.subsets[{at}].labels"
            yield case.tell("TC512", rule.source, path, message, subset.name)


def _listed(host: str, case: Case) -> tuple[EndpointSpec, ...]:
    """Return the endpoints that entries of a host list, () where one of them does not say."""
    entries = [entry for entry in case.policy.entries if entry.host == host]
    if any(entry.idle for entry in entries):
        return ()
    return tuple(endpoint for entry in entries for endpoint in entry.endpoints)
