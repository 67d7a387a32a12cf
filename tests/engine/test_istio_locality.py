import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.core.balance import Endpoint, build_picker
from trafficcore.engine.istio_locality import (
    Group,
    apply_setting,
    apply_zone_aware,
    assign,
    assign_zone_aware,
)
from trafficcore.spec import LocalityLb

HERE = "r1/z1/s1"
PLACES = ["r1/z1/s1", "r1/z1/s2", "r1/z2/s1", "r1", "r2/z1/s1", "r3", ""]


@attrs.frozen
class Member:
    labels: dict
    weight: int = 1


def group(locality, *labels, weight=None):
    return Group(
        locality=locality, weight=weight, members=tuple(Member(label) for label in labels or ({},))
    )


def endpoints(*places, labels=()):
    return [Endpoint(f"10.0.0.{i}:80", place, labels=labels) for i, place in enumerate(places)]


def priorities(setting, *places, outlier=True, own=HERE, labels=None):
    groups = [group(place) for place in places]
    return [g.priority for g in apply_setting(groups, own, labels or {}, outlier, setting)]


def test_levels_are_sub_zone_zone_region_and_others_without_gaps():
    assert priorities(LocalityLb(), *PLACES) == [0, 1, 2, 2, 3, 3, 3]
    assert priorities(LocalityLb(), "r1/z2", "r3") == [0, 1]
    assert priorities(LocalityLb(failover=(("r1", "r3"),)), *PLACES, None) == [
        0,
        1,
        2,
        2,
        4,
        3,
        4,
        4,
    ]


def test_a_rule_for_another_region_is_no_rule_and_the_first_for_the_own_one_decides():
    elsewhere = LocalityLb(failover=(("r9", "r3"),))
    assert priorities(elsewhere, "r2", "r3") == [0, 0]
    twice = LocalityLb(failover=(("r1", "r2"), ("r1", "r3")))
    assert priorities(twice, "r1", "r2", "r3") == [0, 1, 2]


def test_empty_parts_equal_empty_parts():
    assert priorities(LocalityLb(), "r1", "r1/z1", own="r1") == [0, 1]
    assert priorities(LocalityLb(), "", None, "r1", own="") == [0, 0, 1]


def test_nothing_is_applied_where_it_is_off_or_nobody_could_fail_over():
    assert priorities(LocalityLb(enabled=False), *PLACES) == [0] * 7
    assert priorities(None, *PLACES) == [0] * 7
    assert priorities(LocalityLb(), *PLACES, outlier=False) == [0] * 7


LABELS = [{"a": "1", "b": "1"}, {"a": "1"}, {"b": "1"}, {"a": "1", "b": "1", "c": "1"}]


def by_labels(keys, own, failover=(), outlier=True):
    setting = LocalityLb(failover_priority=keys, failover=failover)
    made = apply_setting([group("r1", *LABELS)], "r1", own, outlier, setting)
    return [(g.priority, [m.labels for m in g.members], g.weight) for g in made]


def test_the_first_label_that_differs_decides():
    assert by_labels(("a", "b"), {"a": "1", "b": "1"}) == [
        (0, [LABELS[0], LABELS[3]], 2),
        (1, [LABELS[1]], 1),
        (2, [LABELS[2]], 1),
    ]


def test_missing_equals_missing():
    assert by_labels(("c",), {"a": "1"}) == [(0, LABELS[:3], 3), (1, [LABELS[3]], 1)]


def test_a_value_in_the_key_overrules_the_own_one():
    assert by_labels(("a=1",), {"a": "2"}) == [
        (0, [*LABELS[:2], LABELS[3]], 3),
        (1, [LABELS[2]], 1),
    ]
    # of a key with two signs the first part is the label, and its value the own one
    assert by_labels(("a=2=1",), {"a": "1"})[0][1] == [*LABELS[:2], LABELS[3]]
    assert by_labels(("a=2", "a=1"), {"x": ""})[0][1] == [*LABELS[:2], LABELS[3]]


def test_without_own_labels_or_outlier_detection_labels_decide_nothing():
    assert by_labels(("a",), {}) == [(0, LABELS, None)]
    assert by_labels(("a",), {"a": "1"}, outlier=False) == [(0, LABELS, None)]


def test_another_network_weighs_more_than_all_that_follows():
    network = "topology.istio.io/network"
    groups = [
        group(place, {network: n, "region": region})
        for place, n, region in [
            ("x", "n1", "r1"),
            ("x", "n2", "r2"),
            ("y", "n1", "r2"),
            ("z", "n2", "r3"),
        ]
    ]
    setting = LocalityLb(failover_priority=(network, "region"))
    made = apply_setting(groups, "", {network: "n1", "region": "r2"}, True, setting)
    assert [g.priority for g in made] == [1, 2, 0, 3]
    # a network with a value in the key is a label like any other
    fixed = LocalityLb(failover_priority=(f"{network}=n1", "region"))
    made = apply_setting(groups, "", {"region": "r2"}, True, fixed)
    assert [g.priority for g in made] == [1, 2, 0, 2]


def test_labels_go_before_localities_where_both_are_given():
    # an example of Istio's own: two labels, then regions
    keys = ("n", "c")
    rows = [
        ("r1/z1/s1", {"n": "n1", "c": "c1"}),
        ("r1/z2/s2", {"n": "n2", "c": "c2"}),
        ("r2/z2/s2", {"n": "n1", "c": "c3"}),
        ("r3/z3/s3", {"n": "n2", "c": "c4"}),
        ("r2/z2/s2", {"n": "n2", "c": "c2"}),
        ("r3/z3/s3", {"n": "n1", "c": "c1"}),
    ]
    setting = LocalityLb(failover_priority=keys, failover=(("r1", "r2"),))
    groups = [group(place, labels) for place, labels in rows]
    made = apply_setting(groups, "r1/z1/s1", {"n": "n2", "c": "c2"}, True, setting)
    assert [g.priority for g in made] == [3, 0, 4, 2, 1, 5]


def distributed(to, *groups, own=HERE, from_="r1/z1/*"):
    setting = LocalityLb(distribute=((from_, tuple(to.items())),))
    made = apply_setting(groups, own, {}, False, setting)
    return [(g.weight, bool(g.members)) for g in made]


def test_weights_go_to_the_first_pattern_that_claims_a_group_rounded_up():
    made = distributed(
        {"r1/z1/*": 80, "r1/*": 15, "*": 5},
        *(group(place) for place in ("r1/z1/s1", "r1/z1/s2", "r1/z1", "r1/z2", "r2", "r3/z1")),
    )
    assert made == [(27, True)] * 3 + [(15, True)] + [(3, True)] * 2


def test_groups_share_by_the_weight_they_have():
    made = distributed(
        {"r1": 90, "r2": 10}, group("r1/a", weight=2), group("r1/b", weight=1), group("r3")
    )
    assert made == [(60, True), (30, True), (None, False)]
    assert distributed({"r1": 90}, group("r1", weight=0)) == [(0, True)]
    assert distributed({"r1": 0}, group("r1", weight=7)) == [(7, True)]


def test_a_rule_from_elsewhere_changes_nothing_and_leaves_no_failover():
    assert distributed({"r1": 100}, group("r1"), group("r2"), own="r2/z1") == [(None, True)] * 2
    assert distributed({"r1": 100}, group("r1"), group(None), own="r2", from_="*") == [
        (100, True),
        (None, False),
    ]


def test_zone_aware_keeps_a_region_together():
    groups = [group(place) for place in ("r1/z1", "r1/z9", "r2", "r3", None)]

    def levels(setting, own=HERE):
        return [g.priority for g in apply_zone_aware(groups, own, {}, setting)]

    assert levels(LocalityLb()) == [0, 0, 1, 1, 1]
    assert levels(LocalityLb(failover=(("r1", "r3"),))) == [0, 0, 2, 1, 2]
    assert levels(LocalityLb(failover=(("r1", "r1"),))) == [0, 0, 1, 1, 1]
    assert levels(LocalityLb(enabled=False)) == [0] * 5


def test_zone_aware_puts_labels_before_regions():
    groups = [group("r2", {"v": "1"}, {}), group("r1", {"v": "1"}, {})]
    setting = LocalityLb(failover_priority=("v",))
    made = apply_zone_aware(groups, "r1", {"v": "1"}, setting)
    assert [(g.locality, g.priority) for g in made] == [("r2", 1), ("r2", 3), ("r1", 0), ("r1", 2)]


# As the engine sees it: endpoints in, priorities out


def test_endpoints_get_the_priority_of_their_group():
    made = assign(
        endpoints("r2", HERE, "r1/z1/s2", HERE), HERE, {}, outlier=True, setting=LocalityLb()
    )
    assert made.priorities == (2, 0, 1, 0)
    assert made.weights is None
    assert made.why == "failover: own sub-zone, zone, region, then others"


def test_topology_labels_follow_from_localities():
    setting = LocalityLb(
        failover_priority=("topology.kubernetes.io/region", "topology.kubernetes.io/zone")
    )
    made = assign(endpoints("r2/z1", "r1/z2", HERE, ""), HERE, {}, outlier=True, setting=setting)
    assert made.priorities == (2, 1, 0, 2)
    assert made.weights == {(2, "r2/z1"): 1, (1, "r1/z2"): 1, (0, HERE): 1, (2, ""): 1}


def test_distribution_drops_who_is_not_named_and_weighs_the_rest():
    setting = LocalityLb(distribute=(("r1/*", (("r1/z1/*", 70), ("r1/z2/*", 30))),))
    members = endpoints(HERE, "r1/z2/s1", "r1/z2/s2", "r2")
    made = assign(members, HERE, {}, outlier=False, setting=setting)
    assert made.priorities == (0, 0, 0, None)
    assert made.weights == {(0, HERE): 70, (0, "r1/z2/s1"): 15, (0, "r1/z2/s2"): 15}
    picker = build_picker(members[:3], locality_weights=made.weights)
    counts = [0] * 3
    for _ in range(100):
        counts[members.index(picker.pick())] += 1
    assert counts == [70, 15, 15]


@pytest.mark.parametrize(
    ("setting", "outlier", "why"),
    [
        (None, True, "locality is switched off"),
        (LocalityLb(enabled=False), True, "locality is switched off"),
        (LocalityLb(), False, "failover needs outlier detection: all localities alike"),
        (LocalityLb(distribute=(("*", (("*", 100),)),)), False, "distribute: localities by weight"),
        (LocalityLb(failover_priority=("a", "b")), True, "failoverPriority: a, b"),
        (
            LocalityLb(failover_priority=("a",), failover=(("x", "y"),)),
            True,
            "failoverPriority: a before region, zone, sub-zone",
        ),
    ],
)
def test_an_assignment_says_what_was_applied(setting, outlier, why):
    assert assign(endpoints(*PLACES), HERE, {}, outlier=outlier, setting=setting).why == why


def test_only_what_istio_weighs_is_weighed():
    def weights(setting, outlier=True):
        return assign(
            endpoints(HERE, "r2"), HERE, {"a": "1"}, outlier=outlier, setting=setting
        ).weights

    assert weights(LocalityLb()) is None
    assert weights(LocalityLb(failover=(("r1", "r2"),))) == {(0, HERE): 1, (1, "r2"): 1}
    assert weights(LocalityLb(failover=(("r1", "r2"),)), outlier=False) is None


def test_a_zone_aware_assignment_has_no_weights():
    made = assign_zone_aware(endpoints("r1/z9", "r2"), HERE, {}, LocalityLb())
    assert (made.priorities, made.weights) == ((0, 1), None)
    assert (
        assign_zone_aware(endpoints("r2"), HERE, {}, LocalityLb(enabled=False)).why
        == "zone-aware: off"
    )


settings = st.builds(
    LocalityLb,
    enabled=st.booleans(),
    failover=st.sampled_from([(), (("r1", "r2"),), (("r1", "r3"), ("r2", "r1"))]),
    failover_priority=st.sampled_from(
        [(), ("a",), ("topology.istio.io/network", "a"), ("a=2", "b")]
    ),
    distribute=st.sampled_from(
        [(), (("r1/*", (("r1/z1/*", 60), ("*", 40))),), (("*", (("r1", 100),)),)]
    ),
)
members = st.lists(
    st.builds(
        Endpoint,
        st.just("10.0.0.1:80"),
        st.sampled_from(PLACES),
        st.integers(1, 3),
        st.dictionaries(
            st.sampled_from(["a", "b", "topology.istio.io/network"]), st.sampled_from("12")
        ),
    ),
    max_size=12,
)


@given(members, settings, st.booleans(), st.sampled_from(PLACES))
def test_priorities_have_no_gaps_and_weights_cover_all_that_get_calls(
    members, setting, outlier, own
):
    made = assign(members, own, {"a": "1"}, outlier=outlier, setting=setting)
    used = {p for p in made.priorities if p is not None}
    assert used == set(range(len(used)))
    assert len(made.priorities) == len(members)
    if None in made.priorities:
        assert setting.enabled
        assert setting.distribute
    if made.weights is not None:
        taking = {
            (p, m.locality) for p, m in zip(made.priorities, members, strict=True) if p is not None
        }
        assert set(made.weights) == taking
        assert all(weight > 0 for weight in made.weights.values())


@given(members, st.sampled_from(PLACES))
def test_nobody_nearer_comes_after_somebody_farther(members, own):
    made = assign(members, own, {}, outlier=True, setting=LocalityLb())

    def shared(place):
        mine, theirs = (f"{text}//".split("/") for text in (own, place))
        return next((i for i in range(3) if mine[i] != theirs[i]), 3)

    for one, first in zip(made.priorities, members, strict=True):
        for other, second in zip(made.priorities, members, strict=True):
            if shared(first.locality) > shared(second.locality):
                assert one < other
