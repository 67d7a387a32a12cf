"""Several DestinationRules of one host: their subsets come together, the first policy counts."""

from typing import Any

import attrs

from support import policies as p
from trafficcore.engine import SUBSET, Engine, Identity
from trafficcore.engine.merging import merged
from trafficcore.spec import ConsistentHash, Destination, OutlierDetection, Subset, TrafficPolicy

OUT = OutlierDetection(consecutive_5xx=7)
V1 = Subset(name="v1", labels=(("version", "v1"),))
V2 = Subset(name="v2", labels=(("version", "v2"),))


def rule(*subsets: Subset, policy: TrafficPolicy | None = None, **more: Any) -> Destination:
    made: Destination = attrs.evolve(
        p.destination(), policy=policy or TrafficPolicy(), subsets=subsets, **more
    )
    return made


def test_one_rule_is_itself() -> None:
    one, other = rule(V1), rule(V2, namespace="elsewhere")
    assert merged(one, [one, other]) is one


def test_subsets_come_together_and_the_first_of_a_name_stands() -> None:
    again = attrs.evolve(V1, labels=(("version", "other"),))
    one = rule(V1)
    assert merged(one, [one, rule(again, V2)]).subsets == (V1, V2)


def test_the_first_policy_counts_and_is_what_bare_subsets_are_under() -> None:
    policy = TrafficPolicy(outlier=OUT, simple="ROUND_ROBIN", max_requests=3)
    port = TrafficPolicy(simple="RANDOM")
    hashing = ConsistentHash(header="x")
    own = attrs.evolve(V1, policy=TrafficPolicy(hashing=hashing))
    bare = rule(own)
    full = rule(V2, policy=policy, ports=((80, port),))
    late = rule(policy=TrafficPolicy(simple="LEAST_REQUEST"))
    whole = merged(bare, [bare, full, late])
    assert (whole.policy, whole.ports) == (policy, ((80, port),))
    first, second = whole.subsets
    assert second is V2  # its own rule had a policy: it is whole already
    assert first.policy == TrafficPolicy(outlier=OUT, hashing=hashing, max_requests=3)
    assert dict(first.ports) == {80: TrafficPolicy(hashing=hashing)}


def test_an_engine_takes_the_subsets_of_both() -> None:
    places = [("a:1", "", 1, {"version": "v1"}), ("b:1", "", 1, {"version": "v2"})]
    policy = p.policy(rule(V1, policy=TrafficPolicy(max_requests=1)), rule(V2))
    engine = Engine(policy, identity=Identity(), endpoints={p.NAME: places})
    for name, address in (("v1", "a:1"), ("v2", "b:1")):
        verdict: Any = engine.admit(p.calling(labels={SUBSET: name}), 0)
        assert verdict.endpoint.address == address
    full: Any = engine.admit(p.calling(labels={SUBSET: "v2"}), 0)
    assert full.status == 503  # the bound of the first rule is on it too


def test_a_rule_that_is_part_of_another_says_so_over_reloads() -> None:
    later = rule(V2, source=p.source("DestinationRule", "y", 9))
    policy = p.policy(rule(V1), later)
    engine = Engine(policy, identity=Identity(), endpoints={p.NAME: ["a:1"]})
    for _ in range(2):
        first, second = engine.snapshot(0)["rules"]
        assert (first["applies"], second["applies"]) == (True, False)
        assert second["why_not"] == (
            "part of DestinationRule default/x (p.yaml:1), the first of its host:"
            " its subsets are there"
        )
        engine.reload()
