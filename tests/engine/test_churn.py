"""Endpoints that come and go while calls are in flight, against a log of their lives."""

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from model.churn import Churn, Life
from support import policies as p
from trafficcore.engine import Permit, Rejection
from trafficcore.engine.events import EndpointsChanged
from trafficcore.outcome import Outcome, Reason
from trafficcore.spec import Policy

#: Longer than any run of the machine, so that nobody comes back but by a leap.
LONG = 3600.0
LEAP = 20 * LONG
LIMIT = 2
CAP = 5
ADDRESSES = ("a:1", "b:1", "c:1", "d:1")
ENDPOINT = st.tuples(
    st.sampled_from(ADDRESSES),
    st.sampled_from(("", "r/a", "r/b")),
    st.integers(1, 3),
    st.dictionaries(st.just("version"), st.sampled_from(("1", "2"))),
)
ENDPOINTS = st.lists(ENDPOINT, max_size=4, unique_by=lambda it: it[0])


class Told:
    """A source that says whatever it is told, when it is told."""

    def __init__(self):
        self.known = None
        self.due = float("inf")
        self.notices = []

    def snapshot(self, now):
        return self.known

    def next_deadline(self):
        return self.due

    def watch(self, notice):
        self.notices.append(notice)

    def tell(self, known):
        self.known = known
        for notice in self.notices:
            notice()


class Endpoints(RuleBasedStateMachine):
    """One cluster with ejection; calls begin and end in any order, and so do its endpoints."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.capped = False
        self.told = []
        self.source = Told()
        self.model = Churn(limit=LIMIT)
        self.calls: list[tuple[Permit, Life]] = []
        rule = p.destination(
            consecutive_5xx=LIMIT, interval=10, base_ejection_time=LONG, max_ejection_percent=100
        )
        self.plain = rule
        self.engine = p.engine(rule, endpoints={p.NAME: self.source}, listeners=[self.told.append])

    @initialize(known=ENDPOINTS)
    def begin(self, known):
        self.change(known)

    @rule(known=ENDPOINTS)
    def change(self, known):
        joined, left = self.model.change(known, self.now)
        self.told.clear()
        self.source.tell(known)
        self.engine.snapshot(self.now)
        self.engine.policies.table.clusters[0].sweep(self.now)
        if joined or left:  # then those without calls are forgotten
            assert len(self.engine.policies.table.clusters[0]._gone) <= len(self.calls)
        changes = [event for event in self.told if isinstance(event, EndpointsChanged)]
        assert [
            (list(one.joined), list(one.left)) for one in changes if one.joined or one.left
        ] == ([(joined, left)] if joined or left else [])

    @rule()
    def call(self):
        takers = self.model.takers()
        verdict = self.engine.admit(p.calling(), self.now)
        if self.capped and self.model.in_flight() >= CAP:
            assert isinstance(verdict, Rejection)
            assert verdict.reason is Reason.OVERLOADED
        elif not takers:
            assert isinstance(verdict, Rejection)
            assert verdict.reason is Reason.NO_HEALTHY_ENDPOINT
        else:
            assert isinstance(verdict, Permit)
            assert verdict.endpoint is not None
            assert verdict.endpoint.address in takers
            self.calls.append((verdict, self.model.send(verdict.endpoint.address)))

    @precondition(lambda self: self.calls)
    @rule(at=st.integers(0, 99), end=st.sampled_from(("good", "bad", "bad", "cancel", "never")))
    def finish(self, at, end):
        permit, life = self.calls.pop(at % len(self.calls))
        if end == "never":
            permit.give_back(self.now)
        elif end == "cancel":
            permit.settle(Outcome.CANCELLED, self.now)
        else:
            permit.settle(None, self.now, 200 if end == "good" else 503)
        permit.settle(Outcome.FAILURE, self.now, 503)  # the second time is nothing
        self.model.end(life, {"good": True, "bad": False}.get(end))

    @rule(seconds=st.sampled_from((0.5, 9, 10, 31)))
    def wait(self, seconds):
        self.now += seconds

    @rule()
    def leap(self):
        self.now += LEAP
        self.engine.policies.table.clusters[0].sweep(self.now)
        self.model.all_back()

    @rule()
    def reload(self):
        """Put the bound on calls in flight on or off: nothing else changes by it."""
        self.capped = not self.capped
        most = CAP if self.capped else None
        policy = attrs.evolve(self.plain.policy, max_requests=most)
        self.engine.reload(Policy(destinations=(attrs.evolve(self.plain, policy=policy),)))

    @invariant()
    def everything_is_as_the_lives_say(self):
        (cluster,) = self.engine.snapshot(self.now)["clusters"]
        here = self.model.here()
        assert [
            (one["address"], one["active"], one["ejected"], one["labels"])
            for one in cluster["endpoints"]
        ] == [
            (life.address, life.in_flight, life in self.model.out, life.labels)
            for life in here.values()
        ]
        assert cluster["in_flight"] == self.model.in_flight()
        assert cluster["outlier"]["active"] == len([x for x in self.model.out if x.here])

    def teardown(self):
        for permit, life in self.calls:
            permit.settle(None, self.now, 200)
            self.model.end(life, True)
        (cluster,) = self.engine.snapshot(self.now)["clusters"]
        assert cluster["in_flight"] == 0
        cap = self.engine.policies.table.clusters[0].cap
        assert cap is None or cap.current == 0


TestEndpoints = Endpoints.TestCase
