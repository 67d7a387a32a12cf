"""Policies to machines: the one file where the words of the manifests meet those of the core.

Nothing that is running changes before everything is built: a set with any fault changes nothing.
"""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

import attrs

from trafficcore.core.breaker import Breaker, Open, Settings, Time
from trafficcore.core.breaker import Rule as TripRule
from trafficcore.core.limit import KeyedGcra, bucket
from trafficcore.engine.clusters import compile_clusters
from trafficcore.engine.declared import RouteNames, with_declared
from trafficcore.engine.entries import BreakEntry, LimitEntry
from trafficcore.engine.finding import UNAIDED, Finding
from trafficcore.engine.guard import guarded, new_lock
from trafficcore.engine.identity import Identity
from trafficcore.engine.match import Predicate
from trafficcore.engine.picking import Draw
from trafficcore.engine.quotas import compile_quotas
from trafficcore.engine.ramps import compile_ramps
from trafficcore.engine.route import Entry, Routes
from trafficcore.engine.route_retries import RouteRetries
from trafficcore.engine.rule import Rule
from trafficcore.engine.shadow import ShadowBreaker, ShadowLimit
from trafficcore.engine.stages import BreakStage, ConnectionStage, LimitStage, Tell
from trafficcore.engine.stock import Stock
from trafficcore.engine.table import Table
from trafficcore.spec import (
    BreakRule,
    Direction,
    Limit,
    Policy,
    QuotaRule,
    RampRule,
    RateLimitRule,
    Scope,
)

__all__ = ["Build", "Shared", "compile_policy", "virtual_hosts"]

#: Connections whose buckets are kept; beyond them only full ones are forgotten.
_CONNECTIONS = 10_000
Spec = RateLimitRule | BreakRule | QuotaRule | RampRule
#: What a rule says of sharing, the limit's name, capacity and rate: a bucket that other processes
#: draw on too, or None where it is to be this process's own.
Shared = Callable[[str, str, float, float], Any]


@attrs.frozen(kw_only=True)
class Build:
    """What a table is built with, apart from the policies: the same over reloads, or new."""

    identity: Identity
    endpoints: Any
    tell: Tell
    max_waiting: int
    locked: bool | None = None
    #: What chance there is: floats from 0 to below 1. None: endpoints take turns.
    draw: Draw | None = None
    #: How endpoints are found out where they are no list.
    finding: Finding = UNAIDED
    #: Makes buckets that other processes draw on too; see `Shared`.
    shared: Shared = lambda *_: None

    def machine(self, cls: Any, *args: Any, **kwargs: Any) -> Any:
        """Make a machine that is exact here: free of locks, or the locked class without a GIL."""
        return guarded(cls, self.locked)(*args, **kwargs, lock=new_lock())


def compile_policy(policy: Policy, build: Build, previous: Table | None = None) -> Table:
    """Return a new table with what `previous` can hand over; raises `ConfigError`, or succeeds."""
    build = attrs.evolve(build, identity=with_declared(build.identity, policy.declared))
    compiler = _Compiler(policy, build, Stock(previous.stock if previous is not None else None))
    return compiler.table()


def virtual_hosts(policy: Policy, identity: Identity) -> frozenset[str]:
    """Return every virtual host by name: the most specific that fits a Host takes it."""
    scopes = [rule.scope for rule in policy.limits] + [rule.scope for rule in policy.breakers]
    named = {scope.vhost.name for scope in scopes if scope.vhost is not None} - {"*"}
    return frozenset(named | {name for name, _, _ in identity.hosts})


class _Compiler:
    """One compilation: gathers rules, stages and entries in the order of the policies."""

    def __init__(self, policy: Policy, build: Build, stock: Stock) -> None:
        self._policy = policy
        self._build = build
        self._identity = build.identity
        self._stock = stock
        self._rules: list[Rule] = []
        self._limits: list[LimitStage] = []
        self._breaks: list[BreakStage] = []
        self._entries: dict[Direction | str, list[Entry]] = {side: [] for side in Direction}
        self._known = virtual_hosts(policy, build.identity)
        self._routes = RouteNames(policy.declared, build.identity)

    def table(self) -> Table:
        for limit in self._policy.limits:
            self._add_limit(limit)
        for breaker in self._policy.breakers:
            self._add_break(breaker)
        ramps = compile_ramps(self._policy.ramps, self._build, self._stock, self._rule)
        quotas = compile_quotas(self._policy.quotas, self._build, self._stock, self._rule)
        for place, entry in (*ramps.entries, *quotas.entries):
            self._entries.setdefault(place, []).append(entry)
        clusters = compile_clusters(self._policy, self._build, self._stock, self._rules)
        return Table(
            inbound=Routes(self._entries[Direction.INBOUND], lambda _: None),
            outbound=Routes(
                [
                    *self._entries[Direction.OUTBOUND],
                    *clusters.choosing(self._routes, self._build.draw),
                ],
                clusters.find,
            ),
            points={
                name: Routes(entries, lambda _: None)
                for name, entries in self._entries.items()
                if isinstance(name, str)
            },
            elsewhere=Routes((), lambda _: None),
            rules=tuple(self._rules),
            limits=tuple(self._limits),
            breaks=tuple(self._breaks),
            ramps=ramps.stages,
            quotas=quotas.stages,
            clusters=clusters.all,
            feeds=clusters.feeds,
            notices=self._policy.notices,
            retries=RouteRetries(self._routes, self._identity),
            stock=self._stock,
        )

    def _rule(self, key: Hashable, spec: Spec, about: str, why_not: str) -> Rule:
        source, shadow = spec.source, spec.shadow

        def renew(rule: Rule) -> None:
            rule.source, rule.about, rule.why_not, rule.shadow = source, about, why_not, shadow

        rule = self._stock.take(("rule", key), lambda: Rule(source, about, why_not, shadow), renew)
        self._rules.append(rule)
        return rule

    def _excluded(self, scope: Scope) -> str:
        why_not = self._identity.excludes(scope)
        if not why_not and scope.vhost is not None and scope.vhost.route:
            why_not = self._routes.missing(scope.vhost)
        return why_not

    def _route(self, scope: Scope) -> Predicate | None:
        vhost = scope.vhost
        return self._routes.test(vhost) if vhost is not None and vhost.route else None

    def _shadowed(self, wrapper: type[Any], machine: Any, rule: Rule, spec: Spec) -> Any:
        return wrapper(machine, rule, self._build.tell) if spec.shadow else machine

    def _add_limit(self, spec: RateLimitRule) -> None:
        scope, limits = spec.scope, [override.limit for override in spec.overrides]
        why_not = self._excluded(scope)
        key = (
            "limit",
            scope,
            *((limit.quota, limit.fill_interval) for limit in (spec.limit, *limits)),
            tuple(override.match for override in spec.overrides),
        )
        rule = self._rule(key, spec, self._identity.about(scope), why_not)
        if why_not:
            return
        stage, *own = (
            self._limit_stage((key, index), rule, limit, spec)
            for index, limit in enumerate((spec.limit, *limits))
        )
        matches = [override.match for override in spec.overrides]
        self._entries[scope.direction].append(
            LimitEntry(
                self._identity,
                scope,
                self._known,
                stage,
                list(zip(matches, own, strict=True)),
                self._route(scope),
            )
        )

    def _limit_stage(
        self, key: Hashable, rule: Rule, limit: Limit, spec: RateLimitRule
    ) -> LimitStage:
        rate, locked = limit.quota / limit.fill_interval, self._build.locked

        def make() -> Any:
            if limit.per_connection:
                return self._build.machine(KeyedGcra, limit.quota, rate, max_keys=_CONNECTIONS)
            build = partial(guarded, force=locked)
            return bucket(limit.quota, rate, lock=new_lock(), build=build)

        machine = self._shared(spec, limit, rate) or self._stock.take(
            ("bucket", key, limit.per_connection), make
        )
        if limit.per_connection:
            stage: LimitStage = ConnectionStage(rule, machine, limit, self._build.tell)
            self._limits.append(stage)
            return stage
        stage = LimitStage(rule, self._shadowed(ShadowLimit, machine, rule, spec), limit)
        self._limits.append(stage)
        return stage

    def _shared(self, spec: RateLimitRule, limit: Limit, rate: float) -> Any:
        """Return the bucket of several processes, which outlives them all, so no reload keeps it.

        None: it is this process's own.
        """
        if limit.per_connection:
            return None
        source, identity = spec.source, self._identity
        limits = [spec.limit, *(override.limit for override in spec.overrides)]
        place = next(index for index, each in enumerate(limits) if each is limit)
        # Another application of this machine may be under the same policy.
        who = ",".join(f"{key}={value}" for key, value in sorted(identity.labels.items()))
        rule = f"{source.kind}/{source.namespace}/{source.name}/{source.path}/{place}"
        name = f"{rule} for {identity.namespace}/{who}"
        return self._build.shared(spec.share, name, limit.quota, rate)

    def _add_break(self, spec: BreakRule) -> None:
        scope = spec.scope
        why_not = self._excluded(scope) or ("" if spec.can_trip else "nothing can trip it")
        settings = breaker_settings(spec) if spec.can_trip else None
        key = ("break", scope, settings and settings.law)
        rule = self._rule(key, spec, self._identity.about(scope), why_not)
        if why_not:
            return
        machine = self._stock.take(
            ("breaker", key),
            lambda: self._build.machine(Breaker, settings),
            lambda old: old.update(settings, old.now),
        )
        machine = self._shadowed(ShadowBreaker, machine, rule, spec)
        stage = BreakStage(rule, machine, spec.response, self._build.tell)
        self._breaks.append(stage)
        self._entries[scope.direction].append(
            BreakEntry(self._identity, scope, self._known, stage, self._route(scope))
        )


def breaker_settings(spec: BreakRule) -> Settings:
    """Say a breaker of the mesh in the core's words: ten sub-windows, no half-open (R26 to R28)."""
    rules: list[TripRule] = []
    if spec.slow_after is not None and spec.max_slow:
        rules.append(TripRule("slow_count", spec.max_slow))
    floor = max(1, spec.min_requests)
    percents = {"error_rate": spec.error_percent, "gateway_error_rate": spec.gateway_error_percent}
    for measure, percent in percents.items():
        if percent:
            rules.append(TripRule(measure, percent / 100, min_calls=floor))
    return Settings(
        window=Time(spec.window, buckets=10),
        slow_after=spec.slow_after,
        trip=rules,
        open=Open(spec.open_for),
        half_open=None,
    )
