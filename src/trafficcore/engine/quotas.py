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

__all__ = ["Place", "QuotaSet", "compile_quotas", "places", "selectors_of"]

#: Where requests are seen: a direction, or the name of a control point of the application's own.
Place = Direction | str

_POINTS: dict[str, Place] = {"ingress": Direction.INBOUND, "egress": Direction.OUTBOUND}
#: Values of a label whose budgets are kept; beyond them only full ones are forgotten.
_KEYS = 10_000

MakeRule = Callable[[Hashable, QuotaRule, str, str], Rule]


@attrs.frozen
class QuotaSet:
    """The stages in the order of the policies, and the entries in the order of the requests."""

    stages: tuple[QuotaStage, ...]
    entries: dict[Place, list[QuotaEntry]]


def compile_quotas(
    specs: Iterable[QuotaRule], build: "Build", stock: Stock, make_rule: MakeRule
) -> QuotaSet:
    """Make a stage of each policy that is for this process."""
    stages: list[QuotaStage] = []
    found: list[tuple[int, Place, QuotaEntry]] = []
    for spec in specs:
        why_not = _why_not(spec, build)
        key = _key(spec)
        rule = make_rule(key, spec, _about(spec), why_not)
        if why_not:
            continue
        stage = _stage(rule, spec, build, stock, key)
        stages.append(stage)
        for place in places(spec):
            entry = QuotaEntry(build.identity, selectors_of(spec, place), stage)
            found.append((_rank(spec), place, entry))
    found.sort(key=lambda one: one[0])
    entries: dict[Place, list[QuotaEntry]] = {}
    for _, place, entry in found:
        entries.setdefault(place, []).append(entry)
    return QuotaSet(tuple(stages), entries)


def _rank(spec: QuotaRule) -> int:
    if not spec.queue:
        return 0
    return 1 if spec.in_flight else 2


def _why_not(spec: QuotaRule, build: "Build") -> str:
    identity = build.identity
    why_not = identity.selects(spec.namespace, spec.labels)
    if spec.gateway is not None and spec.gateway is not identity.gateway:
        why_not = why_not or ("for gateways" if spec.gateway else "for workloads")
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


def places(spec: QuotaRule) -> list[Place]:
    """Return every place at which a quota looks at requests."""
    return list(dict.fromkeys(_place(spec, selector) for selector in spec.selectors))


def selectors_of(spec: QuotaRule, place: Place) -> list[QuotaSelector]:
    """Return the selectors that look at one place; `apply_to_traffic` overrules them."""
    return [selector for selector in spec.selectors if _place(spec, selector) == place]


def _place(spec: QuotaRule, selector: QuotaSelector) -> Place:
    return spec.direction or _POINTS.get(selector.control_point, selector.control_point)


def _about(spec: QuotaRule) -> str:
    words = (
        f"{place.value if isinstance(place, Direction) else place} {selector.service or '*'}"
        for place in places(spec)
        for selector in selectors_of(spec, place)
    )
    return ", ".join(words)
