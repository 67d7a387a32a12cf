"""One request before all rules: what acts, in which order, and why the others do not."""

from typing import Any

import attrs
import pytest

from support.policies import (
    NAME,
    OUTBOUND,
    breaker,
    calling,
    destination,
    limit,
    policy,
    quota,
    request,
    scope,
)
from trafficcore.engine import SUBSET, Facts, Identity
from trafficcore.explain import Hosts, RequestMeaning, explain_request
from trafficcore.spec import (
    HeaderMatch,
    LabelMatcher,
    Limit,
    LimitOverride,
    Op,
    OutlierDetection,
    QuotaSelector,
    RequestMatch,
    Subset,
    TrafficPolicy,
)

UNSAID = Hosts()
API = HeaderMatch(":path", Op.PREFIX, "/api")
GOLD = HeaderMatch("x-user", Op.EXACT, "gold")


def explained(facts: Facts, *rules: Any, hosts: Hosts = UNSAID, **identity: Any) -> RequestMeaning:
    return explain_request(policy(*rules), Identity(**identity), hosts, facts)


def why(facts: Facts, *rules: Any, hosts: Hosts = UNSAID, **identity: Any) -> str:
    found = explained(facts, *rules, hosts=hosts, **identity)
    (idle,) = found.idle
    return idle[1]


def test_rules_act_in_the_engines_order_whatever_theirs_is() -> None:
    rules = (
        destination(),
        quota(selectors=(QuotaSelector(control_point="egress"),)),
        breaker(direction=OUTBOUND),
        limit(direction=OUTBOUND),
    )
    found = explained(calling(), *rules, hosts=Hosts(each=3))
    assert [step.stage for step in found.steps] == ["limit", "breaker", "quota", "endpoint"]
    assert found.idle == ()
    assert found.request == f"GET http://{NAME}/"
    texts = [text for step in found.steps for text in step.texts]
    assert texts == [
        "Takes one of 2 tokens: 2 requests at once, then one each 30 s.",
        (
            "The 3rd at once is refused 429 local_rate_limited (x-local-rate-limit: true,"
            " x-envoy-ratelimited: true); worth coming back in 30 s."
        ),
        "Closed to begin with: it lets the request by and counts how it ends.",
        "Trips at 5 slower than 500 ms within 10 s.",
        "Then every such request is refused 498 delay break! for 60 s.",
        (
            "Of the workload default, as it fits no other: guest wants"
            " http.request.header.user_type is guest; subscriber wants"
            " http.request.header.user_type is subscriber."
        ),
        "Takes 1 of 10 tokens; where they are gone it waits for ever.",
        f"Goes to one of 3 endpoints of {NAME}, made up in this process's own locality.",
        (
            "An endpoint is ejected at its 3rd 5xx in a row; any other answer ends the run, and"
            " time does not."
        ),
        "At most 100 % of the hosts are out at once; of 3 hosts at most 3.",
    ]


def test_what_is_said_of_the_end_was_tried() -> None:
    found = explained(request(), limit(), breaker())
    assert found.outcome == (
        "It is admitted.",
        (
            "2 at one instant are admitted; the 3rd is refused 429, by"
            " ASMLocalRateLimiter default/x (p.yaml:1)."
        ),
        "The next is admitted 30 s later.",
    )
    waits = explained(request(headers={"user_type": "guest"}), quota(timeout=1.5))
    assert waits.outcome == (
        "It is admitted.",
        (
            "10 at one instant are admitted; the 11th waits, by"
            " QuotaSchedulingPolicy default/x (p.yaml:1)."
        ),
    )
    (step,) = waits.steps
    assert step.texts == (
        (
            "Of the workload guest, as http.request.header.user_type is guest; its share is 20"
            " % while all wait."
        ),
        "Takes 1 of 10 tokens; where they are gone it waits at most 1.5 s.",
    )
    assert explained(request(), breaker()).outcome == (
        "It is admitted.",
        "10000 at one instant are all admitted.",
    )


def test_the_next_is_promised_only_where_it_came() -> None:
    found = explained(request(), limit(1, 1, name="a"), limit(1, 60, name="b"))
    assert found.outcome == (
        "It is admitted.",
        (
            "1 at one instant is admitted; the 2nd is refused 429, by"
            " ASMLocalRateLimiter default/a (p.yaml:1)."
        ),
    )


def test_a_quota_of_nothing_refuses_the_first() -> None:
    found = explained(request(), limit(0))
    assert found.steps[0].texts == ("Refused: no request at all.",)
    assert found.outcome == ("It is refused 429, by ASMLocalRateLimiter default/x (p.yaml:1).",)


def test_a_service_without_hosts_refuses() -> None:
    found = explained(calling(), destination(), hosts=Hosts(by_name={NAME: 0}))
    assert found.outcome == ("It is refused 503, by DestinationRule default/x (p.yaml:1).",)


def test_nothing_acts_where_no_rule_is_there() -> None:
    found = explained(request())
    assert (found.steps, found.idle) == ((), ())


def test_the_override_that_took_it_is_named() -> None:
    gold = LimitOverride(RequestMatch(headers=(GOLD,)), Limit(quota=9, fill_interval=9))
    rule = limit(overrides=(gold,))
    taken = explained(request(headers={"x-user": "gold"}), rule)
    assert taken.steps[0].texts[:2] == (
        "An override holds in its place: header x-user is gold.",
        "Takes one of 9 tokens: 9 requests at once, then 1 per second.",
    )
    own = explained(request(), rule)
    assert own.steps[0].texts[:2] == (
        "No override fits: the rule's own limit holds.",
        "Takes one of 2 tokens: 2 requests at once, then one each 30 s.",
    )


@pytest.mark.parametrize(
    ("facts", "rule", "said"),
    [
        (
            request(path="/shop"),
            limit(headers=(API,)),
            "path does not begin with /api (it is '/shop')",
        ),
        (
            request(),
            limit(headers=(GOLD,)),
            "header x-user is missing; wanted: header x-user is gold",
        ),
        (
            request(headers={"x-user": "tin"}),
            breaker(headers=(GOLD,)),
            "header x-user is not gold (it is 'tin')",
        ),
        (
            request(),
            limit(headers=(HeaderMatch("x-user", Op.PRESENT),)),
            "header x-user is absent",
        ),
        (
            request(headers={"x-user": "a"}),
            limit(headers=(HeaderMatch("x-user", Op.PRESENT, "false"),)),
            "header x-user is present (it is 'a')",
        ),
        (
            request(headers={"x-user": "gold"}),
            limit(headers=(HeaderMatch("x-user", Op.EXACT, "gold", invert=True),)),
            "header x-user is gold (it is 'gold')",
        ),
        (
            request("shop"),
            limit(host="web.default.svc.cluster.local"),
            "it is about inbound web.default.svc.cluster.local; this request is for shop",
        ),
        (
            calling(),
            limit(),
            "it is about inbound *; this request goes out",
        ),
        (
            request(),
            breaker(rule={"slow_after": None}),
            "not here: nothing can trip it",
        ),
        (
            request(),
            limit(scope=scope(gateway=True)),
            "not here: for gateways; this process is none",
        ),
        (
            request(),
            limit(scope=scope(labels=(("app", "web"),))),
            "not here: selector app=web; this process is app=shop",
        ),
        (
            calling(),
            quota(),
            "it is about inbound *; this request goes out",
        ),
        (
            request(),
            quota(selectors=(QuotaSelector(service="shop"),)),
            "it is about inbound shop; this request is for web",
        ),
        (
            request(),
            quota(selectors=(QuotaSelector(matcher=LabelMatcher(labels=(("a", "b"),))),)),
            "its labels do not fit; wanted: a is b",
        ),
        (
            request(NAME),
            destination(),
            f"it is about outbound {NAME}; this request comes in",
        ),
        (
            calling("shop"),
            destination(),
            f"it is about calls to {NAME}; this request is for shop",
        ),
    ],
)  # fmt: skip
def test_why_a_rule_does_not_act(facts: Facts, rule: Any, said: str) -> None:
    assert why(facts, rule, labels={"app": "shop"}) == said


def test_a_closer_virtual_host_has_the_requests() -> None:
    found = explained(
        request("a.example.com"), limit(host="*.example.com"), limit(host="a.example.com")
    )
    assert [reason for _, reason in found.idle] == [
        "a virtual host that fits a.example.com more closely has its requests"
    ]


def test_another_destination_rule_decides() -> None:
    found = explained(calling("a.example.com"), destination("*.example.com"), destination("*"))
    assert [step.stage for step in found.steps] == ["endpoint"]
    assert "of a.example.com, made up" in found.steps[0].texts[0]
    assert [reason for _, reason in found.idle] == [
        "another rule decides for a.example.com: DestinationRule default/x (p.yaml:1)"
    ]


def test_a_destination_rule_of_other_clients_is_not_here() -> None:
    rule = attrs.evolve(destination(), labels=(("app", "web"),))
    assert why(calling(), rule, labels={"app": "shop"}) == (
        "not here: selector app=web; this process is app=shop"
    )

    other = explained(calling(), rule, destination(), labels={"app": "shop"})
    assert [reason for _, reason in other.idle] == [
        "not here: selector app=web; this process is app=shop"
    ]


def test_a_limit_of_calls_that_go_out_is_not_asked_of_those_that_come_in() -> None:
    assert why(request(), limit(direction=OUTBOUND)) == (
        "it is about outbound *; this request comes in"
    )


def test_a_port_of_its_own_is_asked_for_by_name() -> None:
    own = TrafficPolicy(outlier=OutlierDetection(consecutive_5xx=0))
    rule = attrs.evolve(destination(), ports=((9090, own),))
    found = explained(calling(), rule, hosts=Hosts(by_name={"web:9090": 2}))
    assert found.steps[0].texts[0].startswith(f"Goes to one of 2 endpoints of {NAME}")


def test_a_call_to_a_subset_goes_to_endpoints_made_up_for_it() -> None:
    rule = attrs.evolve(
        destination(),
        subsets=(
            Subset(name="v1", labels=(("version", "v1"),)),
            Subset(name="v2", labels=(("version", "v2"),)),
        ),
    )
    for labels, of in ((None, ""), ({SUBSET: "v2"}, "the subset v2 of ")):
        found = explained(calling(labels=labels), rule, hosts=Hosts(each=3))
        assert found.steps[0].texts[0] == (
            f"Goes to one of 3 endpoints of {of}{NAME}, made up in this process's own locality."
        )
        assert found.outcome[0] == "It is admitted."
    nowhere = explained(calling(labels={SUBSET: "v3"}), rule, hosts=Hosts(each=3))
    assert nowhere.outcome[0].startswith("It is refused 503")
