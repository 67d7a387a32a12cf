"""Control points of the application's own: what acts there, and what does not."""

import pytest

from support import policies as p
from trafficcore.engine import Facts, Permit, Rejection
from trafficcore.spec import Direction, LabelMatcher, QuotaSelector


def at(point, **more):
    return p.quota(1, 1, queue=False, selectors=(QuotaSelector(control_point=point, **more),))


def ask(engine, place, host="web", **labels):
    return engine.admit(Facts(place, host, labels=labels), 0)


def test_a_policy_of_a_control_point_acts_there_and_nowhere_else():
    engine = p.engine(at("checkout"))
    for place in (p.INBOUND, p.OUTBOUND, "cart"):
        for _ in range(3):
            assert isinstance(ask(engine, place), Permit)
    assert isinstance(ask(engine, "checkout"), Permit)
    assert isinstance(ask(engine, "checkout"), Rejection)


def test_nothing_that_is_about_a_direction_acts_at_a_control_point():
    engine = p.engine(p.limit(0), p.breaker(), at("ingress"), at("egress"))
    for _ in range(3):
        assert isinstance(ask(engine, "checkout"), Permit)


def test_service_and_labels_are_asked_there_as_everywhere():
    gold = LabelMatcher(labels=(("tier", "gold"),))
    engine = p.engine(at("checkout", service="shop.default.svc.cluster.local", matcher=gold))
    assert isinstance(ask(engine, "checkout", "shop", tier="gold"), Permit)
    assert isinstance(ask(engine, "checkout", "shop", tier="gold"), Rejection)
    assert isinstance(ask(engine, "checkout", "shop", tier="tin"), Permit)
    assert isinstance(ask(engine, "checkout", "else", tier="gold"), Permit)


def test_one_policy_may_be_about_several_places():
    selectors = (QuotaSelector(), QuotaSelector(control_point="checkout"))
    engine = p.engine(p.quota(2, 1, queue=False, selectors=selectors))
    assert isinstance(ask(engine, p.INBOUND), Permit)
    assert isinstance(ask(engine, "checkout"), Permit)
    assert isinstance(ask(engine, "checkout"), Rejection)
    assert isinstance(ask(engine, p.INBOUND), Rejection)
    (rule,) = engine.snapshot(0)["rules"]
    assert (rule["about"], rule["applies"]) == ("inbound *, checkout *", True)


def test_what_apply_to_traffic_says_overrules_a_control_point():
    spec = p.quota(
        1, 1, queue=False, direction=Direction.INBOUND,
        selectors=(QuotaSelector(control_point="checkout"),),
    )  # fmt: skip
    engine = p.engine(spec)
    assert isinstance(ask(engine, "checkout"), Permit)
    assert isinstance(ask(engine, "checkout"), Permit)
    assert isinstance(ask(engine, p.INBOUND), Permit)
    assert isinstance(ask(engine, p.INBOUND), Rejection)


def test_they_are_counted_apart_and_over_reloads():
    policy = p.policy(at("checkout"))
    engine = p.engine(at("checkout"))
    assert isinstance(ask(engine, "checkout"), Permit)
    engine.reload(policy)
    assert isinstance(ask(engine, "checkout"), Rejection)
    found = engine.snapshot(0)
    assert found["traffic"]["application"] == {
        "admitted": 1, "in_flight": 1, "queued": 0, "refused": 1, "unmatched": 0,
    }  # fmt: skip
    assert found["rules"][0]["hits"] == 2


@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_the_other_modes_hold_there(mode):
    engine = p.engine(at("checkout"), mode=mode)
    for _ in range(3):
        assert isinstance(ask(engine, "checkout"), Permit)
    assert engine.snapshot(0)["rules"][0]["shadowed"] == (2 if mode == "shadow" else 0)
