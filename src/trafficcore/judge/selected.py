"""TC404: workloads that no selector lets a request through to."""

from collections.abc import Iterator

from trafficcore.judge.case import Case
from trafficcore.judge.conditions import Condition, contradict, of_labels
from trafficcore.manifest.problems import Problem

__all__ = ["selected"]


def selected(case: Case) -> Iterator[Problem]:
    """Hold what each workload matches against what every selector demands."""
    for rule in case.policy.quotas:
        selectors = [of_labels(selector.matcher) for selector in rule.selectors]
        if not all(selectors):  # one of them lets everything through
            continue
        for at, workload in enumerate(rule.workloads):
            against = _against(of_labels(workload.matcher), selectors)
            if against:
                path = f"{rule.source.path}.scheduler.workloads[{at}]"
                message = f"no selector lets its requests through: {_words(against)} is demanded"
                yield case.tell("TC404", rule.source, path, message, workload.name)


def _against(
    conditions: frozenset[Condition], selectors: list[frozenset[Condition]]
) -> Condition | None:
    """Return a demand that contradicts, if there is one in every selector."""
    found = None
    for selector in selectors:
        demands = sorted(selector, key=str)
        found = next((it for it in demands if any(contradict(it, own) for own in conditions)), None)
        if found is None:
            return None
    return found


def _words(condition: Condition) -> str:
    _, name, how, value = condition
    if how == "exact":
        return f"{name}={value}"
    if how in ("in", "not in"):
        return f"{name} {how} {', '.join(value) or 'nothing'}"
    return f"{name} {how}" if how in ("present", "absent") else f"{name} like {value!r}"
