"""A world for a quota: discrete events on exact time, in the order that rule 1 of the vectors says.

The kernel moves time from event to event, hands arrivals, cancellations, completions and
reconciliations to a real `QuotaQueue` for each limit key, polls it when it says it is due, and
writes down what it saw. It decides nothing.
"""

from collections.abc import Callable
from fractions import Fraction
from heapq import heappop, heappush
from math import inf
from typing import Any

from trafficcore.core.fair import QuotaQueue, Slots, TokenBucket

COMPLETION, ARRIVAL, CANCELLATION = range(3)
#: More events than this at one instant are a world that has got stuck.
STUCK = 100_000


def known(found: dict, *keys: str) -> dict:
    """Raise on a key that nobody here understands."""
    unknown = set(found) - set(keys)
    assert not unknown, f"unknown keys {sorted(unknown)}"
    return found


def number(value: Any) -> Any:
    return inf if value is None else Fraction(value)


class Call:
    """One request, from its arrival to what became of it."""

    def __init__(
        self,
        ident: str,
        workload: str = "default",
        tokens: Any = 1,
        timeout: Any = None,
        **more: Any,
    ) -> None:
        known(more, "limit_key", "fairness_key", "service_time", "hold", "response_time",
              "actual_tokens", "reconcile_after", "warmup")  # fmt: skip
        self.id = ident
        self.workload = workload
        self.tokens = Fraction(tokens)
        self.timeout = number(timeout)
        self.limit_key = more.get("limit_key")
        self.fairness_key = more.get("fairness_key")
        service = more.get("service_time")
        self.answer_after = Fraction(
            service if service is not None else more.get("response_time", 0)
        )
        hold = more.get("hold", service)
        self.hold = number(hold)
        actual = more.get("actual_tokens")
        self.actual = self.tokens if actual is None else Fraction(actual)
        after = more.get("reconcile_after")
        self.reconcile_after = None if after is None else Fraction(after)
        self.warmup = more.get("warmup", False)
        self.arrived: Any = None
        self.admitted: Any = None
        self.rejected: Any = None
        self.given_back: Any = None
        self.queued = False
        self.place = 0
        self.lease = 0
        self.waiter: Any = None
        self.then: Callable[[Call], None] = lambda _call: None


class Kernel:
    """`calls` in the order of arrival, `admitted` in the order of admission, `log` of all of it."""

    def __init__(
        self, config: dict, tags: str = "finish", quota: Callable[..., Any] = QuotaQueue
    ) -> None:
        known(config, "limiter", "scheduler")
        self.config = config
        self.limiter = config["limiter"]
        scheduler = known(config["scheduler"], "workloads", "default_workload", "queue")
        self.queueing = scheduler.get("queue", True)
        self.priorities = {}
        for workload in scheduler["workloads"]:
            known(workload, "name", "priority")
            self.priorities[workload["name"]] = Fraction(workload.get("priority", 1))
        default = known(scheduler.get("default_workload") or {}, "name", "priority")
        self.default = default.get("name", "default")
        self.priorities.setdefault(self.default, Fraction(default.get("priority", 1)))
        self.tags = tags
        self.make = quota
        self.quotas: dict[Any, Any] = {}
        self.now = Fraction(0)
        self.horizon: Any = inf
        self.calls: list[Call] = []
        self.admitted: list[Call] = []
        self.log: list[tuple[Any, str, Call]] = []
        self._by_id: dict[str, Call] = {}
        self._events: list[Any] = []
        self._seq = 0

    def budget(self) -> Any:
        limiter = self.limiter
        if limiter["type"] == "concurrency":
            known(limiter, "type", "max_concurrency", "max_inflight_duration")
            self.duration = number(limiter.get("max_inflight_duration"))
            return Slots(Fraction(limiter["max_concurrency"]), self.duration)
        assert limiter["type"] == "token_bucket", limiter["type"]
        known(limiter, "type", "bucket_capacity", "fill_amount", "interval", "continuous_fill",
              "delay_initial_fill", "initial_tokens")  # fmt: skip
        initial = limiter.get("initial_tokens")
        return TokenBucket(
            Fraction(limiter["bucket_capacity"]),
            Fraction(limiter["fill_amount"]),
            Fraction(limiter["interval"]),
            limiter.get("continuous_fill", True),
            limiter.get("delay_initial_fill", False),
            initial_tokens=None if initial is None else Fraction(initial),
        )

    @property
    def concurrency(self) -> bool:
        return self.limiter["type"] == "concurrency"

    def at(self, when: Any, phase: int, act: Callable[[], None]) -> None:
        self._seq += 1
        heappush(self._events, (when, phase, self._seq, act))

    def arrive_at(self, when: Any, call: Call) -> None:
        assert call.id not in self._by_id, f"two calls named {call.id}"
        self._by_id[call.id] = call
        self.at(when, ARRIVAL, lambda: self._arrive(call))

    def cancel_at(self, when: Any, ident: str) -> None:
        self.at(when, CANCELLATION, lambda: self._cancel(self._by_id[ident]))

    def run(self, horizon: Any = inf) -> "Kernel":
        self.horizon = horizon
        turns, instant = 0, None
        while True:
            now = self._next()
            if now > horizon or now == inf:
                return self
            turns = turns + 1 if now == instant else 0
            assert turns < STUCK, f"time stands still at {float(now)}"
            self.now = instant = now
            while self._events and self._events[0][0] == now:
                heappop(self._events)[3]()
            for quota in list(self.quotas.values()):
                if quota.next_deadline() <= now:
                    self._poll(quota)

    def _next(self) -> Any:
        due = min((quota.next_deadline() for quota in self.quotas.values()), default=inf)
        event = self._events[0][0] if self._events else inf
        return max(self.now, min(due, event))

    def _quota(self, call: Call) -> Any:
        quota = self.quotas.get(call.limit_key)
        if quota is None:
            quota = self.make(self.budget(), tags=self.tags, queue=self.queueing)
            self.quotas[call.limit_key] = quota
        return quota

    def _arrive(self, call: Call) -> None:
        quota = self._quota(call)
        call.arrived = self.now
        call.place = len(self.calls)
        self.calls.append(call)
        call.lease = quota.try_acquire(self.now, call.tokens)
        if call.lease:
            self._admit(call)
            return
        flow = call.workload if call.workload in self.priorities else self.default
        waiter = quota.enqueue(
            self.now,
            flow,
            self.priorities[flow],
            call.tokens,
            self.now + call.timeout,
            call,
            call.fairness_key,
        )
        if waiter.reason is not None:
            self._reject(call)
            return
        call.waiter = waiter
        call.queued = True
        self.log.append((self.now, "queue", call))

    def _poll(self, quota: Any) -> None:
        for waiter in quota.poll(self.now):
            call = waiter.item
            if waiter.reason is None:
                call.lease = waiter.lease
                self._admit(call)
            else:
                self._reject(call)

    def _admit(self, call: Call) -> None:
        now = self.now
        assert call.admitted is None, f"{call.id} was admitted twice"
        assert call.rejected is None, f"{call.id} was rejected before"
        call.admitted = now
        self.admitted.append(call)
        self.log.append((now, "admit", call))
        if self.concurrency and call.tokens > 0:
            call.given_back = now + min(call.hold, self.duration)
            if call.given_back < inf:
                self.at(call.given_back, COMPLETION, lambda: self._complete(call))
        if call.reconcile_after is not None:
            self.at(now + call.reconcile_after, COMPLETION, lambda: self._reconcile(call))
        call.then(call)

    def _reject(self, call: Call) -> None:
        assert call.admitted is None, f"{call.id} was admitted before"
        call.rejected = self.now
        self.log.append((self.now, "leave", call))
        call.then(call)

    def _cancel(self, call: Call) -> None:
        if call.waiter is not None and self._quota(call).cancel(call.waiter, self.now):
            self._reject(call)

    def _complete(self, call: Call) -> None:
        self._quota(call).release(call.lease)
        self.log.append((self.now, "return", call))

    def _reconcile(self, call: Call) -> None:
        quota = self._quota(call)
        if call.waiter is not None:
            assert quota.reconcile(self.now, call.waiter, call.actual)
        else:
            quota.refund(self.now, call.tokens - call.actual)
        self.log.append((self.now, "correct", call))
