"""A limit and a quota on one route."""

import pytest

from judge.helpers import found

LIMITER = (
    "kind: ASMLocalRateLimiter\n{meta}spec:\n{spec}  configs:\n"
    "  - limit: {{fill_interval: 1s, quota: {quota}}}\n{match}"
)
QUOTA = (
    "kind: QuotaSchedulingPolicy\n{meta}spec:\n{spec}  quota_scheduler:\n    bucket_capacity: 10\n"
    "    fill_amount: 10\n    rate_limiter: {{interval: 1s}}\n    selectors: {selectors}\n"
)


def limiter(vhost="{name: web}", spec="", namespace="shop", quota=5, match=None):
    match = f"    match: {{vhost: {vhost}}}\n" if match is None else match
    meta = f"metadata: {{name: limit, namespace: {namespace}}}\n"
    return LIMITER.format(meta=meta, spec=spec, quota=quota, match=match)


def quota(selectors="[{service: web}]", spec="", namespace="shop"):
    meta = f"metadata: {{name: quota, namespace: {namespace}}}\n"
    return QUOTA.format(meta=meta, spec=spec, selectors=selectors)


APP = "  workloadSelector: {labels: {app: a}}\n"
OUT = "  applyToTraffic: sidecar_outbound\n"
TARGET = "    target_services: [{name: web}]\n"


@pytest.mark.parametrize(
    ("limit", "scheduler"),
    [(limiter(), quota()),
     (limiter(), quota("[]")),
     (limiter(), quota("[{service: any}]")),
     (limiter("{name: '*'}"), quota()),
     (limiter("{name: '*.shop.svc.cluster.local'}"), quota()),
     (limiter(), quota("[{service: '*.shop.svc.cluster.local'}]")),
     (limiter(match=""), quota()),
     (limiter(), quota("[{service: cart}, {service: web}]")),
     (limiter("{name: web.shop.svc.cluster.local}", namespace="istio-system"), quota()),
     (limiter(), quota("[{service: web.shop.svc.cluster.local}]", namespace="istio-system")),
     (limiter(spec=APP), quota(spec="  workload_selector: {labels: {app: a}}\n")),
     (limiter(spec=APP), quota(spec="  workload_selector: {labels: {tier: b}}\n")),
     (limiter(spec="  isGateway: true\n"), quota()),
     (limiter(spec=OUT, match=TARGET), quota("[{service: web, control_point: egress}]")),
     (limiter(spec=OUT), quota(spec="  apply_to_traffic: sidecar_outbound\n"))],
)  # fmt: skip
def test_they_meet(limit, scheduler):
    for text in (f"{limit}---\n{scheduler}", f"{scheduler}---\n{limit}"):
        (problem,) = found(text, "TC406")
        assert problem.path == "spec.configs[0]"


@pytest.mark.parametrize(
    ("limit", "scheduler"),
    [(limiter("{name: cart}"), quota()),
     (limiter("{name: '*.example.com'}"), quota()),
     (limiter(spec=OUT, match=TARGET), quota()),
     (limiter(), quota("[{service: web, control_point: egress}]")),
     (limiter(), quota("[{service: web, control_point: checkout}]")),
     (limiter(namespace="other"), quota("[]")),
     (limiter(spec=APP), quota(spec="  workload_selector: {labels: {app: b}}\n")),
     (limiter(spec="  isGateway: true\n"), quota(spec="  apply_to_traffic: sidecar_inbound\n")),
     (limiter(), quota(spec="  apply_to_traffic: gateway\n"))],
)  # fmt: skip
def test_they_do_not_meet(limit, scheduler):
    assert found(f"{limit}---\n{scheduler}", "TC406") == []


@pytest.mark.parametrize(
    ("rate", "what"),
    [(10, "is the stricter one: nobody ever waits, and no share counts"),
     (11, "refuses what might have waited")],
)  # fmt: skip
def test_which_of_them_decides(rate, what):
    (problem,) = found(f"{limiter(quota=rate)}---\n{quota()}", "TC406")
    assert problem.message == (
        "acts before the quota of QuotaSchedulingPolicy shop/quota (<text>:14) on the same "
        f"requests, and {what}"
    )


def test_each_limit_is_told_once_whatever_the_number_of_quotas():
    quotas = [quota().replace("name: quota", f"name: quota-{at}") for at in range(5)]
    assert len(found("---\n".join([limiter(), *quotas]), "TC406")) == 1
