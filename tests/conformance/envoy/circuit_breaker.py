"""Vectors of Envoy's circuit-breaker thresholds, on `ConcurrencyLimit`."""

from math import inf
from typing import Any

from conformance.envoy.limit_steps import count, known, number, replay, same
from trafficcore.core.limit import Cap, ConcurrencyLimit, RetryBudget, by_priority

RESOURCES = ConcurrencyLimit.RESOURCES
#: Envoy's own "unlimited"; ours is `inf`.
UNLIMITED = 2**64 - 1


def _limit(threshold: dict[str, Any]) -> tuple[str, ConcurrencyLimit]:
    known(threshold, {"priority", "retry_budget", *(f"max_{r}" for r in RESOURCES)}, "threshold")
    settings: dict[str, Any] = {
        key: count(value)
        for key, value in threshold.items()
        if key.startswith("max_") and value is not None
    }
    budget = threshold.get("retry_budget")
    if budget is not None:
        known(budget, {"budget_percent", "min_retry_concurrency"}, "retry_budget")
        settings["retry_budget"] = RetryBudget(
            **{key: number(value) for key, value in budget.items() if value is not None}
        )
    return threshold.get("priority", "default").lower(), ConcurrencyLimit(**settings)


class Thresholds:
    def __init__(self, config: dict[str, Any]) -> None:
        known(config, {"thresholds"}, "config")
        self.limits = by_priority(_limit(each) for each in config.get("thresholds") or ())
        self.cap: Cap | None = None
        self.answers: list[bool] = []

    def act(self, op: str, step: dict[str, Any]) -> None:
        known(step, {"t", "resource", "priority", "n"}, op)
        cap = self.cap = self.limits[step.get("priority", "default")].cap(step["resource"])
        n = count(step.get("n", 1))
        self.answers = []
        if op == "acquire":
            self.answers = [cap.try_acquire() for _ in range(n)]
        elif op == "inc":
            for _ in range(n):
                cap.inc()
        elif op == "release":
            for _ in range(n):
                cap.release()
        elif op == "inspect":
            known(step, {"t", "resource", "priority"}, op)
        else:
            raise AssertionError(f"unknown op {op!r}")

    def check(self, key: str, expected: Any) -> None:
        cap = self.cap
        assert cap is not None, "nothing has been asked yet"
        if key == "granted":
            same(key, sum(self.answers), expected)
        elif key == "allowed":
            same(key, self.answers[-1] if self.answers else not cap.open, expected)
        elif key in ("max", "remaining"):
            got = getattr(cap, key)
            unlimited = got == inf
            if unlimited and expected in (None, "unlimited", UNLIMITED, 2**32 - 1):
                return
            # what Envoy counts down from where there is no limit
            same(key, UNLIMITED - cap.current if unlimited else got, expected)
        elif key == "current":
            same(key, cap.current, expected)
        elif key == "open":
            same(key, cap.open, expected)
        else:
            raise AssertionError(f"unknown expectation {key!r}")


def run(case: dict[str, Any]) -> None:
    replay(case, Thresholds)
