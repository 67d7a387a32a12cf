"""`LoadStage`: a budget that is a share of what comes, told from the latencies of the calls."""

from typing import Any

from trafficcore.core.load import LoadSettings
from trafficcore.engine.claim import Claim
from trafficcore.engine.labelled import LabelledStage
from trafficcore.engine.rule import Rule
from trafficcore.engine.stages import Tell
from trafficcore.outcome import Outcome
from trafficcore.spec import QuotaRule, Shedding

__all__ = ["LoadStage", "settings_of"]

SUCCESS = Outcome.SUCCESS


class TimedClaim(Claim):
    """A claim that says in the end how long the call took, once."""

    __slots__ = ("workload",)
    workload: str | None

    def end(self, outcome: Outcome, took: float, now: float) -> None:
        """Tell the queue what a request of the workload costs."""
        super().end(outcome, took, now)
        workload, self.workload = self.workload, None
        if workload is not None and outcome is SUCCESS:
            self.queue.record_cost(workload, now, took)

    def give_back(self, now: float) -> None:
        """Give everything back: the call was never made."""
        self.workload = None
        super().give_back(now)


class LoadStage(LabelledStage):
    """One policy that sheds load. What its requests cost may be their latency."""

    __slots__ = ("_timed",)

    def __init__(self, rule: Rule, queue: Any, spec: QuotaRule, tell: Tell) -> None:
        super().__init__(rule, queue, spec, tell)
        self._timed = spec.shedding is not None and spec.shedding.cost_by_latency
        self.holds = self._timed

    def claim(self, facts: Any) -> Claim:
        """Return what a request takes; by its latency where the policy says so."""
        if not self._timed:
            return super().claim(facts)
        plain = super().claim(facts)
        workload = plain.flow.name  # of those that the policy names: others would be no end
        cost = self._number("tokens", facts, 0, self.queue.estimates.get(workload, plain.cost))
        claim = TimedClaim(plain.flow, plain.queue, plain.lane, plain.weight, cost, plain.key)
        claim.workload = workload
        return claim


def settings_of(spec: Shedding) -> LoadSettings:
    """Say in the core's words what a policy asks for."""
    return LoadSettings(
        slope=spec.slope,
        min_gradient=spec.min_gradient,
        max_gradient=spec.max_gradient,
        increment=spec.increment,
        max_multiplier=spec.max_multiplier,
        tolerance=spec.tolerance,
        long_window=spec.long_window,
        long_step=spec.long_step,
    )
