"""Budgets that are a share of what comes, in words."""

from explain.helpers import meanings, text, texts, values
from explain.test_request import explained
from support import policies as p
from trafficcore.explain import Hosts, rows
from trafficcore.spec import QuotaSelector, Shedding

USUAL = p.quota(0, 0, shedding=Shedding())


def test_what_sheds_load() -> None:
    assert texts(meanings(USUAL))[2:6] == [
        (
            "Everything passes until the mean latency of 30 s is above 1.25 times its mean of"
            " 1800 s; it looks every 10 s, and passes all where it sees nothing."
        ),
        (
            "Then what passes is multiplied by (latency / allowed) ^ -1,"
            " at least by 0.1, at most by 1."
        ),
        "Later it grows again, by 0.025 more each 10 s, and at 2 all pass.",
        "Nobody waits while everything passes; inside a workload nobody is overtaken.",
    ]
    assert "gets 20 % of the tokens, while" in text(meanings(USUAL), "guest share")
    assert values(meanings(USUAL))["measured"] == "its own requests"


def test_what_is_measured_and_what_a_request_costs() -> None:
    there = QuotaSelector(service="db", control_point="egress")
    rule = p.quota(0, 0, shedding=Shedding(meters=(there,), cost_by_latency=True))
    assert text(meanings(rule), "measured") == "The latency is that of outbound db."
    assert text(meanings(rule), "cost").endswith("a token a millisecond.")


def test_a_request_before_it_and_its_row() -> None:
    found = explained(p.request(headers={"user_type": "guest"}), USUAL)
    assert [step.stage for step in found.steps] == ["meter", "quota"]
    assert found.steps[1].texts == (
        "Of the workload guest; passes while latencies are as ever, else by its share.",
    )
    (row,) = rows([found.steps[1].rule], Hosts())
    assert row.most == "all, less while latency is above 1.25 of its mean"
