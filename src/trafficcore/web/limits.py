"""`LimitGate`: limits without a manifest, before an ASGI or a WSGI application, or a client.

Cost    A look at the memo of paths, a key read from the request, a bucket. Nothing is made of a
        request that no limit is about, and no `Facts` where no limit asks a function.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from math import inf
from random import random
from typing import Any, Final

from trafficcore.engine import Facts, Rejection
from trafficcore.errors import ConfigError
from trafficcore.live.functions import answer_of
from trafficcore.live.gauge import Gauge
from trafficcore.live.limits import Bound, Limit, bind
from trafficcore.live.patterns import Pattern, patterns
from trafficcore.outcome import Reason
from trafficcore.web.facts import wsgi_facts
from trafficcore.web.keys import reader
from trafficcore.web.limit_headers import label, teller, writer
from trafficcore.web.outbound_request import facts_of

__all__ = ["LimitGate", "Met", "Refusal"]

#: Paths are the caller's to choose: remember so many and no more, and none that is longer.
_MEMO: Final = 1024
_LONGEST: Final = 256
_RATELIMITED: Final = ("x-envoy-ratelimited", "true")
_PROBLEM: Final = "https://iana.org/assignments/http-problem-types#quota-exceeded"

#: The limits that a request met, each with its key and what it paid there; one with several keys
#: stands there for each, in a row.
Met = tuple[tuple[Bound, str, float], ...]
Request = Mapping[str, Any]
#: The same of anybody's limits, for headers to tell of.
Levels = tuple[tuple[Gauge, str, float], ...]


def _everyone(_: Request) -> str:
    """Read the key of a limit that has one bucket for all."""
    return ""


class _Stage:
    """One limit with what it looks at."""

    __slots__ = ("asks", "bound", "cost", "exempt", "free", "key", "on", "patterns", "plain")

    def __init__(self, bound: Bound, *, wsgi: bool) -> None:
        limit = bound.limit
        self.bound = bound
        self.key = _everyone if limit.by is None else reader(limit.by, wsgi=wsgi)
        self.patterns = patterns(limit.on)
        self.on: Callable[[Facts], object] | None = limit.on if callable(limit.on) else None
        self.exempt: Callable[[Facts], object] | None = None
        #: Which paths it leaves out.
        self.free: tuple[Pattern, ...] = ()
        if callable(limit.exempt):
            self.exempt = limit.exempt
        elif limit.exempt is not None:
            self.free = patterns(limit.exempt, "exempt")
        self.cost = limit.cost
        #: Whether it takes `Facts`, or more than one token, or a draw.
        self.asks = (
            self.on is not None or self.exempt is not None or self.cost != 1 or limit.enabled < 100
        )
        #: Whether it has one key at most and takes one token for it, whatever the request.
        self.plain = not self.asks and not getattr(limit.by, "several", False)

    def may_meet(self, method: str, path: str) -> bool:
        """Whether it is about requests to this path; its functions are asked each time."""
        if any(pattern.holds(method, path) for pattern in self.free):
            return False
        return self.on is not None or any(p.holds(method, path) for p in self.patterns)


#: The limits of a path; a lone plain one stands for itself.
Stages = _Stage | tuple[_Stage, ...]


def _alone(stages: tuple[_Stage, ...]) -> Stages:
    return stages[0] if len(stages) == 1 and stages[0].plain else stages


class Refusal(Rejection):
    """A refusal that knows which limits the request has met: `met`, the last of which refused."""

    __slots__ = ("met",)

    met: Met


class LimitGate:
    """Decides on requests by limits; `headers` and `problem` say how it answers."""

    def __init__(
        self, limits: Iterable[Limit], *, headers: str = "none", problem: bool = False,
        wsgi: bool = False, declared: Callable[[Request], Levels] | None = None,
    ) -> None:  # fmt: skip
        self.limits = bind(limits)
        self.write = writer(headers)
        #: The same for requests that pass: in the shell's form, and from memory.
        self.tell = teller(headers, raw=not wsgi)
        for bound in self.limits:
            label(bound)
        #: Which limits further in refusals tell of as well.
        self._declared = declared
        self._problem = problem
        self._wsgi = wsgi
        self._stages = tuple(_Stage(bound, wsgi=wsgi) for bound in self.limits)
        self._memo: dict[tuple[str, str], Stages] = {}
        #: The limits of every request, where none looks at its path; else None.
        self.everywhere: Stages | None = None
        if all(stage.bound.limit.on == "*" and not stage.free for stage in self._stages):
            self.everywhere = _alone(self._stages)

    def __getitem__(self, name: str) -> Bound:
        for bound in self.limits:
            if bound.name == name:
                return bound
        known = ", ".join(bound.name for bound in self.limits)
        raise ConfigError(f"no limit is named {name!r}: there is {known}")

    def admit(
        self, request: Request, method: str, path: str, now: float, *, slash: bool = False
    ) -> Met | Refusal:
        """Take a token of each limit that is about a request, or of none and refuse."""
        stages = self._find_either(method, path) if slash else self.find(method, path)
        return self.decide(stages, request, now)

    def find(self, method: str, path: str) -> Stages:
        """Return the limits of a path."""
        try:
            return self._memo[method, path]
        except KeyError:
            return self._learn(method, path)

    def _find_either(self, method: str, path: str) -> Stages:
        """Return the limits of a path that is the same with a slash at its end and without."""
        other = path[:-1] if path.endswith("/") else path + "/"
        return tuple(
            stage
            for stage in self._stages
            if stage.may_meet(method, path) or stage.may_meet(method, other)
        )

    def decide(self, stages: Stages, request: Request, now: float) -> Met | Refusal:
        """Do what `admit` does by the limits of a path, or of `everywhere`."""
        if isinstance(stages, _Stage):  # the usual case, flat
            key: Any = stages.key(request)
            if key is None:
                return ()
            bound = stages.bound
            if bound.try_acquire(key, now):
                return ((bound, key, 1),)
            if bound.lets_by():
                return ((bound, key, 0),)
            return self._refuse(request, [], (bound, key, 1), now)
        return self._decide(stages, request, now)

    def _decide(self, stages: tuple[_Stage, ...], request: Request, now: float) -> Met | Refusal:
        """Do so for any number of limits, whatever they ask: all are asked before any is paid."""
        asked = self._asked(stages, request)
        met: list[tuple[Bound, str, float]] = []
        spared: Bound | None = None
        try:
            for row in asked:
                bound, key, cost = row
                if not cost or bound.try_acquire(key, now, cost):
                    met.append(row)
                elif bound is spared or bound.lets_by():  # once for all of its keys
                    spared = bound
                    met.append((bound, key, 0))
                else:
                    self.give_back(tuple(met), now)
                    return self._refuse(
                        request, [other for other in asked if other is not row], row, now
                    )
        except BaseException:  # a shared file that is gone: nobody has paid for this request
            self.give_back(tuple(met), now)
            raise
        return tuple(met)

    def _asked(
        self, stages: tuple[_Stage, ...], request: Request
    ) -> list[tuple[Bound, str, float]]:
        """Return the limits that are about a request, each with its key and its cost."""
        asked: list[tuple[Bound, str, float]] = []
        facts: Facts | None = None
        for stage in stages:
            if stage.asks:
                facts = facts or self._facts(request)
                if not _about(stage, facts):
                    continue
            keys = stage.key(request)
            if keys is None:
                continue
            cost = stage.bound.cost_of(facts)
            each = (keys,) if isinstance(keys, str) else keys
            asked.extend((stage.bound, key, cost) for key in each)
        return asked

    def _learn(self, method: str, path: str) -> Stages:
        stages = _alone(tuple(stage for stage in self._stages if stage.may_meet(method, path)))
        if len(path) + len(method) <= _LONGEST:
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            self._memo[method, path] = stages
        return stages

    def _facts(self, request: Request) -> Facts:
        return wsgi_facts(request, None) if self._wsgi else facts_of(request, None)

    def give_back(self, met: Met, now: float) -> None:
        """Give back what a request has paid: it was refused further in, or never made."""
        for bound, key, cost in met:
            if cost:
                bound.refund(key, cost, now)

    def _refuse(
        self, request: Request, others: list[tuple[Bound, str, float]],
        by: tuple[Bound, str, float], now: float,
    ) -> Refusal:  # fmt: skip
        """Word the refusal: it tells of every limit, and when all of them would grant."""
        bound = by[0]
        bound.refused += 1
        bound.tell_overflow(now)
        limit = bound.limit
        headers = (*limit.headers, _RATELIMITED)
        body = limit.body
        if self._problem:
            headers = (*headers, ("content-type", "application/problem+json"))
            body = _problem(limit.status, bound.name)
        if self.write is not None:
            further = () if self._declared is None else self._declared(request)
            headers = (*headers, *self.write((*others, by, *further), now))
        due = max(
            each.earliest(its_key, now, its_cost)
            for each, its_key, its_cost in (*others, by)
            if its_cost and not each.shadow
        )
        retry_at = due if due < inf else None
        reason, status = Reason.RATE_LIMITED, limit.status
        refusal = Refusal(reason, status, headers, body, None, now, retry_at)
        refusal.met = (*others, by)
        return refusal

    def snapshot(self, now: float) -> list[dict[str, Any]]:
        """Return every limit as plain data."""
        return [bound.snapshot(now) for bound in self.limits]


def _about(stage: _Stage, facts: Facts) -> bool:
    enabled = stage.bound.limit.enabled
    if enabled < 100 and 100 * random() >= enabled:
        return False
    if stage.on is not None and not answer_of("on", stage.on(facts)):
        return False
    return stage.exempt is None or not answer_of("exempt", stage.exempt(facts))


def _problem(status: int, name: str) -> str:
    return json.dumps(
        {
            "type": _PROBLEM,
            "title": "Too many requests",
            "status": status,
            "violated-policies": [name],
        }
    )
