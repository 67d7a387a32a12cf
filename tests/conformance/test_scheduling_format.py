"""The adapter itself: it drives what no shared vector has, and it can fail."""

import copy
from fractions import Fraction
from pathlib import Path

import pytest

from conformance import formats, scheduling

VECTORS = Path(__file__).parent / "vectors" / "scheduling"
CASES = {path.stem: formats.load(path) for path in sorted(VECTORS.glob("*.json"))}
ONE_A_SECOND = {"type": "token_bucket", "bucket_capacity": 1, "fill_amount": 1, "interval": 1}


def case(kind="trace", *, limiter=None, workloads=("w",), expected, **more):
    scheduler = {"workloads": [{"name": name, "priority": 1} for name in workloads]}
    scheduler |= more.pop("scheduler", {})
    config = {"limiter": limiter or ONE_A_SECOND, "scheduler": scheduler}
    return {"name": "own", "kind": kind, "config": config, "expected": expected, **more}


def arrivals(*rows, **more):
    return [
        {"t": t, "id": ident, "workload": ident[0], "tokens": 1, "timeout": None, **more}
        for t, ident in rows
    ]


@pytest.mark.parametrize("name", CASES)
def test_a_start_tag_engine_gives_the_alternative(name):
    scheduling.run(CASES[name], tags="start")


@pytest.mark.parametrize("name", CASES)
def test_every_vector_can_fail(name):
    """Turn what is expected round, and the adapter must object."""
    wrong = copy.deepcopy(CASES[name])
    expected = wrong["expected"]
    if wrong["kind"] in ("match", "ramp"):
        key = "cases" if wrong["kind"] == "match" else "ticks"
        wrong[key][0]["expected"] = {"percent": 99} if key == "ticks" else "nobody"
    elif "order" in expected:
        expected["order"].reverse()
    elif "counts" in expected:
        expected["counts"] = {"total": {"min": 10**6}}
    elif "averages" in expected:
        expected["averages"][0]["values"] = {"flow0": 3}
    else:
        expected["properties"].append({"type": "all_rejected"})
    with pytest.raises(AssertionError):
        scheduling.run(wrong)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c.update(arrivels=[]),
        lambda c: c["config"].update(limits={}),
        lambda c: c["config"]["limiter"].update(burst=3),
        lambda c: c["config"]["scheduler"].update(queues=True),
        lambda c: c["arrivals"][0].update(token=1),
        lambda c: c["expected"].update(ordre=[]),
        lambda c: c["expected"].update(properties=[{"type": "fairish"}]),
        lambda c: c["expected"].update(properties=[{"type": "rate_cap", "burst": 1, "rte": 1}]),
        lambda c: c.update(kind="tracer"),
    ],
)
def test_nothing_unknown_is_passed_over(spoil):
    spoiled = copy.deepcopy(CASES["01-fifo-one-workload"])
    scheduling.run(spoiled)
    spoil(spoiled)
    with pytest.raises((AssertionError, KeyError)):
        scheduling.run(spoiled)


def test_each_limit_key_has_its_own_bucket_and_clock():
    rows = [(0, "wa1"), (0, "wa2"), (0, "wb1"), (0, "wb2")]
    listed = arrivals(*rows)
    for row in listed:
        row["limit_key"] = row["id"][1]
    at = {"wa1": 0, "wa2": 1, "wb1": 0, "wb2": 1}
    expected = {"admitted_at": at, "rejected": [], "same_instant_any_order": True}
    expected["properties"] = [{"type": "rate_cap", "burst": 1, "rate": 1}, {"type": "drained"}]
    scheduling.run(case(arrivals=listed, expected=expected))


def test_fairness_keys_share_evenly_and_their_workload_gets_no_more():
    listed = arrivals(
        (0, "p0"), *[(0.5, f"a{i}") for i in range(8)], *[(0.5, f"b{i}") for i in range(4)]
    )
    for row in listed[1:]:
        row |= {"workload": "w" if row["id"][0] == "a" else "v"}
    for i, row in enumerate(listed[1:9]):
        row["fairness_key"] = "ann" if i < 6 else "bob"
    window = [Fraction(1), Fraction(4)]
    counts = {"w": {"min": 2, "max": 2}, "v": {"min": 2, "max": 2}}
    share = {"type": "equal_share", "pair": ["w/ann", "w/bob"], "tolerance": 1}
    scheduling.run(
        case(
            "property",
            workloads=("w", "v"),
            arrivals=listed,
            horizon=4,
            expected={
                "properties": [
                    {"type": "admitted_count", "window": window, "counts": counts},
                    {"type": "fifo_within_workload"},
                    share,
                ]
            },
        )
    )


def test_slots_come_back_at_the_latest_after_their_longest_time():
    limiter = {"type": "concurrency", "max_concurrency": 2, "max_inflight_duration": 5}
    listed = arrivals((0, "w1"), (0, "w2"), (1, "w3"), (1, "w4"))
    for row, hold in zip(listed, (3, 100, 1, 1), strict=True):
        row |= {"service_time": 1, "hold": hold}
    at = {"w1": 0, "w2": 0, "w3": 3, "w4": 4}
    properties = [{"type": "work_conserving"}, {"type": "not_before", "at": {"w4": 4}}]
    scheduling.run(
        case(
            limiter=limiter, arrivals=listed, expected={"admitted_at": at, "properties": properties}
        )
    )


def test_one_larger_than_the_slots_runs_alone():
    limiter = {"type": "concurrency", "max_concurrency": 2}
    listed = arrivals((0, "w1"), (0, "w2"), (0, "w3"), service_time=2)
    listed[1]["tokens"] = 5
    at = {"w1": 0, "w2": 2, "w3": 4}
    scheduling.run(case(limiter=limiter, arrivals=listed, expected={"admitted_at": at}))


def test_one_larger_than_the_bucket_is_let_go_when_its_debt_is_paid():
    listed = arrivals((0, "w1"), (0, "w2"), (0, "w3"))
    listed[1]["tokens"] = 4
    expected = {"order": ["w1", "w2", "w3"], "admitted_at": {"w1": 0, "w2": 4, "w3": 5}}
    expected["properties"] = [{"type": "work_conserving"}]
    scheduling.run(case(arrivals=listed, expected=expected))


def test_tokens_that_never_come_are_refused_at_once():
    limiter = {**ONE_A_SECOND, "fill_amount": 0}
    listed = arrivals((0, "w1"), (0, "w2"))
    expected = {"order": ["w1"], "rejected": ["w2"], "rejected_by": {"w2": 0}}
    scheduling.run(case(limiter=limiter, arrivals=listed, expected=expected))


@pytest.mark.parametrize(("even", "count"), [(True, 98), (False, 100)])
def test_a_full_bucket_may_delay_its_filling(even, count):
    """Aperture's own test of its limiter names 99 and 100, give or take 2 %."""
    limiter = {**ONE_A_SECOND, "bucket_capacity": 30, "fill_amount": 10}
    limiter |= {"continuous_fill": even, "delay_initial_fill": True}
    generator = {"workload": "w", "prefix": "r", "start": 0.0007, "interval": 0.002, "count": 4950}
    generator |= {"tokens": 1, "timeout": 0}
    bounds = {"*": {"ideal": count, "min": count, "max": count}}
    prop = {"type": "admitted_count", "window": [0, Fraction(99, 10)], "counts": bounds}
    scheduling.run(
        case(
            "property",
            limiter=limiter,
            scheduler={"queue": False},
            arrival_generators=[generator],
            expected={"properties": [prop]},
        )
    )


def test_what_was_really_used_is_shared_not_what_was_asked_for():
    """One asks for 1 and uses 3, the other for 3 and uses 1."""
    rows = [
        {"workload": name, "prefix": name, "start": 0, "interval": 0, "count": 400, "timeout": None}
        | {"tokens": asks, "actual_tokens": uses, "reconcile_after": Fraction(1, 10)}
        for name, asks, uses in (("w", 1, 3), ("v", 3, 1))
    ]
    limiter = {**ONE_A_SECOND, "bucket_capacity": 4, "fill_amount": 10}
    share = {"type": "actual_share", "ideal": {"w": 300, "v": 300}, "tolerance": Fraction(1, 20)}
    scheduling.run(
        case(
            "property",
            limiter=limiter,
            workloads=("w", "v"),
            arrival_generators=rows,
            horizon=60,
            expected={"properties": [share, {"type": "fifo_within_workload"}]},
        )
    )


def test_half_of_a_group_may_come_later_and_call_half_as_often():
    limiter = {"type": "concurrency", "max_concurrency": 8}
    group = {"workload": "w", "clients": 4, "calls": 10, "service_time": 1, "think_time": 1}
    expected = {
        "count": "average_tokens_in_service",
        "averages": [
            {"window": [0, 10], "values": {"w": 1}, "margin": 0},
            {"window": [10, 20], "values": {"w": 2}, "margin": 0},
        ],
        "all_admitted": True,
    }
    loop = {"groups": [{**group, "split": True}], "window": [0, 20]}
    scheduling.run(case("closed_loop", limiter=limiter, closed_loop=loop, expected=expected))


def test_a_rejected_client_pauses_before_its_next_try():
    group = {"workload": "w", "clients": 2, "calls": 3, "timeout": 0, "reject_backoff": 4}
    expected = {"count": "completed", "counts": {"total": {"min": 4, "max": 4}}}
    expected["properties"] = [{"type": "none_rejected", "workload": "v"}]
    loop = {"groups": [{**group, "think_time": 2}]}
    scheduling.run(case("closed_loop", closed_loop=loop, expected=expected))


MATCHES = [
    ({"match_list": [{"key": "a", "operator": "NotIn", "values": ["x"]}]}, {}, True),
    ({"match_list": [{"key": "a", "operator": "NotIn", "values": ["x"]}]}, {"a": "x"}, False),
    ({"match_list": [{"key": "a", "operator": "Exists"}]}, {"a": ""}, True),
    ({"match_expressions": [{"key": "a", "operator": "Exists"}]}, {}, False),
    ({"match_list": [], "match_expressions": [{"key": "a", "operator": "Exists"}]}, {}, True),
    ({"expression": {"not": {"label_exists": "a"}}}, {}, True),
    ({"expression": {"all": {"of": []}}}, {}, True),
    ({"expression": {"any": {"of": []}}}, {}, False),
    ({"expression": {"any": {"of": [{"label_equals": {"label": "a", "value": "1"}}]}}}, {"a": "1"},
     True),
    ({"expression": {"label_matches": {"label": "a", "regex": "^/api"}}}, {"a": "/apis"}, True),
    ({"expression": {"label_matches": {"label": "a", "regex": "b+"}}}, {"a": "abba"}, True),
    ({"expression": {"label_matches": {"label": "a", "regex": ".*"}}}, {}, False),
    ({"match_labels": {"a": "1"}, "expression": {"label_exists": "b"}}, {"a": "1"}, False),
]  # fmt: skip


@pytest.mark.parametrize(("matcher", "labels", "matches"), MATCHES)
def test_a_matcher_is_read_as_the_readme_says(matcher, labels, matches):
    workloads = [{"name": "found", "priority": 1, "label_matcher": matcher}]
    scheduling.run(
        {
            "name": "own",
            "kind": "match",
            "config": {"scheduler": {"workloads": workloads}},
            "cases": [{"labels": labels, "expected": "found" if matches else "default"}],
        }
    )


def test_a_ramp_goes_back_holds_and_resets():
    steps = [{"target_accept_percentage": 20, "duration": 2},
             {"target_accept_percentage": 100, "duration": 3}]  # fmt: skip
    forward, back, both = {"forward": True}, {"backward": True}, {"forward": True, "backward": True}
    wanted = [(forward, 20), (forward, 20), (forward, Fraction(140, 3)), (both, Fraction(140, 3)),
              (back, 20), (forward, Fraction(140, 3)), (forward, Fraction(220, 3)), (forward, 100),
              (back, Fraction(220, 3)), ({"reset": True, "forward": True}, 20),
              (back, 20)]  # fmt: skip
    ticks = [{**inputs, "expected": {"percent": percent}} for inputs, percent in wanted]
    ticks[7]["expected"]["at_end"] = True
    ticks[-1]["expected"]["at_start"] = True
    config = {"evaluation_interval": 1, "steps": steps}
    scheduling.run({"name": "own", "kind": "ramp", "config": config, "ticks": ticks})


@pytest.mark.parametrize(
    "terms",
    [
        {"config": {"capacity": 10, "demands": [2, 8, 8]}, "expected": {"shares": [2, 4, 4]}},
        {"capacity": 10, "demands": [20, 20], "weights": [4, 1], "expected": [8, 2]},
        {
            "config": {"capacity": 9, "demands": {"a": 9, "b": 1}, "weights": {"a": 1, "b": 2}},
            "expected": {"allocation": {"a": 8, "b": 1}, "tolerance": Fraction(1, 1000)},
        },
        {"cases": [{"capacity": 1, "demands": [1, 1], "expected": [Fraction(1, 2)] * 2}]},
    ],
)
def test_max_min_shares_are_checked_in_whatever_shape(terms):
    scheduling.run({"name": "own", "kind": "max_min", **terms})
    broken = copy.deepcopy(terms)
    broken.setdefault("config", {})["capacity"] = broken["capacity"] = 3
    for one in broken.get("cases", ()):
        one["capacity"] = 3
    with pytest.raises(AssertionError):
        scheduling.run({"name": "own", "kind": "max_min", **broken})
