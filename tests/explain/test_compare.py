"""What changed in meaning: shares, quotas, rules that came and went; never what only moved."""

import attrs
import pytest

from explain.helpers import of_text
from support.policies import policy
from trafficcore import manifest
from trafficcore.engine import Identity
from trafficcore.explain import Change, Hosts, compare, explain

LIMITER = """\
apiVersion: istio.alibabacloud.com/v1
kind: ASMLocalRateLimiter
metadata: {name: shop}
spec:
  configs:
"""
ONE = """\
  - match: {vhost: {name: one}}
    limit: {fill_interval: 1s, quota: 5}
"""
TWO = """\
  - match: {vhost: {name: two}}
    limit: {fill_interval: 60s, quota: 2}
"""
QUOTA = """\
apiVersion: istio.alibabacloud.com/v1
kind: QuotaSchedulingPolicy
metadata: {name: shop}
spec:
  quota_scheduler:
    bucket_capacity: 10
    fill_amount: 10
    rate_limiter: {interval: 1s}
    scheduler:
      workloads:
      - name: guest
        label_matcher: {match_labels: {tier: guest}}
        parameters: {priority: 50}
      - name: subscriber
        label_matcher: {match_labels: {tier: subscriber}}
        parameters: {priority: 200}
"""


def changes(old: str, new: str) -> list[Change]:
    return compare(of_text(old), of_text(new))


def said(old: str, new: str) -> list[str]:
    return [
        f"{change.verb}: {difference}"
        for change in changes(old, new)
        for difference in change.differences
    ]


def test_a_share_that_grew() -> None:
    assert said(QUOTA, QUOTA.replace("priority: 50", "priority: 100")) == [
        "changed: guest share 20 % to 33 %",
        "changed: guest priority 50 to 100",
        "changed: subscriber share 80 % to 67 %",
    ]


def test_a_quota_that_grew() -> None:
    assert said(LIMITER + TWO, LIMITER + TWO.replace("quota: 2", "quota: 60")) == [
        "changed: burst 2 to 60",
        "changed: rate one each 30 s to 1 per second",
    ]


def test_rules_that_came_and_went() -> None:
    added, removed = (
        changes(LIMITER + ONE, LIMITER + ONE + TWO),
        changes(LIMITER + ONE + TWO, LIMITER + ONE),
    )
    assert [change.verb for change in added + removed] == ["added", "removed"]
    assert [change.rule.source.line for change in added + removed] == [8, 8]
    assert "burst 2 (new)" in [str(difference) for difference in added[0].differences]
    assert "burst 2 (no longer)" in [str(difference) for difference in removed[0].differences]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (LIMITER + ONE + TWO, LIMITER + TWO + ONE),
        (f"{LIMITER}{ONE}---\n{QUOTA}", f"{QUOTA}---\n{LIMITER}{ONE}"),
        (LIMITER + TWO, LIMITER + TWO.replace("fill_interval: 60s", "fill_interval: 1m")),
        (LIMITER + TWO, f"# a comment\n{LIMITER}{TWO}".replace("v1\n", "v1beta1\n")),
        (QUOTA, QUOTA.replace("{tier: guest}", '{"tier": "guest"}')),
    ],
    ids=["configs", "documents", "units", "words", "quotes"],
)
def test_what_only_moved_or_is_only_written_otherwise_has_not_changed(old: str, new: str) -> None:
    assert old != new
    assert changes(old, new) == []


def test_workloads_that_cannot_meet_may_change_places() -> None:
    head, first, rest = QUOTA.partition("      - name: guest\n")
    guest, second, subscriber = (first + rest).partition("      - name: subscriber\n")
    assert changes(QUOTA, head + second + subscriber + guest) == []


def test_a_rule_that_moved_and_changed_is_known_by_its_name_or_its_requests() -> None:
    new = TWO.replace("quota: 2", "quota: 3")
    assert said(LIMITER + ONE + TWO, LIMITER + new + ONE) == [
        "changed: burst 2 to 3",
        "changed: rate one each 30 s to one each 20 s",
    ]
    named = ONE.replace("- match", "- name: it\n    match")
    assert said(LIMITER + named + TWO, LIMITER + TWO + named.replace("name: one", "name: won")) == [
        (
            "changed: requests inbound one.default.svc.cluster.local to inbound"
            " won.default.svc.cluster.local"
        ),
    ]


def test_a_rule_for_other_requests_at_the_same_place_is_the_same_rule() -> None:
    assert said(LIMITER + ONE, LIMITER + ONE.replace("name: one", "name: other")) == [
        (
            "changed: requests inbound one.default.svc.cluster.local to inbound"
            " other.default.svc.cluster.local"
        ),
    ]


def test_equal_overrides_are_told_apart() -> None:
    override = "      - limit: {fill_interval: 1s, quota: 1}\n"
    old = f"{LIMITER}{ONE}    limit_overrides:\n{override}{override}"
    new = old[: old.rindex("quota: 1")] + "quota: 9}\n"
    assert said(old, new)[0] == "changed: override [any request] burst #2 1 to 9"


def test_only_meaning_counts_not_where_a_rule_is_written() -> None:
    rules = manifest.load(LIMITER + ONE).limits
    moved = attrs.evolve(rules[0], source=attrs.evolve(rules[0].source, file="b.yaml", line=99))
    old, new = (explain(policy(rule), Identity(), Hosts()) for rule in (rules[0], moved))
    assert compare(old, new) == []
