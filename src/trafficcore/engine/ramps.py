"""Load ramp policies to stages: the ramp, and the meters whose latencies move it."""

from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import TYPE_CHECKING

import attrs

from trafficcore.core.load import Criteria, Ramping, Sampler
from trafficcore.engine.entries import QuotaEntry
from trafficcore.engine.guard import new_lock
from trafficcore.engine.metering import MeterStage
from trafficcore.engine.places import Place, about, by_place, elsewhere
from trafficcore.engine.ramp import RampStage
from trafficcore.engine.route import Claimed
from trafficcore.engine.rule import Rule
from trafficcore.engine.stock import Stock
from trafficcore.spec import QuotaSelector, RampRule

if TYPE_CHECKING:
    from trafficcore.engine.compile import Build

__all__ = ["RampSet", "compile_ramps"]

MakeRule = Callable[[Hashable, RampRule, str, str], Rule]


@attrs.frozen
class RampSet:
    """The stages in the order of the policies, and the entries of each place."""

    stages: tuple[RampStage, ...]
    entries: tuple[tuple[Place, QuotaEntry], ...]


def compile_ramps(
    specs: Iterable[RampRule], build: "Build", stock: Stock, make_rule: MakeRule
) -> RampSet:
    """Make a stage of each ramp that is for this process, and one of each driver."""
    stages: list[RampStage] = []
    entries: list[tuple[Place, QuotaEntry]] = []
    for spec in specs:
        why_not = elsewhere(spec, build.identity)
        key = (
            "ramp", spec.namespace, spec.labels, spec.selectors, spec.direction, spec.steps,
            spec.drivers,
        )  # fmt: skip
        rule = make_rule(key, spec, about(spec), why_not)
        if why_not:
            continue
        ramp, sampler = stock.take(("ramping", key), partial(_machines, spec), partial(_set, spec))
        stage = RampStage(rule, ramp, sampler, spec, build.tell)
        stages.append(stage)
        whole: list[tuple[tuple[QuotaSelector, ...], Claimed]] = [
            (driver.selectors, MeterStage(rule, partial(ramp.record, at)))
            for at, driver in enumerate(spec.drivers)
        ]
        whole.append((spec.selectors, stage))
        entries += [
            (place, QuotaEntry(build.identity, selectors, one))
            for all_selectors, one in whole
            for place, selectors in by_place(all_selectors, spec.direction).items()
        ]
    return RampSet(tuple(stages), tuple(entries))


def _machines(spec: RampRule) -> tuple[Ramping, Sampler]:
    criteria = [
        Criteria(forward=one.forward, backward=one.backward, reset=one.reset)
        for one in spec.drivers
    ]
    ramp = Ramping(
        spec.steps, criteria, started=spec.started, resetting=spec.reset, lock=new_lock()
    )
    return ramp, Sampler(new_lock())


def _set(spec: RampRule, machines: tuple[Ramping, Sampler]) -> None:
    ramp, _ = machines
    ramp.change(started=spec.started, resetting=spec.reset)
