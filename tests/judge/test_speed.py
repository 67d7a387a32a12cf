"""What judging costs beside the parser alone, measured in the same run."""

import time

import pytest
import yaml

from judge.helpers import whole
from trafficcore import manifest
from trafficcore.judge import judge, write_report

DOCUMENTS = 1000
HOSTS = 40
#: Measured: 7.8 times, of which reading alone takes 5.9.
MOST = 20

LIMITER = (
    "kind: ASMLocalRateLimiter\nspec:\n  configs:\n  - match:\n      vhost:\n"
    "        name: web-{host}\n        port: 80\n    limit: {{fill_interval: 1s, quota: 5}}\n"
    "    limit_overrides:\n    - request_match:\n        header_match:\n"
    "        - {{name: ':path', prefix_match: /api/{at}}}\n"
    "      limit: {{fill_interval: 1s, quota: 1}}\n"
)
BREAKER = (
    "kind: ASMCircuitBreaker\nspec:\n  configs:\n  - match: {{vhost: {{name: web-{host}}}}}\n"
    "    breaker_config:\n      slow_request_rt: 0.5s\n      max_slow_requests: 5\n"
    "      min_request_amount: 2\n"
)
RULE = (
    "kind: DestinationRule\nspec:\n  host: web-{host}\n  trafficPolicy:\n"
    "    outlierDetection: {{maxEjectionPercent: 10}}\n"
)
QUOTA = (
    "kind: QuotaSchedulingPolicy\nspec:\n  quota_scheduler:\n    bucket_capacity: 10\n"
    "    fill_amount: 10\n    rate_limiter: {{interval: 1s}}\n"
    "    selectors: [{{service: web-{host}}}]\n    scheduler:\n      workloads:\n"
    "      - {{name: guest, label_matcher: {{match_labels: {{user: guest}}}}}}\n"
    "      - {{name: member, label_matcher: {{match_labels: {{user: member, at: x{at}}}}}}}\n"
)
SERVICE = (
    "kind: Service\nmetadata: {{name: web-{at}, namespace: shop}}\n"
    "spec: {{ports: [{{port: 80}}]}}\n"
)


def documents(count, hosts=HOSTS):
    kinds = (LIMITER, BREAKER, RULE, QUOTA)
    parts = [kinds[at % 4].format(at=at, host=at // 4 % hosts) for at in range(count)]
    parts += [SERVICE.format(at=at) for at in range(hosts)]
    return whole("---\n".join(parts))


def best(action, rounds=3):
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        action()
        times.append(time.perf_counter() - begun)
    return min(times)


def lines(text):
    return list(write_report(judge(manifest.check(text)), verbose=True))


@pytest.mark.skipif(not hasattr(yaml, "CSafeLoader"), reason="libyaml is not here")
def test_a_thousand_manifests_are_judged_within_a_multiple_of_the_parsers_own_time():
    text = documents(DOCUMENTS)
    assert lines(text)[-1].startswith("1,000 rules, 0 faults, ")
    parser = best(lambda: [None for _ in yaml.parse(text, Loader=yaml.CSafeLoader)])
    ours = best(lambda: lines(text))
    assert ours < MOST * parser, f"{ours / parser:.1f} times the parser's {parser * 1000:.0f} ms"


@pytest.mark.parametrize("hosts", [1, HOSTS, 1000])
def test_judging_grows_with_the_set_and_not_with_its_square(hosts):
    small, large = (manifest.check(documents(count, hosts)) for count in (250, 2000))
    times = [best(lambda report=report: judge(report)) for report in (small, large)]
    assert times[1] < 8 * times[0] * 4, f"{times[1] / times[0]:.1f} times for 8 times as much"
