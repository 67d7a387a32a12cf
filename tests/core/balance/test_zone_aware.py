from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from trafficcore.core.balance import Routing, zone_plan

counts = st.lists(st.integers(0, 12), min_size=1, max_size=5)


def named(numbers):
    return [(f"zone-{i}", number) for i, number in enumerate(numbers)]


@given(counts, counts, st.booleans(), st.booleans(), st.integers(0, 8))
def test_a_plan_says_why_it_is_off_or_deals_out_everything(callers, hosts, at, there, size):
    plan = zone_plan(
        named(callers),
        named(hosts),
        callers_at_home=at,
        hosts_at_home=there,
        min_cluster_size=size,
    )
    assert (plan.state is Routing.NONE) == bool(plan.reason)
    assert sum(plan.shares) == (0 if plan.reason else 1)
    if plan.state is Routing.RESIDUAL:
        assert list(plan.residual) == sorted(plan.residual)
        assert 0 <= plan.local_percent <= 10000


@given(counts, counts, st.booleans())
def test_the_draws_come_to_the_shares(callers, hosts, there):
    plan = zone_plan(named(callers), named(hosts), hosts_at_home=there, min_cluster_size=0)
    if plan.state is Routing.NONE:
        assert plan.choose(lambda: 0) is None
        return
    if plan.state is Routing.DIRECT:
        assert plan.choose(lambda: 0) == 0
        assert plan.shares[0] == 1
        return
    # every first draw that leaves the zone, against every second draw, is too many: count apart
    stay = sum(1 for draw in range(0, 10000, 100) if draw < plan.local_percent)
    assert abs(Fraction(stay, 100) - Fraction(plan.local_percent, 10000)) <= Fraction(1, 100)
    away = plan.residual[-1] or len(hosts)
    found = [0] * len(hosts)
    for second in range(away):
        numbers = iter([plan.local_percent, second])
        found[plan.choose(numbers.__next__)] += 1
    home = Fraction(plan.local_percent, 10000)
    for zone, share in enumerate(plan.shares):
        assert share == (1 - home) * Fraction(found[zone], away) + (home if zone == 0 else 0)


def test_each_reason_has_its_words():
    two = named([2, 2])
    assert zone_plan(two, named([9])).reason == "hosts_in_one_zone"
    assert zone_plan(named([9]), two).reason == "callers_in_one_zone"
    assert zone_plan(named([0, 9]), two).reason == "local_cluster_not_ok"
    assert zone_plan(two, two, callers_at_home=False).reason == "local_cluster_not_ok"
    assert zone_plan(two, two).reason == "cluster_too_small"
    assert zone_plan(two, two, min_cluster_size=4).state is Routing.DIRECT


def test_calls_can_be_kept_at_home_by_force():
    callers, hosts = named([9, 1]), named([1, 9])
    assert zone_plan(callers, hosts).state is Routing.RESIDUAL
    assert zone_plan(callers, hosts, force_local=1).state is Routing.DIRECT
    assert zone_plan(callers, hosts, force_local=2).state is Routing.RESIDUAL
    # and one zone of callers is enough then
    assert zone_plan(named([9]), hosts, force_local=1).state is Routing.DIRECT


def test_the_example_of_the_documentation():
    plan = zone_plan(named([4, 4, 2]), named([5, 10, 5]))
    assert plan.shares == (Fraction(5, 8), Fraction(1, 4), Fraction(1, 8))


def test_a_zone_that_is_only_the_callers_counts_in_the_whole():
    plan = zone_plan([("a", 1), ("elsewhere", 1)], [("a", 2), ("b", 4)])
    # a has 5,000 of the callers and 3,333 of the hosts
    assert plan.local_percent == 3333 * 10000 // 5000
