"""Sources of endpoints: when they are asked, by whom, and what their failures change."""

import gc
import logging
import threading
import weakref

import attrs
import pytest

from support import policies as p
from support.exactness import hammer, python_clock
from trafficcore.core.balance import Endpoint
from trafficcore.engine import SUBSET, Engine, Permit, Rejection
from trafficcore.engine.discovery import Discovery, Polled
from trafficcore.engine.events import DiscoveryFailed, DiscoveryRestored, EndpointsChanged
from trafficcore.engine.feed import Feed
from trafficcore.engine.finding import Finding
from trafficcore.errors import ConfigError
from trafficcore.live.loading import first_answers
from trafficcore.observe.log import describe
from trafficcore.spec import EndpointSpec, Policy, Subset, Warmup

INF = float("inf")


class Source:
    """Answers with what it is given, once `every` so many seconds."""

    def __init__(self, known=None, every=INF):
        self.known = known
        self.every = every
        self.due = -INF
        self.asked = []
        self.notices = []

    def snapshot(self, now):
        self.asked.append(now)
        self.due = now + self.every
        if isinstance(self.known, Exception):
            raise self.known
        return self.known

    def next_deadline(self):
        return self.due

    def watch(self, notice):
        self.notices.append(notice)

    def tell(self, known):
        self.known = known
        for notice in self.notices:
            notice()


def where(engine, now=0.0):
    permit = engine.admit(p.calling(), now)
    if isinstance(permit, Rejection):
        return None
    permit.settle(None, now, 200)
    return permit.endpoint.address


def discovery(engine, now=0.0):
    (cluster,) = engine.snapshot(now)["clusters"]
    return cluster["discovery"]


def test_a_source_is_asked_by_the_first_request_and_then_when_it_says():
    source = Source(["a:1"], every=10)
    assert isinstance(source, Discovery)
    engine = p.engine(endpoints={p.NAME: source})
    assert source.asked == []
    assert where(engine, 5.0) == "a:1"
    assert where(engine, 14.9) == "a:1"
    assert source.asked == [5.0]
    source.known = [("b:1", "r/a", 2, {"v": "1"})]
    assert where(engine, 15.0) == "b:1"
    assert source.asked == [5.0, 15.0]
    assert discovery(engine, 15.0) == {
        "source": repr(source), "looks": 2, "failures": 0, "error": "", "next": 25.0,
    }  # fmt: skip


def test_until_somebody_knows_calls_are_refused():
    source = Source()
    engine = p.engine(endpoints={p.NAME: source})
    assert where(engine) is None
    assert where(engine, 100.0) is None
    assert source.asked == [0.0]
    source.tell(["a:1"])
    assert where(engine, 100.0) == "a:1"
    source.tell([])  # nobody is there, and that is known
    assert where(engine, 100.0) is None
    source.tell(None)  # and this says nothing
    assert where(engine, 100.0) is None


def test_changes_are_told_once():
    told = []
    source = Source(["a:1", "b:1"])
    engine = p.engine(endpoints={p.NAME: source}, listeners=[told.append])
    told.clear()
    where(engine)
    source.tell(["b:1", "c:1"])
    where(engine, 1.0)
    source.tell(["b:1", "c:1"])
    where(engine, 2.0)
    source.tell([("b:1", "r/a"), "c:1"])
    where(engine, 3.0)
    assert told == [
        EndpointsChanged(0.0, p.NAME, ("a:1", "b:1"), ()),
        EndpointsChanged(1.0, p.NAME, ("c:1",), ("a:1",)),
        EndpointsChanged(3.0, p.NAME, (), ()),
    ]
    assert [describe(event)[1].removeprefix(f"endpoints of {p.NAME}: ") for event in told] == [
        "joined a:1, b:1",
        "joined c:1; left a:1",
        "the same addresses, with other localities, weights or labels",
    ]


@pytest.mark.parametrize(
    "broken", [OSError("no such file"), [("a:1", 7)], ["a:1", "a:1"], ["http://b:1"], 7]
)
def test_what_a_source_fails_to_answer_changes_nothing_and_is_told_once(broken):
    told = []
    source = Source(["a:1"], every=10)
    engine = p.engine(endpoints={p.NAME: source}, listeners=[told.append])
    assert where(engine) == "a:1"
    told.clear()
    source.known = broken
    for now in (10.0, 20.0, 29.0):
        assert where(engine, now) == "a:1"
    assert source.asked == [0.0, 10.0, 20.0]
    (failure,) = told
    assert isinstance(failure, DiscoveryFailed)
    assert describe(failure)[0] == logging.WARNING
    assert discovery(engine, 29.0)["failures"] == 2
    assert discovery(engine, 29.0)["error"] == failure.error
    source.known = ["b:1"]
    assert where(engine, 30.0) == "b:1"
    assert told[1:] == [
        DiscoveryRestored(30.0, p.NAME),
        EndpointsChanged(30.0, p.NAME, ("b:1",), ("a:1",)),
    ]
    assert "known again" in describe(told[1])[1]
    assert discovery(engine, 30.0)["error"] == ""


def test_a_source_that_fails_and_would_be_asked_at_once_is_left_alone_for_a_while():
    source = Source(ValueError("x"), every=0)
    engine = p.engine(endpoints={p.NAME: source})
    for now in (0.0, 1.0, 4.9, 5.0, 9.0):
        where(engine, now)
    assert source.asked == [0.0, 5.0]


def test_a_source_without_a_deadline_to_tell_is_asked_again_after_a_while():
    class Worse(Source):
        def next_deadline(self):
            raise ValueError

    source = Worse(["a:1"])
    engine = p.engine(endpoints={p.NAME: source})
    for now in (0.0, 4.9, 5.0):
        assert where(engine, now) is None
    assert source.asked == [0.0, 5.0]


def test_a_notice_while_somebody_asks_has_it_asked_once_more():
    class Restless(Source):
        def snapshot(self, now):
            found = super().snapshot(now)
            if len(self.asked) == 1:
                self.tell(["b:1"])
            return found

    source = Restless(["a:1"])
    engine = p.engine(endpoints={p.NAME: source})
    assert where(engine) == "a:1"
    assert where(engine) == "b:1"
    assert where(engine) == "b:1"
    assert len(source.asked) == 2


def test_one_thread_asks_and_the_others_go_on():
    asking, go_on = threading.Event(), threading.Event()

    class Slow(Source):
        def snapshot(self, now):
            if self.asked:
                asking.set()
                assert go_on.wait(10)
            return super().snapshot(now)

    source = Slow(["a:1"], every=10)
    engine = p.engine(endpoints={p.NAME: source})
    assert where(engine) == "a:1"
    source.known = ["b:1"]
    found = []
    thread = threading.Thread(target=lambda: found.append(where(engine, 10.0)))
    thread.start()
    assert asking.wait(10)
    assert [where(engine, 10.0) for _ in range(3)] == ["a:1"] * 3  # nobody waits for it
    go_on.set()
    thread.join()
    assert found == ["b:1"]
    assert source.asked == [0.0, 10.0]


def test_an_interrupted_look_is_made_again():
    class Interrupted(Source):
        def snapshot(self, now):
            if not self.asked:
                self.asked.append(now)
                raise KeyboardInterrupt
            return super().snapshot(now)

    source = Interrupted(["a:1"])
    engine = p.engine(endpoints={p.NAME: source})
    with pytest.raises(KeyboardInterrupt):
        where(engine)
    assert where(engine, 5.0) == "a:1"


def test_a_reload_keeps_what_a_source_said_and_a_new_source_begins_anew():
    source = Source(["a:1", "b:1"])
    engine = p.engine(p.destination(consecutive_5xx=1), endpoints={p.NAME: source})
    permit = engine.admit(p.calling(), 0)
    assert isinstance(permit, Permit)
    permit.settle(None, 0, 503)
    engine.reload()
    (cluster,) = engine.snapshot(0)["clusters"]
    assert [one["ejected"] for one in cluster["endpoints"]].count(True) == 1
    assert len(source.asked) == len(source.notices) == 1
    other = Source(["c:1", "a:1"])
    engine.reload(endpoints={p.NAME: other})
    (cluster,) = engine.snapshot(0)["clusters"]
    assert [(one["address"], one["ejected"]) for one in cluster["endpoints"]] == [
        ("c:1", False),
        ("a:1", permit.endpoint.address == "a:1"),
    ]
    source.tell(["z:1"])  # the old source speaks to nobody
    assert where(engine, 1.0) == "c:1"
    engine.reload(endpoints={p.NAME: ["d:1"]})
    assert where(engine, 1.0) == "d:1"
    assert discovery(engine) is None


def test_a_feed_does_not_outlive_its_engine():
    source = Source(["a:1"])
    engine = p.engine(endpoints={p.NAME: source})
    where(engine)
    alive = weakref.ref(engine.policies.table.clusters[0]._feed)
    del engine
    gc.collect()
    assert alive() is None
    source.tell(["b:1"])


def test_only_those_that_join_are_slow_to_start():
    rule = p.destination()
    policy = attrs.evolve(rule.policy, warmup=Warmup(duration=100), simple="ROUND_ROBIN")
    source = Source(["a:1", "b:1"])
    engine = p.engine(attrs.evolve(rule, policy=policy), endpoints={p.NAME: source})

    def shares(now):
        engine.policies.table.clusters[0].sweep(now)
        (cluster,) = engine.snapshot(now)["clusters"]
        return {one["address"]: round(one["share"], 3) for one in cluster["endpoints"]}

    assert shares(0.0) == {"a:1": 0.5, "b:1": 0.5}
    source.tell(["b:1", "c:1"])
    new = 0.1 / 1.1
    assert shares(1000.0) == {"b:1": round(1 - new, 3), "c:1": round(new, 3)}
    source.tell(["b:1", "c:1", "d:1"])  # half of its time is over for c
    assert shares(1050.0) == {"b:1": 0.625, "c:1": 0.312, "d:1": 0.062}
    source.tell(["c:1", "b:1"])
    assert shares(1100.0) == {"c:1": 0.5, "b:1": 0.5}


def test_a_callable_is_asked_every_so_often():
    answers = iter((["a:1"], ["b:1"], ["c:1"]))
    engine = p.engine(endpoints={p.NAME: lambda: next(answers)})
    assert [where(engine, now) for now in (0.0, 9.9, 10.0, 19.0, 20.0)] == [
        "a:1", "a:1", "b:1", "b:1", "c:1",
    ]  # fmt: skip
    assert where(engine, 30.0) == "c:1"  # it has nothing more to say
    assert "StopIteration" in discovery(engine, 30.0)["error"]
    assert "<lambda> every 10 s" in discovery(engine, 30.0)["source"]


def test_a_callable_may_have_a_time_of_its_own():
    asked = []
    polled = Polled(lambda: asked.append(1) or ["a:1"], every=0.5)
    engine = p.engine(endpoints={p.NAME: polled})
    for now in (0.0, 0.4, 0.5, 0.9):
        assert where(engine, now) == "a:1"
    assert polled.snapshot(0.9) == ("a:1",)
    assert len(asked) == 2
    for bad in (0, -1, float("nan")):
        with pytest.raises(ConfigError, match="every"):
            Polled(list, every=bad)


@pytest.mark.parametrize("bad", ["a:1", 7, None])
def test_what_is_neither_a_list_nor_a_source_is_refused(bad):
    with pytest.raises(ConfigError, match="must be a list or a Discovery"):
        p.engine(endpoints={p.NAME: bad})


def test_a_source_for_a_service_that_passes_through_is_not_asked():
    rule = p.destination()
    rule = attrs.evolve(rule, policy=attrs.evolve(rule.policy, simple="PASSTHROUGH"))
    source = Source(["a:1"])
    engine = p.engine(rule, endpoints={p.NAME: source})
    permit = engine.admit(p.calling(), 0)
    assert isinstance(permit, Permit)
    assert permit.endpoint is None
    assert source.asked == []


def test_in_the_child_of_a_fork_nobody_is_asking():
    feed = Feed("web", Source())
    feed._asking, feed.due = True, INF
    feed.after_fork()
    assert feed.due == -INF
    assert feed.look(0.0) == []
    assert feed.looks == 1
    feed.after_fork()  # nobody was asking
    assert feed.due == INF


def test_one_source_may_serve_two_services():
    source = Source(["a:1"])
    engine = p.engine(endpoints={"web": source, "shop": source})
    assert isinstance(engine, Engine)
    where(engine)
    assert engine.admit(p.calling("shop"), 0.0).endpoint.address == "a:1"
    source.tell([EndpointSpec("b:1")])
    assert where(engine) == "b:1"
    assert engine.admit(p.calling("shop"), 0.0).endpoint.address == "b:1"
    engine.reload(Policy())
    assert len(source.notices) == 2


def test_endpoints_of_a_source_are_the_engines_own():
    source = Source(["a:1"])
    engine = p.engine(endpoints={p.NAME: source})
    permit = engine.admit(p.calling(), 0.0)
    assert isinstance(permit.endpoint, Endpoint)


def test_the_subsets_of_a_service_share_its_source():
    v2 = Subset(name="v2", labels=(("version", "v2"),))
    rule = attrs.evolve(p.destination(), subsets=(v2,))
    source = Source(["a:1", ("b:1", "", 1, {"version": "v2"})], every=10)
    engine = p.engine(rule, endpoints={p.NAME: source})

    def of_subset(now):
        permit = engine.admit(p.calling(labels={SUBSET: "v2"}), now)
        assert isinstance(permit, Permit)
        permit.settle(None, now, 200)
        return permit.endpoint.address

    assert of_subset(0.0) == "b:1"
    assert {where(engine, 1.0) for _ in range(4)} == {"a:1", "b:1"}
    source.known = [("c:1", "", 1, {"version": "v2"})]
    assert of_subset(10.0) == "c:1"
    assert where(engine, 10.0) == "c:1"  # the other cluster need not ask
    assert source.asked == [0.0, 10.0]
    source.tell(["a:1", ("d:1", "", 1, {"version": "v2"})])
    assert of_subset(11.0) == "d:1"
    source.known = [("e:1", "", 1, {"version": "v2"})]
    assert where(engine, 21.0) == "e:1"
    assert of_subset(21.0) == "e:1"


class Prepared(Source):
    """Can learn who is there before the first request."""

    def prepare(self, timeout):
        self.timeouts = [*getattr(self, "timeouts", []), timeout]
        return self.known


def test_what_is_known_before_the_first_request_is_there_for_all_that_come_with_it():
    asking, go_on = threading.Event(), threading.Event()

    class Slow(Prepared):
        def snapshot(self, now):
            asking.set()
            assert go_on.wait(10)
            return super().snapshot(now)

    source = Slow(["a:1"])
    engine = p.engine(endpoints={p.NAME: source}, finding=Finding(ready=first_answers))
    assert source.timeouts[0] == 0  # all are sent for before any is waited for
    assert 4 < source.timeouts[1] <= 5
    found = []
    thread = threading.Thread(target=lambda: found.append(where(engine)))
    thread.start()
    assert asking.wait(10)
    assert where(engine) == "a:1"
    go_on.set()
    thread.join()
    assert found == ["a:1"]


def test_a_source_that_was_asked_is_not_prepared_again():
    source = Prepared(["a:1"])
    engine = p.engine(endpoints={p.NAME: source}, finding=Finding(ready=first_answers))
    where(engine)
    engine.reload()
    assert len(source.timeouts) == 2
    nothing = Prepared(None)
    engine.reload(endpoints={p.NAME: nothing})
    assert where(engine) is None


def test_a_callable_is_asked_when_an_engine_is_loaded_and_what_it_raises_keeps_it_from_loading():
    asked = []
    finding = Finding(ready=first_answers)
    engine = p.engine(endpoints={p.NAME: lambda: asked.append(1) or ["a:1"]}, finding=finding)
    assert asked == [1]
    assert where(engine) == "a:1"
    assert asked == [1, 1]  # nobody knows how long ago that was

    def away():
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        engine.reload(endpoints={p.NAME: away})
    assert where(engine) == "a:1"


@pytest.mark.stress
@pytest.mark.parametrize("force", [None, True])
def test_threads_call_while_endpoints_come_and_go_and_nothing_is_lost(force):
    rule = p.destination(consecutive_5xx=2, interval=0.001, base_ejection_time=0.001)
    rule = attrs.evolve(rule, policy=attrs.evolve(rule.policy, max_requests=6))
    source = Source([])
    engine = p.engine(rule, endpoints={p.NAME: source}, locked=force)
    (cluster,) = engine.policies.table.clusters
    fleets = [[f"{name}:1" for name in "abcdefgh"[start : start + 4]] for start in range(5)]
    most, clock = [], python_clock()

    def work(index):
        if index < 2:
            for turn in range(300):
                source.tell(fleets[(turn + index) % 5])
                engine.snapshot(clock())
            return 0
        calls = 0
        for turn in range(300):
            permit = engine.admit(p.calling(), clock())
            if isinstance(permit, Rejection):
                continue
            calls += 1
            most.append(cluster.cap.current)
            permit.settle(None, clock(), 503 if turn % 3 else 200)
        return calls

    assert sum(hammer(work)) > 0
    assert max(most) <= 6
    engine.snapshot(clock())
    now = clock() + 1000
    cluster.sweep(now)
    (seen,) = engine.snapshot(now)["clusters"]
    assert (seen["in_flight"], cluster.cap.current) == (0, 0)
    assert seen["outlier"]["active"] == 0  # all are back, and none that left is counted
    assert seen["outlier"]["hosts"] == len(seen["endpoints"]) == 4
    assert {one["active"] for one in seen["endpoints"]} == {0}
