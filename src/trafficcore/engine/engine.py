"""`Engine`: the four policies composed, request by request, with time as an argument.

Order  route and match, local rate limit, breaker, quota queue (the last of the refusals),
       endpoint. What a late refusal took from earlier stages is given back, never above capacity
       (Envoy keeps it). An open breaker refuses at once; its permit is taken when the request
       leaves the queue, and *slow* is measured from there.
State  one immutable table, swapped in one store; the machines, which outlive it; plain counters.
Cost   `admit` + `settle` take no lock and read no clock while nobody waits and nothing trips.
"""

from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Any, ClassVar, Self

from trafficcore.engine.announce import Announcer
from trafficcore.engine.claim import Claim
from trafficcore.engine.compile import Build, Shared
from trafficcore.engine.discovery import Endpoints
from trafficcore.engine.events import Listener, ModeChanged
from trafficcore.engine.facts import Facts
from trafficcore.engine.finding import UNAIDED, Finding
from trafficcore.engine.guard import after_fork, guarded, new_lock
from trafficcore.engine.identity import Identity
from trafficcore.engine.in_flight import has_room
from trafficcore.engine.mode import ENFORCE, Mode, otherwise
from trafficcore.engine.picking import Draw
from trafficcore.engine.plan import Plan, Side
from trafficcore.engine.policies import Made, Policies
from trafficcore.engine.queueing import cancel, dispatch, poll, schedule
from trafficcore.engine.refuse import Refuser
from trafficcore.engine.snapshot import snapshot
from trafficcore.engine.verdict import Permit, Queued, Rejection
from trafficcore.spec import Direction, Policy

__all__ = ["Engine"]

INBOUND, OUTBOUND = Direction.INBOUND, Direction.OUTBOUND


class Engine:
    """A data plane: `admit` each request, `settle` the permit it answers, `poll` the queues.

    Make one by `Engine.load`; the constructor takes policies that are parsed already. `admit` and
    `settle` are *atomic*; `poll`, `cancel` and `reload` are guarded by the machines they touch.
    """

    ATOMIC: ClassVar[tuple[str, ...]] = ("admit",)

    def __init__(
        self,
        policy: Policy,
        *,
        identity: Identity | None = None,
        endpoints: Endpoints | None = None,
        mode: Mode | str = ENFORCE,
        listeners: Iterable[Listener] = (),
        max_waiting: int = 10_000,
        locked: bool | None = None,
        shared: Shared = lambda *_: None,
        draw: Draw | None = None,
        finding: Finding = UNAIDED,
    ) -> None:
        self._lock = new_lock()
        self.announcer = Announcer(listeners)
        self.tell = self.announcer.tell
        self.refuse = Refuser(self.tell)
        self._sides = [Side(name, self._lock) for name in ("inbound", "outbound", "application")]
        self._inbound, self._outbound, self._own = self._sides
        self.permit = guarded(Permit, locked)
        self._mode = Mode(mode)
        self._admit_otherwise = otherwise(self._mode)
        #: What wakes those who wait, once a shell has needed one.
        self.driver: Any = None
        build = Build(
            identity=identity or Identity(),
            endpoints=dict(endpoints or {}),
            tell=self.tell,
            max_waiting=max_waiting,
            locked=locked,
            shared=shared,
            draw=draw,
            finding=finding,
        )
        #: The policies in force; their table once more, for each request looks at it.
        self.policies = Policies(policy, build)
        self._table = self.policies.table
        after_fork(self)
        self.announcer.tell_loaded(self._table, reload=False)

    @classmethod
    def load(
        cls,
        source: Any,
        *,
        labels: Mapping[str, str] | None = None,
        namespace: str = "default",
        gateway: bool = False,
        locality: str = "",
        istio: str | None = None,
        callers: Mapping[str, int] | None = None,
        hosts: Mapping[str, Iterable[str]] | None = None,
        endpoints: Endpoints | None = None,
        root_namespace: str = "istio-system",
        mode: Mode | str | None = None,
        listeners: Iterable[Listener] | None = None,
        max_waiting: int = 10_000,
        share: str | None = None,
    ) -> Self:
        """Read manifests and make an engine of those that are for this process.

        `source` is a file, a folder, YAML text or a list of them. `labels`, `namespace`, `gateway`
        and `locality` (`region/zone/sub-zone`) say who this process is; `istio` which version its
        outlier detection is of (up to "1.22" the first host always goes); `callers` how many like
        it run in which locality, for zone-aware routing; `hosts` maps the virtual hosts it stands
        for (`name` or `name:port`) to their Hosts; `endpoints` maps services to
        their endpoints, or to what finds them (`trafficcore.discovery`). `mode` None:
        `TRAFFICCORE_MODE`, else `enforce`. `listeners` None: transitions are logged under
        `trafficcore`. `share="host"`: workers of this machine share rate limits that do not say
        otherwise (`StoreError` where they cannot). Raises `ManifestError` with every fault.
        """
        from trafficcore.live.loading import load_engine  # the one edge outward, on purpose

        identity = Identity(
            labels=dict(labels or {}), namespace=namespace, gateway=gateway, locality=locality,
            root_namespace=root_namespace, hosts=hosts or {}, istio=istio, callers=callers or {},
        )  # fmt: skip
        return load_engine(
            cls, source, mode=mode, listeners=listeners, identity=identity, endpoints=endpoints,
            max_waiting=max_waiting, share=share,
        )  # fmt: skip

    def reload(
        self,
        source: Any = None,
        *,
        hosts: Mapping[str, Iterable[str]] | None = None,
        endpoints: Endpoints | None = None,
    ) -> None:
        """Put new policies in the place of the old ones, in one step; None: the same source again.

        Rules that did not change keep their state, endpoints that stay keep theirs, and who waits
        goes on waiting. A set with any fault raises `ManifestError` and changes nothing.
        """
        if source is not None:
            from trafficcore.live.loading import read_policy

            source = read_policy(source)
        self._change(self.policies.make, source, hosts, endpoints)

    def shadow(self, rule: str, on: bool = True) -> None:
        """Put a rule in shadow, or out of it: it counts what it would refuse, and refuses nothing.

        `rule` is its name, `"ASMLocalRateLimiter shop/checkout"`, with the rule's own name behind
        it where only that one is meant, or a pattern (`"* shop/*"`). What was switched stays so
        over reloads; a manifest says it by the annotation `trafficcore/mode: shadow`. Raises
        `ConfigError` where no rule is called so.
        """
        self._change(self.policies.switch, rule, on)

    def _change(self, make: Callable[..., Made], *how: Any) -> None:
        with self.policies.changing:
            made = make(*how)
            with self._lock:
                self._table = table = self.policies.install(made)
        if self.driver is not None:  # those who wait may go sooner now
            self.driver.kick()
        self.announcer.tell_loaded(table, reload=True)

    @property
    def source(self) -> Callable[[], Policy]:
        """What reads the policies in force, again each time it is called."""
        return self.policies.source

    @property
    def mode(self) -> Mode:
        """`enforce`, `shadow` (count what would be refused) or `off`; may be set at any time."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode | str) -> None:
        before, self._mode = self._mode, Mode(mode)
        self._admit_otherwise = otherwise(self._mode)
        if before is not self._mode:
            self.tell(ModeChanged(0, before.value, self._mode.value))

    def admit(  # noqa: C901, PLR0911, PLR0912, PLR0915
        self, facts: Facts, now: float
    ) -> Permit | Queued | Rejection:
        """Decide on one request: a permit to settle, a place in a queue, or a refusal.

        *Atomic*: each machine decides in one step, and the counters are exact. Flat, as measured:
        its calls are those of the machines. Its end stands again in `queueing`, for who waited.
        """
        table = self._table
        if facts.direction is INBOUND:
            side = self._inbound
            routes = table.inbound
        elif facts.direction is OUTBOUND:
            side = self._outbound
            routes = table.outbound
        else:  # at a control point of the application's own
            side = self._own
            routes = table.at(facts.direction)
        try:  # as `Routes.find` does, without the call
            host = routes.hosts[facts.host]
            plan: Any = host.only or host.paths[facts.path]
        except KeyError:
            plan = routes.find(facts)
        if plan.__class__ is not Plan:
            plan = plan.plan(facts)
        if self._admit_otherwise is not None:
            return self._admit_otherwise(self, plan, side, routes, facts, now)
        plan.hits += 1
        if not plan.rules:
            self.announcer.note_unmatched(side, routes, facts, now)
        limit = plan.limit
        if limit is not None and not limit.try_acquire(now):
            return self.refuse.limited(plan, side, now)
        if plan.connections is not None:
            stage = plan.refused_connection(facts, now)
            if stage is not None:
                return self.refuse.by_connection(plan, side, stage, facts, now)
        breaker = plan.breaker
        claims: tuple[Claim, ...] = ()
        if plan.quotas:
            if breaker is not None and not breaker.live and not breaker.would_admit(now):
                return self.refuse.broken(plan, side, (), now)
            stage = plan.quota
            if stage is None:
                return schedule(self, Queued(plan, side, facts), now)
            flow = stage.classify(facts)
            if not stage.queue.try_acquire(now, flow.tokens):
                return schedule(self, Queued(plan, side, facts), now)
            flow.admitted += 1
            claims = flow.alone
        era: Any = 0
        if breaker is not None:
            era = breaker.live or plan.try_breaker(now)
            if not era:
                return self.refuse.broken(plan, side, claims, now)
        endpoint = None
        cluster = plan.cluster
        if cluster is not None:
            if now >= cluster.next_sweep:
                cluster.sweep(now)
            if cluster.hashing is not None:
                return dispatch(self, Queued(plan, side, facts), claims, now, era)
            if cluster.cap is not None and not has_room(cluster, now):
                return self.refuse.full(plan, side, claims, now, era)
            endpoint = cluster.picker.pick()
            if endpoint is None:
                return self.refuse.nowhere(plan, side, claims, now, era)
            endpoint.active += 1
        side.admitted += 1
        permit = self.permit()  # its `begin` written out
        permit._plan = plan
        permit._side = side
        permit.era = era
        permit.endpoint = endpoint
        permit.claims = claims
        permit.admitted_at = now
        permit.started_at = None
        permit.status = 0
        permit._judged = None
        return permit

    def poll(self, now: float) -> list[tuple[Queued, Permit | Rejection]]:
        """Run what is due and return whose wait is over, each with its verdict. *Guarded*."""
        return poll(self, self.policies.queues, now)

    def next_deadline(self) -> float:
        """Return when `poll` is due for somebody who waits; `inf`: nobody does.

        Sweeps and the ends of breaks need no call: the next request finds them due.
        """
        return min((stage.queue.next_deadline() for stage in self.policies.queues), default=inf)

    def cancel(self, ticket: Queued, now: float) -> bool:
        """Give a place in a queue up; False: the wait is over already, and `poll` has its verdict.

        Then a permit that nobody will use goes back by `Permit.give_back`. *Guarded*.
        """
        return cancel(ticket, now)

    def snapshot(self, now: float) -> dict[str, Any]:
        """Return everything there is to see, as plain data fit for JSON."""
        return snapshot(self, self._table, self._sides, now)

    def after_fork(self) -> None:
        """In a fork's child: who waits or runs is in the parent; here their places are gone."""
        for part in self.policies.table.breaks:
            part.breaker.forget_calls()
        for stage in self.policies.queues:
            stage.clear()
        for side in self._sides:
            side.queued = 0


Engine = guarded(Engine)  # type: ignore[misc]
