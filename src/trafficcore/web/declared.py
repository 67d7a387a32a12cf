"""`Declared`: the rate limits that an engine's manifests set a request, as headers tell of them.

State   beside each plan of the engine, what is told of its limits: a gauge on each bucket.
Cost    a look at the route, and at the level of each bucket.
"""

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, Final

from trafficcore.engine import Engine, Facts, Mode
from trafficcore.engine.stages import ConnectionStage, LimitStage
from trafficcore.live.gauge import Gauge, Sole
from trafficcore.web.limit_headers import label
from trafficcore.web.receipt import receipt_of

__all__ = ["Declared"]

OFF: Final = Mode.OFF
#: A name goes into a header as a string: printable ASCII.
_PLAIN: Final = range(32, 127)

Row = tuple[Gauge, str, float]


class Declared:
    """Finds the limits of an engine that a request meets.

    Nothing is paid by what it finds: the engine does that, and gives it back.
    """

    __slots__ = ("_engine",)

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, facts: Facts) -> tuple[Row, ...]:
        """Return the limits of a request; none where the engine is off."""
        engine = self._engine
        plan = engine.policies.table.at(facts.direction).find(facts)
        if not plan.limits or engine.mode is OFF:
            return ()
        shown: tuple[Row, ...] | None = plan.shown
        if shown is None:
            shown = plan.shown = _rows(plan.limits)
        if plan.connections is None:
            return shown
        own = facts.connection or facts.address
        return tuple([(gauge, own if gauge.keyed else "", 0) for gauge, _, _ in shown])

    def noting(
        self, read: Callable[[Any, Any], Facts], clock: Callable[[], float]
    ) -> Callable[[Any, Any], Facts]:
        """Return what reads a request as `read` does, and notes on its receipt what it meets."""

        def note(request: MutableMapping[str, Any], labels: Any) -> Facts:
            facts = read(request, labels)
            receipt = receipt_of(request, clock)
            receipt.declared = (*receipt.declared, *self.find(facts))
            return facts

        return note


def _rows(stages: Iterable[LimitStage]) -> tuple[Row, ...]:
    rows: list[Row] = []
    seen: set[str] = set()
    for number, stage in enumerate(stages, 1):
        name = _name(stage)
        if name in seen:
            name = f"{name}-{number}"
        seen.add(name)
        limit = stage.limit
        machine = stage.bucket if isinstance(stage, ConnectionStage) else Sole(stage.bucket)
        gauge = Gauge(name, machine, limit.quota, limit.quota / limit.fill_interval)
        label(gauge)
        rows.append((gauge, "", 0))
    return tuple(rows)


def _name(stage: LimitStage) -> str:
    """Return what clients are told that a limit is called: its manifest, and its own name there."""
    source = stage.rule.source
    name = f"{source.name}/{source.rule}" if source.rule else source.name
    return "".join(mark if ord(mark) in _PLAIN else "?" for mark in name)
