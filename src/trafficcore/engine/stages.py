"""A limit and a breaker at work on one rule: the machine, the rule's counters, the answer."""

from collections.abc import Callable
from typing import Any

import attrs

from trafficcore.engine.events import BreakerChanged, Event
from trafficcore.engine.rule import Rule
from trafficcore.engine.verdict import Rejection
from trafficcore.outcome import Reason
from trafficcore.spec import Limit, Response

__all__ = ["BreakStage", "LimitStage"]

Tell = Callable[[Event], None]

#: What Envoy and ASM add to a local limiter's refusal.
_LIMITED = (("x-local-rate-limit", "true"), ("x-envoy-ratelimited", "true"))
_OVERLOADED = (("x-envoy-overloaded", "true"),)


class LimitStage:
    """One bucket of one rule."""

    __slots__ = ("bucket", "limit", "rule")

    def __init__(self, rule: Rule, bucket: Any, limit: Limit) -> None:
        self.rule = rule
        self.bucket = bucket
        self.limit = limit

    def reject(self, now: float) -> Rejection:
        """Return the refusal as the manifest words it."""
        limit = self.limit
        retry_at = self.bucket.earliest(now, 1)
        return Rejection(
            Reason.RATE_LIMITED,
            limit.status,
            (*limit.headers, *_LIMITED),
            limit.body,
            self.rule.source,
            now,
            None if retry_at == float("inf") else retry_at,
        )


class BreakStage:
    """One breaker of one rule."""

    __slots__ = ("_tell", "breaker", "response", "rule")

    def __init__(self, rule: Rule, breaker: Any, response: Response | None, tell: Tell) -> None:
        self.rule = rule
        self.breaker = breaker
        self.response = response
        self._tell = tell

    def reject(self, now: float) -> Rejection:
        """Return the custom answer as it is written, or Envoy's 503."""
        answer = self.response
        return Rejection(
            Reason.CIRCUIT_OPEN,
            503 if answer is None else answer.status,
            _OVERLOADED if answer is None else answer.headers,
            "" if answer is None else answer.body,
            self.rule.source,
            now,
            self.breaker.retry_at(now),
        )

    def tell(self) -> None:
        """Pass the breaker's changes on to the listeners."""
        for change in self.breaker.take_changes():
            self._tell(
                BreakerChanged(
                    change.at,
                    self.rule.source,
                    change.from_.value,
                    change.to.value,
                    change.reason,
                    attrs.asdict(change.counts),
                    change.until,
                )
            )
