"""The starvation bound of a quota's workloads: how long the head of a queue waits at the most.

Law    a request of l_i tokens at the head of its queue goes within (l_i + sum over the others of
       (w_j / w_i l_i + l_j)) / rate, whatever the load (w priority, l largest request).
Source `docs/explanation/scheduling.md`; finish tags, chosen when the tokens are there.
"""

from trafficcore.spec import QuotaRule

__all__ = ["turns"]


def turns(spec: QuotaRule) -> tuple[float | None, ...]:
    """Return that bound for each workload and the default one, in seconds; None: none is stated.

    There is none where calls in flight are bounded (nobody knows when they end), where no tokens
    come, where nobody waits, or where requests say priorities, tokens or workloads themselves.
    With a key to limit by it holds for each value, with fairness keys for each by its part: none
    is stated. An interval fill adds up to one interval.
    """
    keys = spec.keys
    everybody = [*(workload.parameters for workload in spec.workloads), spec.default]
    chosen = keys.priority or keys.tokens or keys.workload or keys.fairness
    if spec.in_flight or not spec.queue or not spec.fill_amount or not spec.capacity or chosen:
        return (None,) * len(everybody)
    found = []
    for at, own in enumerate(everybody):
        total = own.tokens
        for place, other in enumerate(everybody):
            if place != at and other.tokens:
                total += other.priority / own.priority * own.tokens + other.tokens
        wait = total * spec.interval / spec.fill_amount
        found.append(wait if spec.continuous_fill else wait + spec.interval)
    return tuple(found)
