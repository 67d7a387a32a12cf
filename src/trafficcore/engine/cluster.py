"""`Cluster`: one upstream service: its endpoints, who is ejected, who takes the next call.

State  a picker, swapped in one store; the lock is for changes of health and of membership alone.
Cost   a pick is the picker's, an outcome the tally's; a change rebuilds the picker, O(endpoints).
"""

from collections.abc import Callable, Iterable
from math import inf
from typing import Any

from trafficcore.core.balance import Endpoint, Picker, build_picker
from trafficcore.core.balance.round_robin import Rotation
from trafficcore.core.limit.concurrency import InFlight
from trafficcore.core.outlier import Ejector, Result, Tally
from trafficcore.engine.choosing import picker_of
from trafficcore.engine.cluster_events import event_of
from trafficcore.engine.cluster_view import balance_view
from trafficcore.engine.events import Event
from trafficcore.engine.feed import Feed
from trafficcore.engine.guard import guarded, new_lock
from trafficcore.engine.hashing import Hashing
from trafficcore.engine.in_flight import cap_of
from trafficcore.engine.membership import Membership
from trafficcore.engine.rule import Rule
from trafficcore.engine.warming import Warming
from trafficcore.outcome import Outcome

__all__ = ["Cluster"]

SUCCESS, FAILURE = Outcome.SUCCESS, Outcome.FAILURE
_TIMEOUT = 504


class Cluster:
    """One upstream. `picker` chooses by policy, `everyone` takes all endpoints in turn."""

    __slots__ = (
        "_chosen",
        "_ejector",
        "_endpoints",
        "_fed",
        "_feed",
        "_gone",
        "_hashing",
        "_lock",
        "_locked",
        "_next",
        "_seen",
        "_taking",
        "_warming",
        "_weights",
        "cap",
        "everyone",
        "hashing",
        "membership",
        "name",
        "next_sweep",
        "picker",
        "split",
        "tell",
        "why",
    )

    def __init__(
        self,
        name: str,
        membership: Membership,
        tell: Callable[[Event], None],
        *,
        locked: bool | None = None,
    ) -> None:
        self.name = name
        self.membership = membership
        self.tell = tell
        self._locked = locked
        self._lock = new_lock()
        self._endpoints: dict[str, Endpoint] = {}
        #: Those that are endpoints no more while calls to them are in flight.
        self._gone: list[Endpoint] = []
        self._feed: Feed | None = None
        self._fed = 0
        self._ejector: Ejector | None = None
        self._taking: list[Endpoint] = []
        self._weights: Any = None
        self._warming = Warming()
        self._hashing: Hashing | None = None
        self.why = ""
        self._seen = -1
        #: How many calls may be in flight; None: any number.
        self.cap: InFlight | None = None
        #: By which key calls find their endpoint; None: by none.
        self.hashing: Hashing | None = None
        #: Whether failures on our side of the wire are counted by themselves.
        self.split = False
        #: What the policy would have, and what takes the calls.
        self._chosen: Picker = build_picker([])
        self.picker = self.everyone = self._chosen
        self.renew(membership)

    @property
    def rule(self) -> Rule | None:
        """The DestinationRule that decides here."""
        return self.membership.rule

    @property
    def _in_shadow(self) -> bool:
        return self.rule is not None and self.rule.shadow

    def renew(self, membership: Membership) -> None:
        """Take on new endpoints and settings at the next look; those that stay keep their state."""
        with self._lock:
            self._next: Membership | None = membership
            self.membership = membership
            self._feed = membership.feed
            if self._feed is not None:
                self._feed.wakes[self.name] = self._wake
            self.next_sweep: float = -inf

    def _wake(self) -> None:
        """Have the next request look at the feed."""
        with self._lock:
            self.next_sweep = -inf

    def sweep(self, now: float) -> None:
        """Carry out what time alone decides, each as of its own deadline. *Guarded*."""
        feed = self._feed
        told = [] if feed is None else feed.look(now)
        with self._lock:
            feed = self._feed
            if self._next is not None or (feed is not None and feed.version != self._fed):
                self._settle_in(self.membership, now)
                self._next = None
            ejector = self._ejector
            if ejector is not None:
                ejector.sweep(now)
            if self._warming.weigh(self._endpoints, now):
                self._seen = -1
            self._rebuild()
            # last: whoever finds no sweep due must find the picker that goes with it
            due = inf if ejector is None else ejector.next_sweep
            look = inf if feed is None else feed.due
            self.next_sweep = min(due, self._warming.next_look, look)
        for event in told:
            self.tell(event)
        self._pass_on()

    def settle(
        self, endpoint: Endpoint, outcome: Outcome, now: float, status: int, *, local: bool
    ) -> None:
        """Note how a call to an endpoint ended; *atomic* but for a threshold that is met."""
        if now >= self.next_sweep:
            self.sweep(now)
        ejector, tally = self._ejector, endpoint.tally
        if ejector is None or tally is None:
            return
        if outcome is not SUCCESS and outcome is not FAILURE:
            return
        if local and outcome is FAILURE:
            result = Result.TIMEOUT if status == _TIMEOUT else Result.CONNECT_FAILED
            ejector.local(tally, now, result)
        else:
            failed = outcome is FAILURE
            if self.split and (status or not failed):  # an answer came: the way there is good
                tally.local_good()
            # a failure that has no code of its own counts as a 500
            ejector.record(tally, now, 200 if not failed else status if status >= 500 else 500)
        if ejector.version != self._seen:
            with self._lock:
                self._rebuild()
            self._pass_on()

    def give_back(self, endpoint: Endpoint) -> None:
        """Forget a call that was never made."""
        endpoint.active -= 1
        if self.cap is not None:
            self.cap.release()

    def next_return(self) -> float | None:
        """Return when an ejected endpoint may come back at the earliest, None if nobody is out."""
        times = [
            endpoint.tally.ejection.until
            for endpoint in list(self._endpoints.values())
            if endpoint.tally is not None and endpoint.tally.ejected
        ]
        return min((until for until in times if until is not None), default=None)

    def _settle_in(self, membership: Membership, now: float) -> None:
        """Bring endpoints and ejector in line with a membership; called under the lock."""
        old, self._endpoints = self._endpoints, {}
        before, settings = self._ejector, membership.outlier
        self.split = settings is not None and settings.split_external_local_origin_errors
        if settings is None:
            self._ejector = None
        elif before is None:
            self._ejector = Ejector(settings, lock=new_lock(), tally=guarded(Tally, self._locked))
        else:
            before.update(settings, now)
        feed = membership.feed
        specs = membership.endpoints
        if feed is not None:
            specs, self._fed = feed.endpoints, feed.version
        for spec in filter(membership.takes, specs):
            endpoint = old.get(spec.address) or Endpoint(spec.address)
            endpoint.locality, endpoint.weight = spec.locality, spec.weight
            endpoint.labels = dict(spec.labels)
            self._endpoints[spec.address] = endpoint
        self._warming.join(membership.warmup, self._endpoints, now)
        endpoints = list(self._endpoints.values())
        self._put_hashing(membership.hashing)
        left = (one for one in old.values() if one is not self._endpoints.get(one.address))
        self._gone = [one for one in (*self._gone, *left) if one.active]
        everybody = (*self._gone, *endpoints)
        self.cap = cap_of(self.cap, membership.max_requests, everybody, self._locked)
        assignment = membership.assign(endpoints)
        self._weights = assignment.weights
        self.why = assignment.why
        self._taking = []
        for endpoint, priority in zip(endpoints, assignment.priorities, strict=True):
            if priority is not None:
                endpoint.priority = priority
                self._taking.append(endpoint)
        self._watch(dict.fromkeys((*endpoints, *old.values())), before, now)
        self.everyone = guarded(Rotation, self._locked)(endpoints, lock=self._lock)
        self._seen = -1

    def _put_hashing(self, hashing: Hashing | None) -> None:
        if hashing is not None:
            hashing.follow(self._hashing)
        self._hashing = hashing
        self.hashing = None if self._in_shadow else hashing

    def _watch(self, endpoints: Iterable[Endpoint], before: Ejector | None, now: float) -> None:
        """Give a tally to each endpoint that takes calls and to no other."""
        ejector, taking = self._ejector, set(self._taking)
        for endpoint in endpoints:
            if ejector is not None and endpoint in taking:
                if endpoint.tally is None:
                    endpoint.tally = ejector.add(endpoint, now)
            elif endpoint.tally is not None:
                if before is not None:
                    before.remove(endpoint.tally, now)
                endpoint.tally = None

    def _rebuild(self) -> None:
        """Make the picker anew if who is out has changed; called under the lock."""
        ejector = self._ejector
        version = 0 if ejector is None else ejector.version
        if version == self._seen:
            return
        self._seen = version
        for endpoint in self._endpoints.values():
            endpoint.healthy = endpoint.tally is None or not endpoint.tally.ejected
        self._chosen = picker_of(
            self.membership,
            self._taking,
            self._weights,
            previous=self._chosen,
            lock=self._lock,
            locked=self._locked,
        )
        # in shadow the rule ejects on paper: everybody gets calls, as if there were no rule
        self.picker = self.everyone if self._in_shadow else self._chosen

    def _pass_on(self) -> None:
        ejector = self._ejector
        if ejector is None or not ejector.changes:
            return
        for change in ejector.take_changes():
            self.tell(event_of(change, self.name, self.rule))

    def snapshot(self, now: float) -> dict[str, Any]:
        """Return endpoints, who is out and until when, and where traffic goes, as plain data."""
        if self._next is not None:
            self.sweep(now)
        return {
            "name": self.name,
            "subset": self.membership.subset,
            "locality": self.why,
            "in_flight": sum(one.active for one in (*self._gone, *self._endpoints.values())),
            "max_requests": None if self.cap is None else self.cap.max,
            "rule": None if self.rule is None else str(self.rule.source),
            "declared": [str(entry.source) for entry in self.membership.entries],
            "discovery": None if self._feed is None else self._feed.snapshot(),
            **balance_view(self._endpoints.values(), self._chosen.layout, self._ejector, now),
        }
