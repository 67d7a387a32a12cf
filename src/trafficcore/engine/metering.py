"""`MeterStage`: has somebody know how long the good calls take that it is about. Refuses nobody."""

from collections.abc import Callable
from typing import Any

from trafficcore.engine.claim import UNLIMITED, Class
from trafficcore.engine.facts import Facts
from trafficcore.engine.rule import Rule
from trafficcore.outcome import Outcome
from trafficcore.spec import WorkloadParameters

__all__ = ["MeterStage", "Metered"]

SUCCESS = Outcome.SUCCESS

#: Told of a good call: when it ended, and how long it took.
Record = Callable[[float, float], Any]


class Metered:
    """One call on its way; it takes nothing, and is told of once."""

    __slots__ = ("_record", "flow")

    def __init__(self, flow: Class, record: Record) -> None:
        self.flow = flow
        self._record: Record | None = record

    def take(self, now: float) -> bool:  # noqa: ARG002  # as its kin's
        """Say yes."""
        return True

    def give_back(self, now: float) -> None:  # noqa: ARG002  # as its kin's
        """Forget the call: it was never made."""
        self._record = None

    def end(self, outcome: Outcome, took: float, now: float) -> None:
        """Tell of a good call."""
        record, self._record = self._record, None
        if record is not None and outcome is SUCCESS:
            record(now, took)


class MeterStage:
    """One set of selectors of one rule whose calls are timed."""

    __slots__ = ("_flow", "_record", "ambiguous", "rule")
    plain = False
    holds = True

    def __init__(self, rule: Rule, record: Record) -> None:
        self.rule = rule
        self.ambiguous = 0
        self._flow = Class("", WorkloadParameters(), UNLIMITED)
        self._record = record

    def claim(self, facts: Facts) -> Metered:  # noqa: ARG002  # as its kin's
        """Return what is told of the call's end."""
        return Metered(self._flow, self._record)

    def note_ambiguous(self) -> None:
        """Count a request whose header came in two spellings."""
        self.ambiguous += 1
