"""DestinationRules in words, and that as many hosts go as is said, for as long."""

from math import inf
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.helpers import example, meanings, text, texts, values
from support.policies import NAME, calling, destination, engine, policy
from trafficcore.core.outlier import Settings
from trafficcore.engine import Engine, Identity, Permit, Rejection
from trafficcore.engine.istio_outlier import envoy_settings
from trafficcore.explain import Hosts, explain
from trafficcore.explain.room import detectors, ejection_times, fewest_hosts, most_out
from trafficcore.outcome import Outcome
from trafficcore.spec import (
    ConsistentHash,
    Destination,
    HashCookie,
    LocalityLb,
    OutlierDetection,
    Subset,
    TrafficPolicy,
    Warmup,
    ZoneAwareLb,
)


def test_the_articles_rule() -> None:
    assert texts(example("outlier")) == [
        (
            "For calls to httpbin-00001-private.default.svc.cluster.local; of several such rules"
            " that of the client's namespace decides, then the service's, then the root one (this"
            " one is of default)."
        ),
        (
            "An endpoint is ejected at its 3rd 5xx in a row; any other answer ends the run, and"
            " time does not."
        ),
        "A failed connection counts as 503, a timeout as 504; 4xx are no failures.",
        (
            "It is out for 20 s, rounded up to the next sweep, every 5 s; the second time 40 s, the"
            " third 60 s, at most 300 s; each sweep after its return takes one step off."
        ),
        "At most 100 % of the hosts are out at once.",
        "Panic is off: with every endpoint out, calls are refused 503 no healthy upstream.",
        (
            "Of two endpoints drawn at random the one with fewer calls in flight takes the next;"
            " where weights differ they go by weight over calls in flight."
        ),
        "Locality: failover: own sub-zone, zone, region, then others.",
        (
            "With one of two hosts of your zone out, 70 % stays and 30 % goes on to the next level;"
            " with 72 % of them healthy all of it stays (overprovisioning factor 1.4)."
        ),
    ]


def hashed(**settings: Any) -> list[str]:
    rule = attrs.evolve(destination(), policy=TrafficPolicy(hashing=ConsistentHash(**settings)))
    told = {one.key: one for one in meanings(rule).meanings}
    return [told[key].text for key in ("balancing", "cookie", "table") if key in told]


def test_what_is_hashed_and_how() -> None:
    ring = (
        "A ring of at least 1024 places: where endpoints are fewer, those that stay take more of"
        " them when one goes, and so other calls move than its own."
    )
    kept = (
        "go to one endpoint while it may be called; a call without it goes to one drawn at random."
    )
    assert hashed(header="x-user") == [f"Calls of one header x-user {kept}", ring]
    assert hashed(source_address=True) == [f"Calls of one source address {kept}", ring]
    assert hashed(query="q", maglev=True, size=101) == [
        f"Calls of one query parameter q {kept}",
        "Maglev, a table of 101 places.",
    ]
    assert hashed(cookie=HashCookie(name="c", ttl=90)) == [
        f"Calls of one cookie c {kept}",
        "Where it is missing, the answer sets one that lasts 90 s.",
        ring,
    ]
    forever = hashed(cookie=HashCookie(name="c", ttl=0))
    assert forever[1].endswith("sets one that lasts as long as its client.")
    assert len(hashed(cookie=HashCookie(name="c"))) == 2
    assert hashed() == [
        "Each call goes to an endpoint drawn at random: consistentHash names no key."
    ]


def test_a_subset_in_words_by_what_it_has_of_its_own() -> None:
    policy = TrafficPolicy(simple="ROUND_ROBIN")
    rule = attrs.evolve(
        destination(),
        policy=policy,
        subsets=(
            Subset(name="v1", labels=(("version", "v1"), ("track", "a")), policy=policy),
            Subset(
                name="v2",
                policy=attrs.evolve(policy, max_requests=3),
                ports=((80, attrs.evolve(policy, simple="RANDOM")),),
            ),
        ),
    )
    told = [one for one in meanings(rule).meanings if one.key.startswith("subset")]
    sent = "calls that a route or the label trafficcore/subset sends there go to no others."
    most = "At most 3 calls are in flight at once; another is answered 503 at once."
    drawn = "Each call goes to an endpoint drawn at random, by weight."
    assert [(one.key, one.text) for one in told] == [
        ("subset v1", f"The endpoints with version=v1 and track=a are the subset v1: {sent}"),
        ("subset v2", f"The endpoints with no label in particular are the subset v2: {sent}"),
        ("subset v2 calls in flight", f"In v2: {most}"),
        ("subset v2 port 80 balancing", f"In v2 on port 80: {drawn}"),
    ]


def test_zones_by_their_callers_in_words() -> None:
    def told(**settings: Any) -> list[tuple[str, str]]:
        policy = TrafficPolicy(zone_aware=ZoneAwareLb(**settings))
        found = meanings(attrs.evolve(destination(), policy=policy)).meanings
        return [
            (one.value, one.text) for one in found if "locality" in one.key or "over" in one.key
        ]

    assert told(enabled=False) == [("zone-aware: off", "Locality: all endpoints are alike.")]
    (zones, over) = told(min_cluster_size=3, failover=(("r", "s"),))
    assert zones[0] == "zone-aware from 3 endpoints on"
    assert "with fewer than 3 healthy endpoints zones are not looked at" in zones[1]
    assert over == ("s", "Calls from the region r that it cannot take go to s before others.")


def test_hosts_say_how_many_go() -> None:
    rule = destination(max_ejection_percent=10)
    assert values(meanings(rule))["most hosts out"] == "10 %"
    assert text(meanings(rule), "most hosts out") == (
        "At most 10 % of the hosts are out at once: with fewer than 10 hosts none ever is,"
        " as in Istio after 1.22."
    )
    (old,) = explain(policy(rule), Identity(), Hosts(each=9, istio="1.22"))
    assert text(old, "most hosts out") == (
        "At most 10 % of the hosts are out at once; the first always goes, as in Istio up to 1.22;"
        " of 9 hosts at most 1."
    )
    assert values(meanings(rule, hosts=9))["most hosts out"] == "10 %, 0 of 9 hosts"
    assert text(meanings(rule, hosts=25), "most hosts out").endswith("; of 25 hosts at most 2.")


def test_every_detector_by_its_own_fact() -> None:
    rule = meanings(
        destination(
            consecutive_gateway_errors=2,
            split_local_origin=True,
            consecutive_local_origin_failures=4,
            min_health_percent=40,
        )
    )
    found = values(rule)
    assert found["ejection"] == "3 in a row: 5xx"
    assert found["gateway ejection"] == "2 in a row: 502, 503 or 504"
    assert found["local ejection"] == "4 in a row: call without an answer"
    assert text(rule, "local ejection").startswith(
        "An endpoint is ejected at its 4th call without an answer in a row; any answer ends"
    )
    assert found["local failures"] == "by themselves"
    assert found["panic"] == "below 40 %"


def test_nobody_goes_where_every_detector_is_off() -> None:
    rule = meanings(destination(consecutive_5xx=0))
    assert text(rule, "ejection") == "Nobody is ejected: every detector is switched off."
    assert "most hosts out" not in values(rule)


def test_a_time_that_cannot_grow_is_said_once() -> None:
    rule = meanings(destination(base_ejection_time=400))
    assert values(rule)["ejection time"] == "400 s"
    assert text(rule, "ejection time") == (
        "It is out for 400 s, rounded up to the next sweep, every 5 s."
    )
    grows = meanings(destination(base_ejection_time=180))
    assert values(grows)["ejection time"] == "180 s, then 300 s to 300 s"
    assert "the third" not in text(grows, "ejection time")


def with_locality(outlier: bool = True, **setting: Any) -> Destination:
    rule = destination()
    policy = attrs.evolve(
        rule.policy,
        outlier=rule.policy.outlier if outlier else None,
        locality=LocalityLb(**setting),
    )
    return attrs.evolve(rule, policy=policy)


def test_localities_in_words() -> None:
    off = meanings(with_locality(enabled=False))
    assert text(off, "locality") == "Locality: locality is switched off."
    assert "overprovisioning" not in values(off)
    alone = meanings(with_locality(outlier=False, failover=(("eu", "us"),)))
    assert text(alone, "locality") == (
        "Locality: failover needs outlier detection: all localities alike."
    )
    over = meanings(with_locality(failover=(("eu", "us"),)))
    assert values(over)["failover from eu"] == "us"
    assert "overprovisioning" in values(over)
    spread = meanings(with_locality(distribute=(("a/*", (("b/*", 20), ("a/*", 80))),)))
    assert text(spread, "distribute from a/*") == (
        "From a/*: 80 % to a/* and 20 % to b/*; nothing goes to others."
    )


def test_a_selector_and_a_port_of_its_own() -> None:
    port = TrafficPolicy(outlier=OutlierDetection(consecutive_5xx=7))
    rule = attrs.evolve(destination(), labels=(("app", "web"),), ports=((9090, port),))
    found = meanings(rule)
    assert values(found)["process"] == "processes in default with app=web"
    assert values(found)["port 9090 ejection"] == "7 in a row: 5xx"
    assert text(found, "port 9090 ejection").startswith("On port 9090 instead: An endpoint is")


def test_detectors_that_are_not_enforced_are_none() -> None:
    assert detectors(Settings(enforcing_consecutive_5xx=0)) == {}
    assert most_out(Settings(enforcing_consecutive_5xx=0), 100) == 0
    assert fewest_hosts(Settings(enforcing_consecutive_5xx=0)) == inf
    assert fewest_hosts(Settings(max_ejection_percent=0)) == inf
    old = Settings(always_eject_one_host=True)
    assert (fewest_hosts(old), most_out(old, 3), most_out(old, 0)) == (1, 1, 0)


def fail_all(made: Engine, now: float, rounds: int) -> None:
    for _ in range(rounds):
        verdict = made.admit(calling(), now)
        if isinstance(verdict, Permit):
            verdict.settle(Outcome.FAILURE, now, 500)


def out(made: Engine, now: float) -> int:
    (cluster,) = made.snapshot(now)["clusters"]
    return sum(endpoint["ejected"] for endpoint in cluster["endpoints"])


@given(percent=st.integers(1, 100), hosts=st.integers(1, 30))
def test_as_many_hosts_go_as_is_said(percent: int, hosts: int) -> None:
    rule = destination(max_ejection_percent=percent, consecutive_5xx=1)
    outlier = rule.policy.outlier
    assert outlier is not None
    settings, _ = envoy_settings(outlier)
    endpoints = {NAME: [f"10.0.0.{n}:80" for n in range(hosts)]}
    made = engine(rule, endpoints=endpoints)
    fail_all(made, 1, 3 * hosts)
    most = most_out(settings, hosts)
    assert out(made, 1) == most
    assert (hosts >= fewest_hosts(settings)) is (most > 0)
    said = values(meanings(rule, hosts=hosts))["most hosts out"]
    assert said.split(", ")[1].split(" of ")[0] == str(most)


@pytest.mark.parametrize(("base", "sweep"), [(20, 5), (7, 5), (180, 10)])
def test_a_host_is_out_for_as_long_as_is_said(base: float, sweep: float) -> None:
    rule = destination(base_ejection_time=base, interval=sweep, consecutive_5xx=1)
    outlier = rule.policy.outlier
    assert outlier is not None
    said = ejection_times(envoy_settings(outlier)[0], 3)
    made = engine(rule, endpoints={NAME: ["10.0.0.1:80"]})
    now: float = 0
    for least in said:
        verdict = made.admit(calling(), now)
        assert isinstance(verdict, Permit)
        verdict.settle(Outcome.FAILURE, now, 500)
        assert isinstance(made.admit(calling(), now), Rejection)
        back = -(-(now + least) // sweep) * sweep
        assert isinstance(made.admit(calling(), back - 0.001), Rejection)
        now = back
    assert isinstance(made.admit(calling(), now), Permit)


@pytest.mark.parametrize(
    ("simple", "value"),
    [
        ("", "least requests"),
        ("LEAST_REQUEST", "least requests"),
        ("RANDOM", "at random"),
        ("ROUND_ROBIN", "in turns"),
        ("PASSTHROUGH", "none"),
    ],
)
def test_each_algorithm_by_its_name(simple: str, value: str) -> None:
    rule = attrs.evolve(destination(), policy=TrafficPolicy(simple=simple))
    assert values(meanings(rule))["balancing"] == value


def test_a_warmup_in_words() -> None:
    policy = TrafficPolicy(warmup=Warmup(duration=60, aggression=2))
    rule = meanings(attrs.evolve(destination(), policy=policy))
    assert text(rule, "warm-up") == (
        "An endpoint that joins others begins with 10 % of its weight at least and has all of it"
        " after 60 s. Its part is the part of the time gone by, to the power of 1 / 2."
    )
    drawn = attrs.evolve(policy, simple="RANDOM")
    assert "warm-up" not in values(meanings(attrs.evolve(destination(), policy=drawn)))
