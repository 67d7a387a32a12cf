"""A row a rule, and the sums before them."""

import attrs
import pytest

from support.policies import NAME, breaker, destination, limit, policy, quota
from trafficcore.engine import Identity
from trafficcore.explain import Hosts, Row, explain, rows, sums
from trafficcore.explain.show import plain_table
from trafficcore.spec import (
    Destination,
    Limit,
    LimitOverride,
    OutlierDetection,
    RequestMatch,
    Subset,
    TrafficPolicy,
)

UNSAID = Hosts()


def table(*rules: object, hosts: Hosts = UNSAID) -> list[Row]:
    return list(rows(explain(policy(*rules), Identity(), hosts), hosts))


def summed(*rules: object, hosts: Hosts = UNSAID) -> list[str]:
    return list(sums(explain(policy(*rules), Identity(), hosts), hosts))


def service(number: int, **outlier: int) -> Destination:
    return destination(f"s{number}.default.svc.cluster.local", **outlier)


def test_a_row_for_each_kind() -> None:
    override = LimitOverride(RequestMatch(), Limit(quota=1, fill_interval=1))
    found = table(
        limit(), limit(overrides=(override,), gateway=True), breaker(), quota(), destination()
    )
    assert [row.cells for row in found] == [
        (
            "ASMLocalRateLimiter default/x",
            "2 requests at once, then one each 30 s",
            "",
            "429",
            "yes",
        ),
        (
            "ASMLocalRateLimiter default/x",
            "2 requests at once, then one each 30 s; 1 override",
            "",
            "429",
            "no",
        ),
        ("ASMCircuitBreaker default/x", "", "5 slower than 500 ms in 10 s", "498 for 60 s", "yes"),
        (
            "QuotaSchedulingPolicy default/x",
            "10 at once, then 10 per second",
            "",
            "wait: guest 20 %, subscriber 80 %",
            "yes",
        ),
        (
            "DestinationRule default/x",
            "100 %, the first of 1 host",
            "3 in a row: 5xx",
            "out 20 s, then 40 s to 300 s",
            "yes",
        ),
    ]


def test_rows_of_rules_that_do_nothing() -> None:
    off = attrs.evolve(destination(), policy=TrafficPolicy())
    assert table(breaker(rule={"slow_after": None}))[0].after == "nothing"
    assert table(off)[0].most == "no host"
    assert table(destination(consecutive_5xx=0))[0].most == "no host"
    assert table(attrs.evolve(quota(), workloads=()))[0].then == "wait in turn"


@pytest.mark.parametrize(
    ("hosts", "most"),
    [
        (Hosts(each=9), "0 of 9 hosts"),
        (Hosts(each=25), "2 of 25 hosts"),
        (Hosts(each=25, by_name={NAME: 10}), "1 of 10 hosts"),
        (Hosts(each=25, by_name={"web": 30}), "3 of 30 hosts"),
        (Hosts(by_name={"web": 30}, namespace="shop"), "10 %, the first of 10 hosts"),
        (Hosts(), "10 %, the first of 10 hosts"),
    ],
)
def test_hosts_that_can_go(hosts: Hosts, most: str) -> None:
    assert table(destination(max_ejection_percent=10), hosts=hosts)[0].most == most


def test_a_port_of_its_own_has_a_row_of_its_own() -> None:
    rule = attrs.evolve(destination(), ports=((9090, TrafficPolicy()),))
    assert [(row.rule, row.most) for row in table(rule)] == [
        ("DestinationRule default/x", "100 %, the first of 1 host"),
        ("DestinationRule default/x:9090", "no host"),
    ]


def test_the_sum_says_how_many_rules_never_eject() -> None:
    rules = [service(n, max_ejection_percent=10) for n in range(140)]
    rules += [service(n, max_ejection_percent=50) for n in range(140, 198)]
    rules += [service(n, consecutive_5xx=0) for n in range(198, 200)]
    assert summed(*rules) == [
        "142 of 200 rules never eject with fewer than 10 hosts",
        "2 of 200 rules never eject at all",
    ]
    assert summed(*rules, hosts=Hosts(each=1)) == [
        "142 of 200 rules never eject with fewer than 10 hosts",
        "2 of 200 rules never eject at all",
        "200 of 200 rules eject nobody with the hosts given",
    ]
    assert summed(*rules[:2], hosts=Hosts(by_name={rules[0].host: 9, rules[1].host: 10})) == [
        "2 of 2 rules never eject with fewer than 10 hosts",
        "1 of 2 rules ejects nobody with the hosts given",
    ]


def test_there_is_nothing_to_sum_where_all_can_go() -> None:
    assert summed(destination(), hosts=Hosts(each=3)) == []
    assert summed(limit()) == []


def test_columns_stand_under_each_other() -> None:
    assert list(
        plain_table([Row("a rule", "1", "", "x", "yes"), Row("b", "10 %", "z", "", "no")])
    ) == [
        "RULE    AT MOST  AFTER  THEN  HERE",
        "a rule  1               x     yes",
        "b       10 %     z            no",
    ]


def test_up_to_1_22_the_first_host_can_go() -> None:
    (rule,) = explain(policy(destination(max_ejection_percent=10)), Identity(), UNSAID)
    for istio, fewest, told in (("1.22", "1 host", 0), (None, "10 hosts", 1)):
        hosts = Hosts(istio=istio)
        (row,) = rows([rule], hosts)
        assert row.cells[1] == f"10 %, the first of {fewest}"
        assert len(list(sums([rule], hosts))) == told


def test_a_subset_that_ejects_by_itself_has_a_row() -> None:
    own = TrafficPolicy(outlier=OutlierDetection(consecutive_5xx=1, max_ejection_percent=50))
    rule = destination(max_ejection_percent=100)
    subsets = (Subset(name="v1", policy=rule.policy), Subset(name="v2", policy=own))
    _, row = table(attrs.evolve(rule, subsets=subsets))
    assert row.cells[:3] == (
        "DestinationRule default/x subset v2",
        "50 %, the first of 2 hosts",
        "1 in a row: 5xx",
    )
