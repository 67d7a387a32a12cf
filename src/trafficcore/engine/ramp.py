"""`RampStage`: a load ramp at work on one rule: of its requests a share goes on."""

from collections.abc import Hashable
from math import inf
from typing import Any

from trafficcore.core.fair import Waiter
from trafficcore.core.load import Ramping, Sampler
from trafficcore.engine.claim import UNLIMITED, Claim, Class
from trafficcore.engine.facts import Facts
from trafficcore.engine.rule import Rule
from trafficcore.engine.schedule import LabelGetter, label_getter
from trafficcore.engine.shadow import ShadowSample
from trafficcore.engine.stages import Tell
from trafficcore.engine.verdict import Rejection
from trafficcore.outcome import Reason
from trafficcore.spec import RampRule, WorkloadParameters

__all__ = ["RampStage", "Sampled"]


class Sampled:
    """A ramp as one request meets it, with the verbs of a quota's queue in which nobody waits."""

    __slots__ = ("_ramp", "_sampler", "_session")
    waiting = 0

    def __init__(self, ramp: Ramping, sampler: Sampler, session: str | None) -> None:
        self._ramp = ramp
        self._sampler = sampler
        self._session = session

    def try_acquire(self, now: float, cost: float = 1) -> bool:  # noqa: ARG002  # a queue's shape
        """Whether the request is among those that go on."""
        return self._sampler.takes(self._ramp.percent(now), self._session)

    def enqueue(
        self, now: float, flow: Hashable, weight: float = 1, cost: float = 1,
        deadline: float = inf, item: Any = None, key: Hashable = None,
    ) -> Waiter:  # fmt: skip
        """Refuse: there is nothing to wait for."""
        del flow, weight, key
        return Waiter.refused(now, cost, deadline, item, Reason.RAMPING)

    def retry_at(self, now: float, cost: float = 1) -> None:  # a queue's shape
        """Return None: the ramp moves as latencies have it."""

    def refund(self, now: float, cost: float = 1) -> None:
        """Do nothing: nothing was taken."""

    def release(self, lease: int) -> bool:  # noqa: ARG002  # a queue's shape
        """Do nothing: nothing is held."""
        return False


class RampStage:
    """One ramp of one rule."""

    __slots__ = ("_flow", "_sampler", "_session", "_tell", "ambiguous", "ramp", "rule", "spec")
    plain = False
    holds = False
    #: Nobody waits here for a caller to give up.
    margin = 0
    reason = Reason.RAMPING

    def __init__(
        self, rule: Rule, ramp: Ramping, sampler: Sampler, spec: RampRule, tell: Tell
    ) -> None:
        self.rule = rule
        self.ramp = ramp
        self.spec = spec
        self.ambiguous = 0
        self._sampler = sampler
        self._tell = tell
        self._flow = Class("requests", WorkloadParameters(), UNLIMITED)
        self._session: LabelGetter | None = (
            label_getter(spec.session, self.note_ambiguous) if spec.session else None
        )

    def claim(self, facts: Facts) -> Claim:
        """Return what a request asks of the ramp."""
        session = None if self._session is None else self._session(facts)
        sampled: Any = Sampled(self.ramp, self._sampler, session)
        if self.rule.shadow:
            sampled = ShadowSample(sampled, self.rule, self._tell)
        return self._flow.claim(sampled)

    def note_ambiguous(self) -> None:
        """Count a request whose header came in two spellings."""
        self.ambiguous += 1

    def reject(self, now: float, reason: Reason, retry_at: float | None = None) -> Rejection:
        """Return the refusal with the status the policy asks for."""
        return Rejection(
            reason, self.spec.denied_status, (), reason.value, self.rule.source, now, retry_at
        )

    def snapshot(self, now: float) -> dict[str, Any]:
        """Return the ramp and who was let by as plain data."""
        flow = self._flow
        return {**self.ramp.snapshot(now), "admitted": flow.admitted, "refused": flow.refused}
