"""Quotas in words, and that the shares are those the engine serves."""

from collections import Counter

import attrs
import pytest

from explain.helpers import example, meanings, text, texts, values
from support.policies import engine, quota, request
from trafficcore.engine import Queued
from trafficcore.spec import (
    Direction,
    Expression,
    LabelMatcher,
    QuotaRule,
    QuotaSelector,
    Requirement,
    RequirementOp,
    Workload,
    WorkloadParameters,
)


def workload(name: str, *labels: tuple[str, str], **parameters: float) -> Workload:
    return Workload(
        name=name,
        matcher=LabelMatcher(labels=labels),
        parameters=WorkloadParameters(**parameters),
    )


def with_workloads(*workloads: Workload, **more: object) -> QuotaRule:
    return attrs.evolve(quota(), workloads=workloads, **more)


def test_the_articles_quota() -> None:
    assert texts(example("quota")) == [
        "For processes of every namespace.",
        "It looks at inbound requests to httpbin-00001-private.default.svc.cluster.local.",
        "10 requests at once, then 10 per second; past that they wait.",
        "Nobody waits while tokens last; inside a workload nobody is overtaken.",
        "guest is any request where http.request.header.user_type is guest.",
        "subscriber is any request where http.request.header.user_type is subscriber.",
        (
            "guest gets 20 % of the tokens, 2 a second, while all that are named have somebody"
            " waiting (priority 50 of 250; of 251 while default has, too)."
        ),
        (
            "subscriber gets 80 % of the tokens, 8 a second, while all that are named have somebody"
            " waiting (priority 200 of 250; of 251 while default has, too)."
        ),
        (
            "Whoever fits none is of the workload default, priority 1: 0.4 % while all have"
            " somebody waiting."
        ),
        "What one does not use the others get; none is reserved.",
        (
            "Whoever is first of those that wait goes within 702 ms for guest, 326 ms for"
            " subscriber and 25.3 s for default, whatever the load."
        ),
        "A request waits for ever for its tokens.",
        (
            "Who waits too long is answered 503 with the body 'queue_timeout', and"
            " x-envoy-overloaded: true; who finds the queue full, with 'queue_full'."
        ),
    ]


def test_shares_are_compared_as_people_say_them() -> None:
    found = values(meanings(quota()))
    assert found["guest share"] == "20 %"
    assert found["subscriber share"] == "80 %"
    assert found["burst"] == "10"


def test_a_quota_without_workloads_is_one_queue() -> None:
    rule = meanings(with_workloads())
    assert values(rule)["default share"] == "100 %"
    assert "guest share" not in values(rule)


def test_a_workload_that_is_called_default_leaves_the_name_to_it() -> None:
    found = values(meanings(with_workloads(workload("default", ("a", "b")))))
    assert found["default share"] == "100 %"
    assert found["unnamed priority"] == "1"


def test_tokens_and_patience_are_said_where_they_are_not_as_everybody_expects() -> None:
    rule = meanings(
        with_workloads(
            workload("big", ("size", "big"), tokens=2.5, queue_timeout=1.5),
            workload("now", ("size", "small"), queue_timeout=0),
        )
    )
    assert text(rule, "burst") == "10 tokens at once, then 10 per second; past that they wait."
    assert text(rule, "big tokens") == "A request of big takes 2.5 tokens."
    assert text(rule, "now tokens") == ""
    assert [text(rule, f"{name} patience") for name in ("big", "now", "default")] == [
        "A request of big waits at most 1.5 s for its tokens, then it is refused.",
        "A request of now never waits, then it is refused.",
        "A request of default waits for ever for its tokens.",
    ]


def test_filling_by_steps_and_late() -> None:
    rule = attrs.evolve(
        quota(12.5, 5), interval=0.5, continuous_fill=False, delay_initial_fill=True
    )
    found = meanings(rule)
    assert values(found)["rate"] == "5 each 500 ms"
    assert text(found, "filling") == "The bucket fills by steps, not evenly: 5 each 500 ms."
    assert values(found)["delay"] == "after a full bucket"


@pytest.mark.parametrize(
    ("capacity", "fill", "said"),
    [
        (5, 0, "5 requests at once, then never more."),
        (0, 5, "0 requests at once, then nothing, and never more."),
    ],
)
def test_a_quota_that_ends(capacity: float, fill: float, said: str) -> None:
    assert text(meanings(quota(capacity, fill)), "burst") == said


def test_the_order_of_workloads_matters_only_where_they_may_meet() -> None:
    apart = with_workloads(workload("a", ("k", "1")), workload("b", ("k", "2")))
    assert "order" not in values(meanings(apart))
    meeting = with_workloads(workload("a", ("k", "1")), workload("b", ("j", "2")))
    assert values(meanings(meeting))["order"] == "a before b"


def test_every_way_to_match_labels_is_worded() -> None:
    matcher = LabelMatcher(
        labels=(("a", "1"),),
        requirements=(
            Requirement("b", RequirementOp.IN, ("x", "y")),
            Requirement("c", RequirementOp.NOT_IN, ("z",)),
            Requirement("d", RequirementOp.EXISTS),
            Requirement("e", RequirementOp.DOES_NOT_EXIST),
            Requirement("f", RequirementOp.IN),
        ),
        expression=Expression(
            kind="any",
            of=(
                Expression(kind="label_exists", label="g"),
                Expression(kind="not", of=(Expression(kind="label_equals", label="h"),)),
                Expression(
                    kind="all",
                    of=(Expression(kind="label_matches", label="i", value="^x"),),
                ),
                Expression(kind="all"),
                Expression(kind="any"),
            ),
        ),
    )
    rule = meanings(with_workloads(Workload(name="w", matcher=matcher)))
    assert values(rule)["w requests"] == (
        "a is 1, b is x or y, c is not z, d is present, e is absent, f is nothing and (g is"
        " present, not (h is empty), (i holds a match of ^x), any request or no request)"
    )


def test_a_margin_that_is_not_the_usual_one_is_told() -> None:
    assert values(meanings(quota()))["margin"] == "10 ms"
    assert text(meanings(quota()), "margin") == ""
    said = text(meanings(quota(deadline_margin=2)), "margin")
    assert said == "Whose caller gives up by itself waits until 2 s before that at the most."


def test_selectors_in_words() -> None:
    selectors = (
        QuotaSelector(service="web", matcher=LabelMatcher(labels=(("tier", "gold"),))),
        QuotaSelector(control_point="egress"),
        QuotaSelector(control_point="jobs"),
    )
    found = meanings(attrs.evolve(quota(), selectors=selectors))
    assert values(found)["requests"] == (
        "inbound web where tier is gold; or jobs's *; or outbound *"
    )
    both = attrs.evolve(quota(), selectors=selectors[1:2], direction=Direction.INBOUND)
    assert text(meanings(both), "requests") == "It looks at inbound requests to any service."


def test_the_shares_are_those_that_are_served() -> None:
    rule = quota()
    said = values(meanings(rule))
    made = engine(rule)
    for _ in range(int(said["burst"])):
        made.admit(request(headers={"user_type": "guest"}), 0)
    for name in ("guest", "subscriber"):
        for _ in range(500):
            assert isinstance(made.admit(request(headers={"user_type": name}), 0), Queued)
    served: Counter[str] = Counter()
    for tenth in range(1, 501):
        served.update(ticket.flow.name for ticket, _ in made.poll(tenth / 10))
    total = served.total()
    assert total == 500
    assert {name: f"{100 * n // total} %" for name, n in served.items()} == {
        "guest": said["guest share"],
        "subscriber": said["subscriber share"],
    }
