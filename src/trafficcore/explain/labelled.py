"""What requests say for themselves, by their labels, to a quota."""

from collections.abc import Iterator

from trafficcore.explain.meaning import Meaning
from trafficcore.explain.words import span
from trafficcore.spec import QuotaRule

__all__ = ["own_labels"]


def own_labels(rule: QuotaRule) -> Iterator[Meaning]:
    """Yield what each label of a request decides."""
    keys = rule.keys
    if keys.limit:
        text = (
            f"Each value of {keys.limit} has a budget and queues of its own;"
            f" a request without it is not limited."
        )
        yield Meaning("each", keys.limit, text)
        kept = f"for {span(rule.max_idle_time)}" if rule.max_idle_time else "while there is room"
        text = f"A value that is as new again and not seen is kept in mind {kept}."
        yield Meaning("kept in mind", kept, text)
    said = {
        "tokens": (keys.tokens, "says how many tokens a request takes"),
        "priority": (keys.priority, "says its priority"),
        "workload": (keys.workload, "names its workload"),
        "fairness": (keys.fairness, "tells users of one workload apart, who get equal parts"),
    }
    for name, (key, what) in said.items():
        if key:
            yield Meaning(f"own {name}", key, f"{key}, where it is there, {what}.")
