"""A limit and a breaker at work on one rule: the machine, the rule's counters, the answer."""

from collections.abc import Callable
from typing import Any

import attrs

from trafficcore.engine.events import BreakerChanged, Event
from trafficcore.engine.facts import Facts
from trafficcore.engine.rule import Rule
from trafficcore.engine.verdict import Rejection
from trafficcore.outcome import Reason
from trafficcore.spec import Limit, Response

__all__ = ["BreakStage", "ConnectionStage", "LimitStage"]

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

    def lacks(self, now: float) -> bool:
        """Whether there is no token now."""
        due: float = self.bucket.earliest(now, 1)
        return due > now

    def reject(self, now: float) -> Rejection:
        """Return the refusal as the manifest words it."""
        return self._worded(now, self.bucket.earliest(now, 1))

    def _worded(self, now: float, retry_at: float) -> Rejection:
        limit = self.limit
        return Rejection(
            Reason.RATE_LIMITED,
            limit.status,
            (*limit.headers, *_LIMITED),
            limit.body,
            self.rule.source,
            now,
            None if retry_at == float("inf") else retry_at,
        )


class ConnectionStage(LimitStage):
    """A bucket for each connection of one rule: it looks at the request, and so has its own place.

    A request without a connection of its own (a test client's, a UNIX socket's) counts by its
    peer's address.
    """

    __slots__ = ("_tell",)

    def __init__(self, rule: Rule, bucket: Any, limit: Limit, tell: Tell) -> None:
        super().__init__(rule, bucket, limit)
        self._tell = tell

    def lacks(self, now: float) -> bool:  # noqa: ARG002  # as its kin's
        """Return False: without the request nobody can tell."""
        return False

    def shadowed(self, now: float) -> bool:
        """Return whether the rule is in shadow, and note what it would have refused."""
        if self.rule.shadow:
            summary = self.rule.note_refusal(now, Reason.RATE_LIMITED, enforced=False)
            if summary is not None:
                self._tell(summary)
        return self.rule.shadow

    def try_acquire(self, facts: Facts, now: float) -> bool:
        """Take a token of the request's connection."""
        taken: bool = self.bucket.try_acquire(facts.connection or facts.address, now)
        return taken

    def reject_from(self, facts: Facts, now: float) -> Rejection:
        """Return the refusal, with the wait of this connection."""
        key = facts.connection or facts.address
        return self._worded(now, self.bucket.earliest(key, now, 1))


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

    def look(self, now: float) -> None:
        """Count the calls that have become slow in flight."""
        self.breaker.look(now)
        if self.breaker.changes:
            self.tell()

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
