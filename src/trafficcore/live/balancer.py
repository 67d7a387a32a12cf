"""`Balancer`: endpoints, ejection and zones with a clock, for people without an engine.

Law    Envoy's: round robin by weight (or what `picker` names) over the healthy endpoints of the
       nearest priority, spilling over by its factor of 1.4 as they fall out; ejection as in
       `core.outlier`.
State  a picker, swapped in one store; the endpoints with their calls in flight and outcomes.
Cost   O(1) a pick (a ring: O(log places)) and an outcome; O(endpoints) a sweep that is due and a
       change of health.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Any, ClassVar, Final

from trafficcore.core.balance import Endpoint, Hashed, Picker, build_picker
from trafficcore.core.outlier import Ejector, Result, Settings, Tally
from trafficcore.engine.discovery import Discovery
from trafficcore.engine.feed import Feed
from trafficcore.engine.guard import after_fork, guarded, new_lock
from trafficcore.engine.hashing import hash_of
from trafficcore.engine.istio_locality import Assignment, assign
from trafficcore.errors import ConfigError
from trafficcore.live.balancer_endpoints import endpoints_by_address, feed_of
from trafficcore.live.balancer_log import log_change, log_event
from trafficcore.live.balancer_view import view
from trafficcore.live.choosing import chooser
from trafficcore.live.pick import Pick, nobody
from trafficcore.spec import EndpointSpec, LocalityLb

__all__ = ["Balancer", "Pick"]

#: Half of the endpoints may be out at once, and one always may. The mesh's own default, 10 %,
#: ejects nobody from fewer than ten.
OUTLIER: Final = Settings(max_ejection_percent=50, always_eject_one_host=True)
#: The mesh's: own sub-zone, zone and region before others.
NEAREST: Final = LocalityLb()


@guarded
class Balancer:
    """Chooses an endpoint for each call, and learns from how the calls end.

    `endpoints` are `Endpoint` objects, addresses, or (address, locality) pairs; or what finds them
    (`trafficcore.discovery`), which is waited for up to five seconds. `locality` is
    where this process is; without it all endpoints are alike. `outlier` None never ejects, and
    then nobody would ever fail over: zones are not looked at.

        with balancer.pick() as endpoint:
            connection = connect(endpoint.address)

    or `endpoint = balancer.pick()`, and later `balancer.report(endpoint, status=503)`.
    """

    ATOMIC: ClassVar[tuple[str, ...]] = ("pick", "report")
    __slots__ = (
        "__weakref__",
        "_choose",
        "_clock",
        "_due",
        "_ejector",
        "_endpoints",
        "_fed",
        "_feed",
        "_locality_lb",
        "_lock",
        "_panic_threshold",
        "_picker",
        "_seen",
        "_taking",
        "assignment",
        "labels",
        "locality",
        "name",
    )

    def __init__(  # settings, each by its name
        self,
        endpoints: Iterable[Endpoint | EndpointSpec | str | tuple[Any, ...]]
        | Callable[[], Iterable[Any]]
        | Discovery,
        *,
        locality: str = "",
        labels: Mapping[str, str] | None = None,
        outlier: Settings | None = OUTLIER,
        locality_lb: LocalityLb | None = NEAREST,
        panic_threshold: int = 0,
        picker: str = "round_robin",
        clock: Callable[[], float] = time.monotonic,
        name: str = "",
    ) -> None:
        if not 0 <= panic_threshold <= 100:
            raise ConfigError(f"panic_threshold must be from 0 to 100, not {panic_threshold!r}")
        self.name = name
        self.locality = locality
        self.labels = dict(labels or {})
        self._locality_lb = locality_lb if locality or self.labels else None
        self._panic_threshold = panic_threshold
        self._choose = chooser(picker)
        self._clock = clock
        self._lock = new_lock()
        self._ejector = None
        if outlier is not None:
            self._ejector = Ejector(outlier, lock=self._lock, tally=guarded(Tally))
        self._feed: Feed | None = None
        self._fed = 0
        self._endpoints: dict[str, Endpoint] = {}
        self._taking: list[Endpoint] = []
        self._due: float = inf
        self._seen = 0
        self.assignment = Assignment(priorities=())
        self._picker: Picker = build_picker([])
        self._begin(endpoints)
        after_fork(self)

    @property
    def _called(self) -> str:
        return self.name or "balancer"

    def _begin(self, endpoints: Any) -> None:
        """Take endpoints on, or what finds them."""
        self._feed = feed_of(self._called, endpoints, self._wake)
        if self._feed is None:
            self.update(endpoints)
        else:
            self._renew(self._clock())

    def _wake(self) -> None:
        """Have the next pick look at the feed."""
        with self._lock:
            self._due = -inf

    def pick(self, key: str | None = None) -> Pick:
        """Return where the next call goes; a false pick where nobody can take it. *atomic*.

        `key` is what a hash goes by: calls of one key go to one endpoint while it may be called.
        """
        now = self._clock()
        if now >= self._due:
            self._renew(now)
        picker = self._picker
        if key is None:
            endpoint = picker.pick()
        elif isinstance(picker, Hashed):
            endpoint = picker.find(hash_of(key))
        else:
            raise ConfigError(f"a key ({key!r}) needs the picker ring_hash or maglev")
        if endpoint is None:
            return nobody(self, list(self._endpoints.values()), now)
        endpoint.active += 1
        return Pick(self, endpoint)

    def report(
        self,
        pick: Pick,
        ok: bool | None = True,
        *,
        status: int | None = None,
        result: Result | None = None,
    ) -> None:
        """Say how a call ended, once: later reports of the same pick count for nothing. *atomic*.

        `status` is its HTTP status (a 5xx is a failure); without one, `ok` says it: None is no
        verdict. `result` tells apart what never became an answer. A threshold met is *guarded*.
        """
        endpoint = pick._open  # noqa: SLF001
        pick._open = None  # noqa: SLF001
        if endpoint is None:
            return
        active = endpoint.active
        if active:  # not a call from before a fork
            endpoint.active = active - 1
        ejector, tally = self._ejector, endpoint.tally
        if ejector is None or tally is None:
            return
        now = self._clock()
        if now >= self._due:
            self._renew(now)
        if result is not None:
            ejector.local(tally, now, result, status)
        elif status is not None:
            ejector.record(tally, now, status)
        elif ok:
            tally.good()
            return
        elif ok is not None:
            ejector.record(tally, now, 500)
        if ejector.version != self._seen or ejector.changes:
            self._renew(now)

    def update(self, endpoints: Iterable[Endpoint | str | tuple[Any, ...]]) -> None:
        """Replace the endpoints; those whose address stays keep their counts and ejections.

        Where there was a source that found them, it is let go.
        """
        made = endpoints_by_address(endpoints)
        now = self._clock()
        with self._lock:
            self._feed = None
            self._put(made, now)
        self._renew(now)

    def _put(self, made: dict[str, Endpoint], now: float) -> None:
        """Put these in the place of the endpoints; called under the lock."""
        known, self._endpoints = self._endpoints, made
        for address, endpoint in made.items():
            old = known.pop(address, None)
            if old is not None:
                old.locality, old.weight = endpoint.locality, endpoint.weight
                old.labels = endpoint.labels
                made[address] = old
            else:
                endpoint.tally = None
        left = [*known.values(), *self._assign()]
        if self._ejector is not None:
            self._watch(left, now)
        self._seen = -1

    def after_fork(self) -> None:
        """Forget the calls in flight: they are the parent's."""
        for endpoint in self._endpoints.values():
            endpoint.active = 0

    def snapshot(self) -> dict[str, Any]:
        """Return where calls go and why, who is out, since when and until when: plain data."""
        now = self._clock()
        self._renew(now)
        with self._lock:
            return view(
                name=self.name,
                locality=self.locality,
                why=self.assignment.why,
                layout=self._picker.layout,
                endpoints=list(self._endpoints.values()),
                ejector=self._ejector,
                feed=self._feed,
                now=now,
            )

    def _assign(self) -> list[Endpoint]:
        """Give every endpoint its priority; return those that get no calls. The lock is held."""
        endpoints = list(self._endpoints.values())
        self.assignment = assign(
            endpoints,
            self.locality,
            self.labels,
            outlier=self._ejector is not None,
            setting=self._locality_lb,
        )
        self._taking = []
        left: list[Endpoint] = []
        for endpoint, priority in zip(endpoints, self.assignment.priorities, strict=True):
            endpoint.priority = priority or 0
            (left if priority is None else self._taking).append(endpoint)
        return left

    def _watch(self, left: Iterable[Endpoint], now: float) -> None:
        """Keep tallies of those that take calls, and of no others: they are what is ejected of."""
        ejector: Any = self._ejector
        for endpoint in left:
            tally, endpoint.tally = endpoint.tally, None
            if tally is not None:
                ejector.remove(tally, now)
        for endpoint in self._taking:
            if endpoint.tally is None:
                endpoint.tally = ejector.add(endpoint, now)

    def _renew(self, now: float) -> None:
        """Do what is due; make the picker anew if that or an outcome has changed who is out."""
        ejector, feed = self._ejector, self._feed
        told = [] if feed is None else feed.look(now)
        with self._lock:
            if feed is not None and feed.version != self._fed:
                self._fed = feed.version
                self._put(endpoints_by_address(feed.endpoints), now)
            if ejector is not None:
                ejector.sweep(now)
            version = 0 if ejector is None else ejector.version
            if version != self._seen:
                for endpoint in self._endpoints.values():
                    endpoint.healthy = endpoint.tally is None or not endpoint.tally.ejected
                self._picker = self._choose(
                    self._taking,
                    self.assignment.weights,
                    self._panic_threshold,
                    self._picker,
                    self._lock,
                )
                self._seen = version
            look = inf if feed is None else feed.due
            self._due = look if ejector is None else min(look, ejector.next_deadline())
            changes = [] if ejector is None or not ejector.changes else ejector.take_changes()
        for event in told:
            log_event(self._called, event)
        for change in changes:
            log_change(self._called, change)
