"""Subsets in the engine: by a request's own label, by the route it takes; their own policies."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import Any

import attrs
import pytest

from support import policies as p
from trafficcore.engine import SUBSET, Engine, Identity, Permit, Rejection
from trafficcore.outcome import Outcome, Reason
from trafficcore.spec import (
    ConsistentHash,
    DeclaredHosts,
    DeclaredRoute,
    Destination,
    OutlierDetection,
    RouteTarget,
    RouteTest,
    Subset,
    TrafficPolicy,
)

PLACES = [
    ("a:1", "", 1, {"version": "v1"}),
    ("b:1", "", 1, {"version": "v1", "track": "canary"}),
    ("c:1", "", 1, {"version": "v2"}),
    ("d:1", "", 1, {}),
]
V1 = Subset(name="v1", labels=(("version", "v1"),))
V2 = Subset(name="v2", labels=(("version", "v2"),))
BOTH = Subset(name="canary", labels=(("track", "canary"), ("version", "v1")))


def rule(*subsets: Subset, **policy: Any) -> Destination:
    made: Destination = attrs.evolve(
        p.destination(), policy=TrafficPolicy(**policy), subsets=subsets or (V1, V2, BOTH)
    )
    return made


def engine(
    destination: Destination,
    *routes: DeclaredRoute,
    hosts: Sequence[str] = (p.NAME,),
    endpoints: Iterable[Any] = PLACES,
    **settings: Any,
) -> Engine:
    declared = (DeclaredHosts(hosts=tuple(hosts), routes=routes),) if routes else ()
    policy = attrs.evolve(p.policy(destination), declared=declared)
    key = settings.pop("key", p.NAME)
    return Engine(policy, identity=Identity(), endpoints={key: endpoints}, **settings)


def to(*targets: tuple[str, int], host: str = p.NAME, tests: Any = ()) -> DeclaredRoute:
    return DeclaredRoute(
        name="",
        tests=tests,
        to=tuple(RouteTarget(host=host, subset=name, weight=weight) for name, weight in targets),
    )


def admit(engine: Engine, subset: str = "", path: str = "/", now: float = 0) -> Any:
    labels = {SUBSET: subset} if subset else None
    return engine.admit(p.calling(path=path, labels=labels), now)


def calls(engine: Engine, count: int, subset: str = "", path: str = "/") -> Counter[str]:
    found: Counter[str] = Counter()
    for _ in range(count):
        permit = admit(engine, subset, path)
        assert isinstance(permit, Permit), permit
        found["" if permit.endpoint is None else permit.endpoint.address] += 1
        permit.settle(None, 0, 200)
    return found


def test_a_request_may_name_its_subset() -> None:
    one = engine(rule())
    assert calls(one, 4, "v1") == {"a:1": 2, "b:1": 2}
    assert calls(one, 2, "v2") == {"c:1": 2}
    assert calls(one, 2, "canary") == {"b:1": 2}
    assert calls(one, 4) == {"a:1": 1, "b:1": 1, "c:1": 1, "d:1": 1}


def test_a_name_that_is_not_defined_is_nowhere() -> None:
    one = engine(rule())
    refused = admit(one, "v9")
    assert isinstance(refused, Rejection)
    assert (refused.reason, refused.status) == (Reason.NO_HEALTHY_ENDPOINT, 503)
    assert str(refused.rule).startswith("DestinationRule default/x")


def test_without_subsets_the_label_is_the_applications_own() -> None:
    one = engine(attrs.evolve(rule(), subsets=()))
    assert sum(calls(one, 4, "v1").values()) == 4


def test_a_route_says_the_subset() -> None:
    path = RouteTest("uri", "", "prefix", "/new")
    one = engine(rule(), to(("v2", 1), tests=(path,)), to(("v1", 1)))
    assert calls(one, 2, path="/new/a") == {"c:1": 2}
    assert calls(one, 2, path="/old") == {"a:1": 1, "b:1": 1}
    assert calls(one, 1, "canary", path="/new") == {"b:1": 1}  # the label has the last word


def test_a_request_that_takes_no_route_goes_to_all() -> None:
    path = RouteTest("uri", "", "exact", "/new")
    one = engine(rule(), to(("v2", 1), tests=(path,)))
    assert len(calls(one, 4, path="/other")) == 4


@pytest.mark.parametrize("hosts", [["web"], ["*"], ["*.default.svc.cluster.local"]])
def test_routes_are_the_hosts_by_any_of_its_names(hosts: list[str]) -> None:
    full = [p.NAME if host == "web" else host for host in hosts]
    one = engine(rule(), to(("v2", 1)), hosts=full, key="web")
    assert calls(one, 2) == {"c:1": 2}


def test_routes_of_the_host_itself_come_before_those_of_a_wildcard() -> None:
    policy = attrs.evolve(
        p.policy(rule()),
        declared=(
            DeclaredHosts(hosts=("*",), routes=(to(("v1", 1)),)),
            DeclaredHosts(hosts=(p.NAME,), routes=(to(("v2", 1)),)),
        ),
    )
    one = Engine(policy, identity=Identity(), endpoints={p.NAME: PLACES})
    assert calls(one, 1) == {"c:1": 1}


def test_weights_are_exact_without_chance_and_drawn_with_it() -> None:
    split = to(("canary", 10), ("v2", 90))
    assert calls(engine(rule(), split), 100) == {"b:1": 10, "c:1": 90}
    turns = TrafficPolicy(simple="ROUND_ROBIN")
    subsets = [attrs.evolve(one, policy=turns) for one in (V2, BOTH)]
    drawn = engine(rule(*subsets), split, draw=cycle([0.0999, 0.1, 0.99]).__next__)
    assert calls(drawn, 3) == {"b:1": 1, "c:1": 2}


def test_a_target_without_a_subset_and_one_elsewhere_are_all_endpoints() -> None:
    one = engine(rule(), to(("", 1)))
    assert len(calls(one, 4)) == 4
    one = engine(rule(), to(("v1", 1), host="shop.default.svc.cluster.local"))
    assert len(calls(one, 4)) == 4


def test_a_route_to_a_subset_that_is_not_defined_refuses() -> None:
    assert isinstance(admit(engine(rule(), to(("v9", 1)))), Rejection)


def test_a_route_that_leads_nowhere_in_particular_is_all_endpoints() -> None:
    assert len(calls(engine(rule(), to()), 4)) == 4


def test_a_subset_without_endpoints_refuses_and_names_the_rule() -> None:
    one = engine(rule(Subset(name="v7", labels=(("version", "v7"),))))
    refused = admit(one, "v7")
    assert isinstance(refused, Rejection)
    assert refused.body == "no healthy upstream"


def test_each_subset_has_its_own_policy_and_its_own_ejections() -> None:
    quick = OutlierDetection(consecutive_5xx=1, max_ejection_percent=100)
    slow = OutlierDetection(consecutive_5xx=9, max_ejection_percent=100)
    own = attrs.evolve(V1, policy=TrafficPolicy(outlier=quick))
    one = engine(rule(own, V2, outlier=slow))
    failed = admit(one, "v1")
    gone = failed.endpoint.address
    failed.settle(Outcome.FAILURE, 0, 500)
    assert gone not in calls(one, 4, "v1")
    assert gone in calls(one, 4)  # nobody told the others
    told = {cluster["name"]: cluster for cluster in one.snapshot(1)["clusters"]}
    assert {name: it["subset"] for name, it in told.items()} == {
        p.NAME: "",
        f"{p.NAME}/v1": "v1",
        f"{p.NAME}/v2": "v2",
    }
    assert [e["ejected"] for e in told[f"{p.NAME}/v1"]["endpoints"]].count(True) == 1
    assert [e["address"] for e in told[f"{p.NAME}/v2"]["endpoints"]] == ["c:1"]


def test_calls_in_flight_are_bounded_subset_by_subset() -> None:
    own = attrs.evolve(V1, policy=TrafficPolicy(max_requests=1))
    one = engine(rule(own))
    assert isinstance(admit(one, "v1"), Permit)
    assert isinstance(admit(one, "v1"), Rejection)
    assert isinstance(admit(one), Permit)


def test_a_subset_may_hash_where_the_service_does_not() -> None:
    own = attrs.evolve(V1, policy=TrafficPolicy(hashing=ConsistentHash(query="q")))
    one = engine(rule(own, simple="ROUND_ROBIN"))
    found = {
        one.admit(p.calling(query="q=1", labels={SUBSET: "v1"}), 0).endpoint.address  # type: ignore[union-attr]
        for _ in range(6)
    }
    assert len(found) == 1


def test_the_policy_of_a_port_is_the_subsets_own() -> None:
    own = attrs.evolve(V1, ports=((80, TrafficPolicy(max_requests=1)),))
    for key, refused in ((f"{p.NAME}:80", True), (p.NAME, False)):
        one = engine(rule(own), key=key)
        assert isinstance(admit(one, "v1"), Permit)
        assert isinstance(admit(one, "v1"), Rejection) is refused


def test_passing_through_a_subset_chooses_nobody() -> None:
    own = attrs.evolve(V1, policy=TrafficPolicy(simple="PASSTHROUGH"))
    assert calls(engine(rule(own)), 4).keys() == {"a:1", "b:1", "c:1", "d:1"}
    assert calls(engine(rule(own)), 2, "v1") == {"": 2}
    other = engine(rule(V2, simple="PASSTHROUGH"))
    assert calls(other, 2) == {"": 2}
    assert calls(other, 2, "v2") == {"c:1": 2}


def test_a_reload_keeps_the_state_of_subsets_that_stay() -> None:
    quick = OutlierDetection(consecutive_5xx=1, max_ejection_percent=100)
    one = engine(rule(V1, outlier=quick), endpoints=PLACES[:2])
    one = engine(rule(attrs.evolve(V1, policy=TrafficPolicy(outlier=quick))))
    admit(one, "v1").settle(Outcome.FAILURE, 0, 500)
    left = calls(one, 2, "v1")
    one.reload(p.policy(rule(attrs.evolve(V1, policy=TrafficPolicy(outlier=quick)), V2)))
    assert calls(one, 2, "v1") == left
    one.reload(p.policy(attrs.evolve(rule(), subsets=())))
    assert len(one.snapshot(0)["clusters"]) == 1


def test_endpoints_that_come_from_elsewhere_are_of_their_subsets_too() -> None:
    known = [PLACES[:3]]
    one = engine(rule(), endpoints=lambda: known[0])
    assert calls(one, 2, "v2") == {"c:1": 2}
    known[0] = [*PLACES[:3], ("e:1", "", 1, {"version": "v2"})]
    now = 1000.0
    found = set()
    for _ in range(4):
        permit = admit(one, "v2", now=now)
        found.add(permit.endpoint.address)
        permit.settle(None, now, 200)
    assert found == {"c:1", "e:1"}


def test_a_rule_in_shadow_sends_nobody_anywhere() -> None:
    one = engine(attrs.evolve(rule(), shadow=True), to(("v9", 1)))
    assert len(calls(one, 4, "v2")) == 4
    assert len(calls(one, 4)) == 4
    live = engine(rule(), to(("v2", 1)))
    live.shadow("DestinationRule default/x")
    assert len(calls(live, 4)) == 4
    live.shadow("DestinationRule default/x", on=False)
    assert calls(live, 2) == {"c:1": 2}


def test_modes_that_refuse_nothing_take_no_subset_for_an_answer() -> None:
    shadow = engine(rule(), mode="shadow")
    permit = admit(shadow, "v9")
    assert isinstance(permit, Permit)
    assert permit.reason is Reason.NO_HEALTHY_ENDPOINT
    assert calls(shadow, 2, "v2") == {"c:1": 2}
