"""What a quota means: how much, who shares it, and for how long anybody waits."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations
from math import ceil

from trafficcore.engine.rule import Rule
from trafficcore.engine.schedule import QuotaStage
from trafficcore.engine.turns import turns
from trafficcore.explain.labelled import own_labels
from trafficcore.explain.meaning import Meaning
from trafficcore.explain.refusal import answered
from trafficcore.explain.scope import label_words, place_words, process, requests
from trafficcore.explain.shedding import shed_meanings
from trafficcore.explain.words import count, exact, listed, number, rate, share, span
from trafficcore.outcome import Reason
from trafficcore.spec import QuotaRule, Workload, WorkloadParameters

__all__ = ["patience", "quota_meanings", "shares"]

#: The margin of a policy that says none.
_USUAL = 0.01


def quota_meanings(rule: QuotaRule) -> tuple[Meaning, ...]:
    """Return what one policy means."""
    return (
        process(rule.namespace, rule.labels, rule.gateway),
        _requests(rule),
        *_budget(rule),
        *own_labels(rule),
        *_workloads(rule),
        _refusal(rule),
    )


def shares(rule: QuotaRule) -> tuple[tuple[str, Fraction], ...]:
    """Return each named workload with its part while all of the named are backlogged."""
    total = sum(exact(workload.parameters.priority) for workload in rule.workloads)
    return tuple(
        (workload.name, exact(workload.parameters.priority) / total) for workload in rule.workloads
    )


def patience(parameters: WorkloadParameters) -> str:
    """Say how long a request of a workload waits."""
    if parameters.queue_timeout is None:
        return "for ever"
    return span(parameters.queue_timeout) if parameters.queue_timeout else "not at all"


def _requests(rule: QuotaRule) -> Meaning:
    return requests(place_words(selector, rule.direction) for selector in rule.selectors)


def _budget(rule: QuotaRule) -> Iterator[Meaning]:
    if rule.shedding is not None:
        return shed_meanings(rule, rule.shedding)
    return _slots(rule) if rule.in_flight else _tokens(rule)


def _past(rule: QuotaRule) -> str:
    return "they wait" if rule.queue else "they are refused"


def _slots(rule: QuotaRule) -> Iterator[Meaning]:
    parameters = [*(workload.parameters for workload in rule.workloads), rule.default]
    what = "request" if all(one.tokens == 1 for one in parameters) else "token"
    text = f"{count(rule.capacity, what)} in flight at once; past that {_past(rule)}."
    yield Meaning("in flight", number(rule.capacity), text)
    lost = span(rule.max_inflight_duration)
    yield Meaning("taken for ended", f"after {lost}", f"A call is taken for ended after {lost}.")
    if rule.queue:
        text = "Nobody waits while there is room; inside a workload nobody is overtaken."
        yield Meaning("waiting", "by workload", text)


def _tokens(rule: QuotaRule) -> Iterator[Meaning]:
    parameters = [*(workload.parameters for workload in rule.workloads), rule.default]
    what = "request" if all(one.tokens == 1 for one in parameters) else "token"
    if not rule.capacity or not rule.fill_amount:
        later = "never more" if rule.capacity else "nothing, and never more"
        text = f"{count(rule.capacity, what)} at once, then {later}."
    else:
        pace = rate(rule.fill_amount, rule.interval)
        text = f"{count(rule.capacity, what)} at once, then {pace}; past that {_past(rule)}."
    yield Meaning("burst", number(rule.capacity), text)
    each = f"{number(rule.fill_amount)} each {span(rule.interval)}"
    if rule.continuous_fill:
        yield Meaning("rate", rate(rule.fill_amount, rule.interval))
        yield Meaning("filling", "evenly")
    else:
        yield Meaning("rate", each)
        text = f"The bucket fills by steps, not evenly: {each}."
        yield Meaning("filling", "by steps", text)
    if rule.delay_initial_fill:
        text = "A draw from the full bucket halts its filling for as long as it takes to fill."
        yield Meaning("delay", "after a full bucket", text)
    if rule.queue:
        text = "Nobody waits while tokens last; inside a workload nobody is overtaken."
        yield Meaning("waiting", "by workload", text)


def _workloads(rule: QuotaRule) -> Iterator[Meaning]:
    if not rule.queue:
        return
    named = rule.workloads
    for workload in named:
        words = label_words(workload.matcher)
        yield Meaning(
            f"{workload.name} requests", words, f"{workload.name} is any request where {words}."
        )
    before = [f"{a.name} before {b.name}" for a, b in combinations(named, 2) if _may_meet(a, b)]
    if before:
        text = f"A request that fits more than one is of the first: {listed(before)}."
        yield Meaning("order", "; ".join(sorted(before)), text)
    yield from _shares(rule)
    for name, own in _all(rule):
        tokens = number(own.tokens)
        text = "" if own.tokens == 1 else f"A request of {name} takes {count(own.tokens, 'token')}."
        yield Meaning(f"{name} tokens", tokens, text)
    yield from _turns(rule)
    yield from _patience(rule)


def _turns(rule: QuotaRule) -> Iterator[Meaning]:
    """Say how long the head of each queue waits at the most, where there is more than one."""
    known = [
        f"{span(ceil(bound * 1000 - 0.001) / 1000)} for {name}"
        for (name, _), bound in zip(_all(rule), turns(rule), strict=True)
        if bound is not None
    ]
    if rule.workloads and known:
        text = (
            f"Whoever is first of those that wait goes within {listed(known)}, whatever the load."
        )
        yield Meaning("turn", "bounded", text)


def _all(rule: QuotaRule) -> list[tuple[str, WorkloadParameters]]:
    named = [(workload.name, workload.parameters) for workload in rule.workloads]
    return [*named, (_rest(rule), rule.default)]


def _rest(rule: QuotaRule) -> str:
    """Name the workload of whoever fits none; a manifest may have given its name away."""
    return "default" if all(one.name != "default" for one in rule.workloads) else "unnamed"


def _shares(rule: QuotaRule) -> Iterator[Meaning]:
    default, rest = exact(rule.default.priority), _rest(rule)
    if not rule.workloads:
        text = f"There is one workload, {rest}: whoever comes first goes first."
        yield Meaning(f"{rest} share", "100 %", text)
        return
    total = sum(exact(workload.parameters.priority) for workload in rule.workloads)
    for workload, (name, part) in zip(rule.workloads, shares(rule), strict=True):
        own = exact(workload.parameters.priority)
        yield Meaning(
            f"{name} share",
            share(part),
            f"{name} gets {share(part)} of the {_amount(rule, part)}, while"
            f" all that are named have somebody waiting (priority {number(own)} of {number(total)};"
            f" of {number(total + default)} while {rest} has, too).",
        )
        yield Meaning(f"{name} priority", number(own))
    yield Meaning(
        f"{rest} priority",
        number(default),
        f"Whoever fits none is of the workload {rest}, priority {number(default)}:"
        f" {share(default / (total + default))} while all have somebody waiting.",
    )
    yield Meaning(
        "unused share", "to the others", "What one does not use the others get; none is reserved."
    )


def _amount(rule: QuotaRule, part: Fraction) -> str:
    if rule.in_flight:
        return "places"
    if rule.shedding is not None:
        return "tokens"
    per_second = exact(rule.fill_amount) / exact(rule.interval)
    return f"tokens, {number(part * per_second)} a second"


def _may_meet(one: Workload, other: Workload) -> bool:
    """Whether a request may fit both, as far as the labels they must equal can tell."""
    wanted = dict(one.matcher.labels)
    return all(wanted.get(key, value) == value for key, value in other.matcher.labels)


def _patience(rule: QuotaRule) -> Iterator[Meaning]:
    everybody = _all(rule)
    same = len({own.queue_timeout for _, own in everybody}) == 1
    for index, (name, own) in enumerate(everybody):
        who = "A request" if same else f"A request of {name}"
        text = f"{who} waits {patience(own)} for its tokens."
        if own.queue_timeout is not None:
            most = f"waits at most {patience(own)} for its tokens" if own.queue_timeout else ""
            text = f"{who} {most or 'never waits'}, then it is refused."
        yield Meaning(f"{name} patience", patience(own), "" if same and index else text)
    margin = span(rule.deadline_margin)
    text = f"Whose caller gives up by itself waits until {margin} before that at the most."
    yield Meaning("margin", margin, "" if rule.deadline_margin == _USUAL else text)


def _refusal(rule: QuotaRule) -> Meaning:
    stage = QuotaStage(Rule(rule.source, ""), None, rule)
    if not rule.queue:
        value, text = answered(stage.reject(0, stage.reason))
        return Meaning("refusal", value, f"Who finds nothing left is answered {text}.")
    value, text = answered(stage.reject(0, Reason.QUEUE_TIMEOUT))
    full = Reason.QUEUE_FULL.value
    said = f"Who waits too long is answered {text}; who finds the queue full, with {full!r}."
    return Meaning("refusal", value, said)
