"""Quota policies to stages: a budget, queues in front of it, and whose requests it is for.

Stages come in the order in which requests meet them: what refuses at once, then slots, then the
queues of tokens, so that nobody waits for what a later stage refuses in any case.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any

import attrs

from trafficcore.core.fair import KeyedQueues, QuotaQueue, Slots, TokenBucket
from trafficcore.engine.entries import QuotaEntry
from trafficcore.engine.guard import guarded, new_lock
from trafficcore.engine.labelled import LabelledStage
from trafficcore.engine.rule import Rule
from trafficcore.engine.schedule import QuotaStage
from trafficcore.engine.shadow import ShadowQueue
from trafficcore.engine.stock import Stock
from trafficcore.spec import Direction, LabelKeys, QuotaRule, QuotaSelector

if TYPE_CHECKING:
    from trafficcore.engine.compile import Build

__all__ = ["QuotaSet", "compile_quotas", "selectors_of"]

_POINTS = {"ingress": Direction.INBOUND, "egress": Direction.OUTBOUND}
#: Values of a label whose budgets are kept; beyond them only full ones are forgotten.
_KEYS = 10_000

MakeRule = Callable[[Hashable, QuotaRule, str, str], Rule]


@attrs.frozen
class QuotaSet:
    """The stages in the order of the policies, and the entries in the order of the requests."""

    stages: tuple[QuotaStage, ...]
    entries: dict[Direction, list[QuotaEntry]]


def compile_quotas(
    specs: Iterable[QuotaRule], build: "Build", stock: Stock, make_rule: MakeRule
) -> QuotaSet:
    """Make a stage of each policy that is for this process."""
    stages: list[QuotaStage] = []
    found: list[tuple[int, Direction, QuotaEntry]] = []
    for spec in specs:
        sides = {side: selectors_of(spec, side) for side in Direction}
        why_not = _why_not(spec, sides, build)
        key = _key(spec)
        rule = make_rule(key, spec, _about(spec, sides), why_not)
        if why_not:
            continue
        stage = _stage(rule, spec, build, stock, key)
        stages.append(stage)
        for side, selectors in sides.items():
            if selectors:
                found.append((_rank(spec), side, QuotaEntry(build.identity, selectors, stage)))
    found.sort(key=lambda one: one[0])
    entries = {side: [entry for _, own, entry in found if own is side] for side in Direction}
    return QuotaSet(tuple(stages), entries)


def _rank(spec: QuotaRule) -> int:
    if not spec.queue:
        return 0
    return 1 if spec.in_flight else 2


def _why_not(spec: QuotaRule, sides: dict[Direction, list[QuotaSelector]], build: "Build") -> str:
    identity = build.identity
    why_not = identity.selects(spec.namespace, spec.labels)
    if spec.gateway is not None and spec.gateway is not identity.gateway:
        why_not = why_not or ("for gateways" if spec.gateway else "for workloads")
    if not any(sides.values()):
        own = [s.control_point for s in spec.selectors if s.control_point not in _POINTS]
        why_not = why_not or f"control point {', '.join(own)} is the application's own"
    return why_not


def _key(spec: QuotaRule) -> Hashable:
    """Return what a reload knows the policy's state by."""
    return (
        "quota", spec.namespace, spec.labels, spec.selectors, spec.direction, _bucket(spec),
        spec.max_inflight_duration, spec.queue, spec.keys.limit, spec.max_idle_time,
    )  # fmt: skip


def _stage(rule: Rule, spec: QuotaRule, build: "Build", stock: Stock, key: Hashable) -> QuotaStage:
    queue = stock.take(("queue", key), lambda: _queues(spec, build))
    if spec.keys != LabelKeys() or spec.in_flight:
        return LabelledStage(rule, queue, spec, build.tell)
    if spec.shadow:
        queue = ShadowQueue(queue, rule, build.tell)
    return QuotaStage(rule, queue, spec)


def _queues(spec: QuotaRule, build: "Build") -> Any:
    lock = new_lock()

    def make() -> Any:
        return guarded(QuotaQueue, build.locked)(
            _budget(spec),
            lock=lock,
            max_waiting=build.max_waiting,
            queue=spec.queue,
            foresee=True,
        )

    if not spec.keys.limit:
        return make()
    return KeyedQueues(
        make,
        max_keys=_KEYS,
        max_idle_time=spec.max_idle_time,
        max_waiting=build.max_waiting,
        lock=lock,
    )


def _budget(spec: QuotaRule) -> TokenBucket | Slots:
    if spec.max_inflight_duration is not None:
        return Slots(spec.capacity, spec.max_inflight_duration)
    return TokenBucket(*_bucket(spec))


def _bucket(spec: QuotaRule) -> tuple[Any, ...]:
    return (
        spec.capacity, spec.fill_amount, spec.interval, spec.continuous_fill,
        spec.delay_initial_fill,
    )  # fmt: skip


def selectors_of(spec: QuotaRule, side: Direction) -> list[QuotaSelector]:
    """Return the selectors that look at one direction; `apply_to_traffic` overrules them."""
    return [
        selector
        for selector in spec.selectors
        if (spec.direction or _POINTS.get(selector.control_point)) is side
    ]


def _about(spec: QuotaRule, sides: dict[Direction, list[QuotaSelector]]) -> str:
    parts: Iterable[str] = (
        f"{side.value} {selector.service or '*'}"
        for side, selectors in sides.items()
        for selector in selectors
    )
    return ", ".join(parts) or ", ".join(s.control_point for s in spec.selectors)
