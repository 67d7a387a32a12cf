"""Quota policies to stages: a budget, queues in front of it, and whose requests it is for.

Stages come in the order in which requests meet them: what refuses at once, then slots, then the
queues of tokens, so that nobody waits for what a later stage refuses in any case.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any

import attrs

from trafficcore.core.fair import KeyedQueues, QuotaQueue, Slots, TokenBucket
from trafficcore.core.load import LoadQueue
from trafficcore.engine.entries import QuotaEntry
from trafficcore.engine.guard import guarded, new_lock
from trafficcore.engine.labelled import LabelledStage
from trafficcore.engine.metering import MeterStage
from trafficcore.engine.places import Place, about, by_place, elsewhere
from trafficcore.engine.route import Claimed
from trafficcore.engine.rule import Rule
from trafficcore.engine.schedule import QuotaStage
from trafficcore.engine.shadow import ShadowQueue
from trafficcore.engine.shedding import LoadStage, settings_of
from trafficcore.engine.stock import Stock
from trafficcore.spec import LabelKeys, QuotaRule, QuotaSelector

if TYPE_CHECKING:
    from trafficcore.engine.compile import Build

__all__ = ["QuotaSet", "compile_quotas"]

#: Values of a label whose budgets are kept; beyond them only full ones are forgotten.
_KEYS = 10_000
#: Meters refuse nobody, and come before all that might.
_METERS = -1

MakeRule = Callable[[Hashable, QuotaRule, str, str], Rule]


@attrs.frozen
class QuotaSet:
    """The stages in the order of the policies, and the entries in the order of the requests."""

    stages: tuple[QuotaStage, ...]
    entries: tuple[tuple[Place, QuotaEntry], ...]


def compile_quotas(
    specs: Iterable[QuotaRule], build: "Build", stock: Stock, make_rule: MakeRule
) -> QuotaSet:
    """Make a stage of each policy that is for this process."""
    stages: list[QuotaStage] = []
    found: list[tuple[int, Place, QuotaEntry]] = []
    for spec in specs:
        why_not = elsewhere(spec, build.identity)
        key = _key(spec)
        rule = make_rule(key, spec, about(spec), why_not)
        if why_not:
            continue
        stage = _stage(rule, spec, build, stock, key)
        stages.append(stage)
        whole: list[tuple[int, tuple[QuotaSelector, ...], Claimed]] = [
            (_rank(spec), spec.selectors, stage)
        ]
        if spec.shedding is not None:
            meter = MeterStage(rule, stage.queue.record)
            whole.append((_METERS, spec.shedding.meters or spec.selectors, meter))
        found += [
            (rank, place, QuotaEntry(build.identity, selectors, one))
            for rank, all_selectors, one in whole
            for place, selectors in by_place(all_selectors, spec.direction).items()
        ]
    found.sort(key=lambda one: one[0])
    return QuotaSet(tuple(stages), tuple((place, entry) for _, place, entry in found))


def _rank(spec: QuotaRule) -> int:
    if not spec.queue:
        return 0
    return 1 if spec.in_flight else 2


def _key(spec: QuotaRule) -> Hashable:
    """Return what a reload knows the policy's state by."""
    return ("quota", *_shape(spec), _numbers(spec), spec.max_idle_time)


def _shape(spec: QuotaRule) -> tuple[Hashable, ...]:
    """Return what must stay the same for those who wait to go on waiting."""
    return (
        spec.namespace, spec.labels, spec.selectors, spec.direction, spec.queue, spec.keys.limit,
        spec.max_inflight_duration is None, spec.shedding,
    )  # fmt: skip


def _stage(rule: Rule, spec: QuotaRule, build: "Build", stock: Stock, key: Hashable) -> QuotaStage:
    name = ("queue", spec.source.name, _shape(spec))
    queue = stock.take_named(
        name, ("queue", key), lambda: _queues(spec, build), lambda old: _change(old, spec, build)
    )
    if spec.shedding is not None:
        return LoadStage(rule, queue, spec, build.tell)
    if spec.keys != LabelKeys() or spec.in_flight:
        return LabelledStage(rule, queue, spec, build.tell)
    if spec.shadow:
        queue = ShadowQueue(queue, rule, build.tell)
    return QuotaStage(rule, queue, spec)


def _queues(spec: QuotaRule, build: "Build") -> Any:
    lock = new_lock()
    if spec.shedding is not None:  # no rate is known for long: nobody is refused by foresight
        return guarded(LoadQueue, build.locked)(
            settings_of(spec.shedding), lock=lock, max_waiting=build.max_waiting
        )

    make = _maker(spec, build, lock)
    if not spec.keys.limit:
        return make()
    return KeyedQueues(
        make,
        max_keys=_KEYS,
        max_idle_time=spec.max_idle_time,
        max_waiting=build.max_waiting,
        lock=lock,
    )


def _maker(spec: QuotaRule, build: "Build", lock: Any) -> Callable[[], Any]:
    kind = TokenBucket if spec.max_inflight_duration is None else Slots
    return lambda: guarded(QuotaQueue, build.locked)(
        kind(*_numbers(spec)),
        lock=lock,
        max_waiting=build.max_waiting,
        queue=spec.queue,
        foresee=True,
    )


def _change(queue: Any, spec: QuotaRule, build: "Build") -> None:
    """Have a queue, or that of each key, go on with the numbers of a policy."""
    if spec.shedding is not None:
        return
    if isinstance(queue, KeyedQueues):
        queue.renew(
            lambda lock: _maker(spec, build, lock),
            *_numbers(spec),
            max_idle_time=spec.max_idle_time,
        )
    else:
        queue.change(*_numbers(spec))


def _numbers(spec: QuotaRule) -> tuple[Any, ...]:
    if spec.max_inflight_duration is not None:
        return spec.capacity, spec.max_inflight_duration
    return (
        spec.capacity, spec.fill_amount, spec.interval, spec.continuous_fill,
        spec.delay_initial_fill,
    )  # fmt: skip
