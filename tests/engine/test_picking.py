"""`loadBalancer.simple` and `warmup` in the engine: who takes the next call, by which chance."""

from collections import Counter
from collections.abc import Callable
from itertools import cycle

import attrs
import pytest

from support import policies as p
from trafficcore.core.balance import Endpoint, RandomChoice, TwoChoices, Weighted
from trafficcore.core.nolock import NO_LOCK
from trafficcore.engine import Engine, Identity, Permit
from trafficcore.engine.picking import hosts_picker
from trafficcore.spec import LocalityLb, TrafficPolicy, Warmup


def drawing(*floats: float) -> Callable[[], float]:
    return cycle(floats).__next__


def rule(**settings: object) -> object:
    return attrs.evolve(p.destination(), policy=TrafficPolicy(**settings))  # type: ignore[arg-type]


def admit(engine: Engine, now: float = 0) -> Permit:
    permit = engine.admit(p.calling(), now)
    assert isinstance(permit, Permit), permit
    return permit


def where(permit: Permit) -> str:
    return "" if permit.endpoint is None else permit.endpoint.address


def calls(engine: Engine, now: float, count: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for _ in range(count):
        permit = admit(engine, now)
        found[where(permit)] += 1
        permit.settle(None, now, 200)
    return found


@pytest.mark.parametrize("simple", ["", "LEAST_REQUEST"])
def test_the_less_busy_of_two_drawn_takes_the_call(simple: str) -> None:
    engine = p.engine(
        rule(simple=simple), endpoints={p.NAME: ["a:1", "b:1"]}, draw=drawing(0.1, 0.9)
    )
    first = admit(engine)
    assert where(first) == "a:1"  # equally busy: the first drawn
    second = admit(engine)
    assert where(second) == "b:1"
    first.settle(None, 0, 200)
    assert where(admit(engine)) == "a:1"


def test_without_a_rule_the_default_is_the_same() -> None:
    engine = p.engine(endpoints={p.NAME: ["a:1", "b:1"]}, draw=drawing(0.1, 0.9))
    assert [where(admit(engine)) for _ in range(4)] == ["a:1", "b:1", "a:1", "b:1"]


def test_where_weights_differ_calls_go_by_weight_over_those_in_flight() -> None:
    endpoints = {p.NAME: [("a:1", "", 3), ("b:1", "", 1)]}
    engine = p.engine(rule(), endpoints=endpoints, draw=drawing(0))
    assert calls(engine, 0, 40) == {"a:1": 30, "b:1": 10}
    for _ in range(8):  # calls that stay: weights fall until both are as full as each other
        admit(engine)
    active = {e["address"]: e["active"] for e in engine.snapshot(0)["clusters"][0]["endpoints"]}
    assert active == {"a:1": 5, "b:1": 3}


def test_random_goes_where_the_draw_says() -> None:
    engine = p.engine(
        rule(simple="RANDOM"),
        endpoints={p.NAME: ["a:1", "b:1", "c:1", "d:1"]},
        draw=drawing(0.99, 0, 0.5, 0.5),
    )
    assert [where(admit(engine)) for _ in range(4)] == ["d:1", "a:1", "c:1", "c:1"]


@pytest.mark.parametrize("draw", [None, drawing(0.7)])
def test_turns_need_no_chance(draw: Callable[[], float] | None) -> None:
    engine = p.engine(
        rule(simple="ROUND_ROBIN" if draw else "RANDOM"),
        endpoints={p.NAME: ["a:1", "b:1"]},
        draw=draw,
    )
    assert [where(admit(engine)) for _ in range(4)] == ["a:1", "b:1", "a:1", "b:1"]


def test_localities_have_their_exact_shares_before_chance_has_its_say() -> None:
    spread = LocalityLb(distribute=(("*", (("r/a", 80), ("r/b", 20))),))
    engine = p.engine(
        rule(simple="RANDOM", locality=spread),
        endpoints={p.NAME: [("a1:1", "r/a"), ("a2:1", "r/a"), ("b1:1", "r/b"), ("b2:1", "r/b")]},
        identity=Identity(locality="r/c"),
        draw=drawing(0.3),
    )
    assert calls(engine, 0, 100) == {"a1:1": 80, "b1:1": 20}


def test_passing_through_chooses_no_endpoint() -> None:
    engine = p.engine(rule(simple="PASSTHROUGH"), endpoints={p.NAME: ["a:1"]}, draw=drawing(0))
    assert admit(engine).endpoint is None
    assert engine.snapshot(0)["clusters"] == []
    assert engine.snapshot(0)["rules"][0]["why_not"] == (
        "PASSTHROUGH: calls go to the address they name"
    )


def test_one_that_joins_grows_to_its_weight() -> None:
    engine = p.engine(
        rule(simple="ROUND_ROBIN", warmup=Warmup(duration=100)), endpoints={p.NAME: ["a:1"]}
    )
    calls(engine, 0, 1)
    assert calls(engine, 1000, 4) == {"a:1": 4}
    engine.reload(endpoints={p.NAME: ["a:1", "b:1"]})
    assert calls(engine, 1000, 110) == {"a:1": 100, "b:1": 10}  # 10 % at least
    assert calls(engine, 1004, 110) == {"a:1": 100, "b:1": 10}
    assert calls(engine, 1050, 150) == {"a:1": 100, "b:1": 50}
    assert calls(engine, 1052, 150) == {"a:1": 100, "b:1": 50}  # until the next twentieth
    assert calls(engine, 1100, 40) == {"a:1": 20, "b:1": 20}


def test_those_that_join_together_are_alike() -> None:
    engine = p.engine(
        rule(simple="ROUND_ROBIN", warmup=Warmup(duration=100)),
        endpoints={p.NAME: [("a:1", "", 2), ("b:1", "", 1)]},
    )
    assert calls(engine, 0, 30) == {"a:1": 20, "b:1": 10}
    shares = [e["share"] for e in engine.snapshot(0)["clusters"][0]["endpoints"]]
    assert shares == pytest.approx([2 / 3, 1 / 3])


def test_a_warmup_that_is_taken_back_leaves_whole_weights() -> None:
    warm = rule(simple="ROUND_ROBIN", warmup=Warmup(duration=100))
    engine = p.engine(warm, endpoints={p.NAME: ["a:1"]})
    calls(engine, 0, 1)
    engine.reload(endpoints={p.NAME: ["a:1", "b:1"]})
    assert calls(engine, 200, 110) == {"a:1": 100, "b:1": 10}
    engine.reload(p.policy(rule(simple="ROUND_ROBIN")))
    assert calls(engine, 201, 40) == {"a:1": 20, "b:1": 20}


def test_each_name_has_its_picker() -> None:
    alike = (Endpoint("a:1"), Endpoint("b:1"))
    mixed = (Endpoint("a:1"), Endpoint("b:1", "", 2))
    draw = drawing(0)
    made = hosts_picker("", draw)
    assert made is not None
    assert isinstance(made(NO_LOCK, alike), TwoChoices)
    assert isinstance(made(NO_LOCK, mixed), Weighted)
    assert made(NO_LOCK, ()).pick() is None
    chosen = hosts_picker("RANDOM", draw)
    assert chosen is not None
    assert isinstance(chosen(NO_LOCK, mixed), RandomChoice)
    assert hosts_picker("ROUND_ROBIN", draw) is None
    assert hosts_picker("", None) is None
