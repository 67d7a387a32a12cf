"""`LimitGate`: limits without a manifest, in front of an ASGI or a WSGI application.

Cost    A look at the memo of paths, a key read from the request, a bucket. Nothing is made of a
        request that no limit is about.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Any, Final

from trafficcore.engine import Facts, Rejection
from trafficcore.errors import ConfigError
from trafficcore.live.limits import Bound, Limit, bind, patterns
from trafficcore.outcome import Reason
from trafficcore.web.facts import asgi_facts, wsgi_facts
from trafficcore.web.keys import reader
from trafficcore.web.limit_headers import label, writer

__all__ = ["LimitGate", "Met"]

#: Paths are the caller's to choose: remember so many and no more.
_MEMO: Final = 1024
_RATELIMITED: Final = ("x-envoy-ratelimited", "true")
_PROBLEM: Final = "https://iana.org/assignments/http-problem-types#quota-exceeded"

#: The limits that a request met, each with its key and what it paid there.
Met = tuple[tuple[Bound, str, float], ...]
Request = Mapping[str, Any]


class _Stage:
    """One limit with what it looks at."""

    __slots__ = ("bound", "cost", "exempt", "key", "on", "patterns")

    def __init__(self, bound: Bound, *, wsgi: bool) -> None:
        limit = bound.limit
        self.bound = bound
        self.key = None if limit.by is None else reader(limit.by, wsgi=wsgi)
        self.patterns = patterns(limit.on)
        self.on: Callable[[Facts], bool] | None = limit.on if callable(limit.on) else None
        self.exempt = limit.exempt
        self.cost = limit.cost


class LimitGate:
    """Decides on requests by limits; `headers` and `problem` say how it answers."""

    def __init__(
        self, limits: Iterable[Limit], *, headers: str = "none", problem: bool = False,
        wsgi: bool = False,
    ) -> None:  # fmt: skip
        self.limits = bind(limits)
        self.write = writer(headers)
        for bound in self.limits:
            label(bound)
        self._problem = problem
        self._wsgi = wsgi
        self._stages = tuple(_Stage(bound, wsgi=wsgi) for bound in self.limits)
        self._memo: dict[tuple[str, str], tuple[_Stage, ...]] = {}

    def __getitem__(self, name: str) -> Bound:
        for bound in self.limits:
            if bound.name == name:
                return bound
        known = ", ".join(bound.name for bound in self.limits)
        raise ConfigError(f"no limit is named {name!r}: there is {known}")

    def admit(self, request: Request, method: str, path: str, now: float) -> Met | Rejection:
        """Take a token of each limit that is about a request, or of none and refuse."""
        try:
            stages = self._memo[method, path]
        except KeyError:
            stages = self._learn(method, path)
        if not stages:
            return ()
        met: list[tuple[Bound, str, float]] = []
        facts: Facts | None = None
        for stage in stages:
            if stage.on is not None or stage.exempt is not None or stage.cost != 1:
                facts = facts or self._facts(request)
                if not _about(stage, facts):
                    continue
            key = "" if stage.key is None else stage.key(request)
            if key is None:
                continue
            bound = stage.bound
            cost: Any = stage.cost
            if cost != 1:
                cost = cost(facts) if callable(cost) else cost
            if not bound.try_acquire(key, now, cost):
                if not bound.shadow:
                    return self._refuse(met, (bound, key, cost), now)
                bound.shadowed += 1
            else:
                met.append((bound, key, cost))
        return tuple(met)

    def _learn(self, method: str, path: str) -> tuple[_Stage, ...]:
        stages = tuple(
            stage
            for stage in self._stages
            if stage.on is not None or any(p.holds(method, path) for p in stage.patterns)
        )
        if len(self._memo) >= _MEMO:
            self._memo.clear()
        self._memo[method, path] = stages
        return stages

    def _facts(self, request: Request) -> Facts:
        return wsgi_facts(request, None) if self._wsgi else asgi_facts(request, None)

    def give_back(self, met: Met, now: float) -> None:
        """Give back what a request has paid: it was refused further in, or never made."""
        for bound, key, cost in met:
            bound.refund(key, cost, now)

    def _refuse(
        self, met: list[tuple[Bound, str, float]], by: tuple[Bound, str, float], now: float
    ) -> Rejection:
        """Give back what the others took, and word the refusal."""
        self.give_back(tuple(met), now)
        bound, key, cost = by
        bound.refused += 1
        limit = bound.limit
        headers = (*limit.headers, _RATELIMITED)
        body = limit.body
        if self._problem:
            headers = (*headers, ("content-type", "application/problem+json"))
            body = _problem(limit.status, bound.name)
        if self.write is not None:
            headers = (*headers, *self.write((*met, by), now))
        due = bound.earliest(key, now, cost)
        retry_at = due if due < inf else None
        return Rejection(Reason.RATE_LIMITED, limit.status, headers, body, None, now, retry_at)

    def snapshot(self, now: float) -> list[dict[str, Any]]:
        """Return every limit as plain data."""
        return [bound.snapshot(now) for bound in self.limits]


def _about(stage: _Stage, facts: Facts) -> bool:
    if stage.on is not None and not stage.on(facts):
        return False
    return stage.exempt is None or not stage.exempt(facts)


def _problem(status: int, name: str) -> str:
    return json.dumps(
        {
            "type": _PROBLEM,
            "title": "Too many requests",
            "status": status,
            "violated-policies": [name],
        }
    )
