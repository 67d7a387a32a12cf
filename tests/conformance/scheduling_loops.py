"""Clients that wait for their answer before they go on: the groups of `kind: closed_loop`."""

from fractions import Fraction
from math import inf
from typing import Any

from conformance.scheduling_kernel import Call, Kernel, known, number

_CALL = ("tokens", "timeout", "limit_key", "fairness_key", "service_time", "hold",
         "response_time", "actual_tokens", "reconcile_after")  # fmt: skip
_GROUP = ("workload", "clients", "start", "stagger", "warmup_calls", "duration", "calls",
          "think_time", "reject_backoff", "split")  # fmt: skip


class Group:
    def __init__(self, kernel: Kernel, index: int, spec: dict, window: Any) -> None:
        known(spec, *_CALL, *_GROUP)
        assert "service_time" not in spec or "response_time" not in spec
        self.kernel = kernel
        self.name = f"{index}"
        self.spec = spec
        self.call = {key: spec[key] for key in _CALL if key in spec}
        self.duration = number(spec.get("duration"))
        self.calls = number(spec.get("calls"))
        self.think = Fraction(spec.get("think_time", 0))
        self.backoff = Fraction(spec.get("reject_backoff", self.think))
        self.warmup = spec.get("warmup_calls", 0)
        assert self.warmup in (0, 1), self.warmup
        start = Fraction(spec.get("start", 0))
        self.timed_start: Any = None if self.warmup else start
        self.clients = [
            Client(self, i, *self._begin(i, start, window)) for i in range(spec["clients"])
        ]
        self.cold = len(self.clients)

    def _begin(self, i: int, start: Fraction, window: Any) -> tuple[Any, Any]:
        """Return when a client begins, and how many calls it makes."""
        begin = start + i * Fraction(self.spec.get("stagger", 0))
        if self.spec.get("split") and i >= self.spec["clients"] // 2:
            low, high = window
            return begin + Fraction(high - low) / 2, self.calls // 2
        return begin, self.calls

    def warm(self) -> None:
        self.cold -= 1
        if not self.cold:
            self.timed_start = self.kernel.now
            for client in self.clients:
                client.make_call(self.kernel.now)


class Client:
    def __init__(self, group: Group, index: int, begin: Any, calls: Any) -> None:
        self.group = group
        self.name = f"{group.spec['workload']}/{group.name}/{index}"
        self.calls = calls
        self.made = 0
        if group.warmup:
            self._send(begin, warmup=True)
        else:
            self.make_call(begin)

    def make_call(self, when: Any) -> None:
        group = self.group
        if self.made < self.calls and when < group.timed_start + group.duration:
            self.made += 1
            self._send(when, warmup=False)

    def _send(self, when: Any, *, warmup: bool) -> None:
        group = self.group
        name = f"{self.name}/{'warm-up' if warmup else self.made}"
        call = Call(name, group.spec["workload"], **group.call, warmup=warmup)
        call.then = self._decided
        group.kernel.arrive_at(when, call)

    def _decided(self, call: Call) -> None:
        group, kernel = self.group, self.group.kernel
        if call.admitted is None:
            self._answered(call, kernel.now, group.backoff)
        else:
            self._answered(call, call.admitted + call.answer_after, group.think)

    def _answered(self, call: Call, when: Any, pause: Any) -> None:
        group = self.group
        if call.warmup:
            group.kernel.at(when, 0, group.warm)
        else:
            self.make_call(when + pause)


def start(kernel: Kernel, spec: dict, window: Any) -> None:
    """Put the clients of all groups into the world."""
    known(spec, "groups", "horizon", "window")
    window = spec.get("window") or window
    groups = [Group(kernel, i, group, window) for i, group in enumerate(spec["groups"])]
    endless = [group for group in groups if group.duration == inf and group.calls == inf]
    assert not endless or "horizon" in spec or kernel.horizon < inf, "clients that never stop"
