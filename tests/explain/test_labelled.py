"""What is said of labels, limiters and calls in flight."""

import attrs

from explain.helpers import meanings, text, texts, values
from support.policies import policy, quota, request
from trafficcore.engine import Facts, Identity
from trafficcore.explain import Hosts, explain, explain_request, rows
from trafficcore.spec import LabelKeys, QuotaRule, QuotaSelector, RequestParts

LABELS = LabelKeys(limit="user", priority="rank", tokens="size", fairness="team", workload="kind")


def bare(capacity: float = 3, fill: float = 1, **more: object) -> QuotaRule:
    return attrs.evolve(quota(capacity, fill), workloads=(), **more)


def steps(rule: QuotaRule, facts: Facts) -> tuple[str, ...]:
    found = explain_request(policy(rule), Identity(), Hosts(), facts)
    return (*found.steps[0].texts, *found.outcome)


def test_each_label_is_said_to_decide_something() -> None:
    found = meanings(bare(keys=LABELS))
    assert text(found, "each") == (
        "Each value of user has a budget and queues of its own; a request without it is not"
        " limited."
    )
    assert text(found, "own priority") == "rank, where it is there, says its priority."
    assert {"own tokens", "own fairness", "own workload"} <= set(values(found))
    assert values(found)["kept in mind"] == "for 7200 s"
    never = meanings(bare(keys=LABELS, max_idle_time=0))
    assert values(never)["kept in mind"] == "while there is room"


def test_a_limiter_makes_nobody_wait() -> None:
    found = meanings(bare(queue=False, denied_status=429))
    assert "3 requests at once, then 1 per second; past that they are refused." in texts(found)
    assert "Who finds nothing left is answered 429 with the body 'rate_limited'" in text(
        found, "refusal"
    )
    assert not {"waiting", "default share", "default patience"} & set(values(found))


def test_calls_in_flight() -> None:
    found = meanings(bare(max_inflight_duration=60))
    assert text(found, "in flight") == "3 requests in flight at once; past that they wait."
    assert text(found, "taken for ended") == "A call is taken for ended after 60 s."
    shared = meanings(quota(3, 0, max_inflight_duration=60))
    assert text(shared, "guest share").startswith("guest gets 20 % of the places, while")
    limiter = meanings(bare(max_inflight_duration=60, queue=False))
    assert text(limiter, "refusal").startswith("Who finds nothing left is answered 503 with the")


def test_a_selector_by_port_and_by_parts_of_a_request() -> None:
    parts = RequestParts(
        method="GET", scheme="http", host="*.example", path="/v1/*", headers=(("a", ""),)
    )
    found = meanings(bare(selectors=(QuotaSelector(service="web", port=80, request=parts),)))
    assert values(found)["requests"] == (
        "inbound web:80 where method is GET, scheme is http, Host is *.example, path begins with"
        " /v1/ and header a is empty"
    )
    exact = meanings(bare(selectors=(QuotaSelector(request=RequestParts(path="/x")),)))
    assert values(exact)["requests"] == "inbound * where path is /x"


def test_a_row_for_each() -> None:
    rules = (
        bare(queue=False, denied_status=429),
        bare(max_inflight_duration=60, keys=LabelKeys(limit="user")),
    )
    found = list(rows(explain(policy(*rules), Identity(), Hosts()), Hosts()))
    assert [(row.most, row.then) for row in found] == [
        ("3 at once, then 1 per second", "429"),
        ("each user: 3 in flight", "wait in turn"),
    ]


def test_one_request_by_its_labels() -> None:
    rule = bare(keys=LABELS)
    assert steps(rule, request())[0] == "Not limited: it has no label user."
    facts = request(labels={"user": "a", "size": "2", "rank": "4", "kind": "batch"})
    assert steps(rule, facts) == (
        "Of the workload default, as it fits no other.",
        "By its own labels it waits as batch at 4.",
        "Takes 2 of 3 tokens; where they are gone it waits for ever.",
        "It is admitted.",
        f"1 at one instant is admitted; the 2nd waits, by {rule.source}.",
    )


def test_one_request_before_a_limiter() -> None:
    rule = bare(max_inflight_duration=60, queue=False)
    assert steps(rule, request())[0] == ("Takes 1 of 3 places; where they are gone it is refused.")


def test_why_a_request_does_not_fit() -> None:
    rule = bare(selectors=(QuotaSelector(request=RequestParts(method="POST")),))
    found = explain_request(policy(rule), Identity(), Hosts(), request())
    ((_, why),) = found.idle
    assert why == "it does not fit; wanted: method is POST"
