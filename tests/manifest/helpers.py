"""Manifests for tests, put together from the part under test."""

import textwrap

from trafficcore import manifest
from trafficcore.manifest import Report
from trafficcore.spec import BreakRule, Destination, QuotaRule, RateLimitRule

HEAD = "apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: it\n  namespace: shop\nspec:\n"
LIMIT = "{fill_interval: 1s, quota: 5}"
BREAKER = "{slow_request_rt: 0.5s, max_slow_requests: 5}"
QUOTA = "bucket_capacity: 10\nfill_amount: 10\nrate_limiter: {interval: 1s}\n"


def document(kind: str, spec: str, version: str) -> str:
    return HEAD.format(kind=kind, version=version) + textwrap.indent(textwrap.dedent(spec), "  ")


def limiter(spec: str) -> str:
    return document("ASMLocalRateLimiter", spec, "istio.alibabacloud.com/v1")


def limit(text: str) -> str:
    """A limiter with one config, its `limit` as given."""
    return limiter(f"configs:\n- limit: {text}\n")


def breaker(text: str) -> str:
    """A breaker with one config, its `breaker_config` as given."""
    spec = f"configs:\n- match: {{vhost: {{name: web}}}}\n  breaker_config: {text}\n"
    return document("ASMCircuitBreaker", spec, "istio.alibabacloud.com/v1")


def destination(policy: str, more: str = "") -> str:
    """A DestinationRule, its `trafficPolicy` as given."""
    spec = f"host: web\ntrafficPolicy: {policy}\n{more}"
    return document("DestinationRule", spec, "networking.istio.io/v1")


def quota(text: str, more: str = "") -> str:
    """A QuotaSchedulingPolicy, its `quota_scheduler` as given, in block style."""
    spec = "quota_scheduler:\n" + textwrap.indent(textwrap.dedent(text), "  ") + more
    return document("QuotaSchedulingPolicy", spec, "istio.alibabacloud.com/v1")


def faults(text: str) -> list[str]:
    """Every error of a text, by path and message."""
    return [f"{problem.path}: {problem.message}" for problem in manifest.check(text).errors]


def the_fault(text: str) -> str:
    found = faults(text)
    assert len(found) == 1, found
    return found[0]


def remarks(text: str) -> list[str]:
    """Every warning and notice of a text that loads, by path and message."""
    report = manifest.check(text)
    assert not report.errors, [str(problem) for problem in report.errors]
    return [f"{problem.path}: {problem.message}" for problem in report.warnings]


def clean(text: str) -> Report:
    """The report of a text that has neither fault nor warning."""
    report = manifest.check(text)
    assert report.problems == (), [str(problem) for problem in report.problems]
    return report


def the_limit(text: str) -> RateLimitRule:
    (rule,) = manifest.load(text).limits
    return rule


def the_breaker(text: str) -> BreakRule:
    (rule,) = manifest.load(text).breakers
    return rule


def the_destination(text: str) -> Destination:
    (rule,) = manifest.load(text).destinations
    return rule


def the_quota(text: str) -> QuotaRule:
    (rule,) = manifest.load(text).quotas
    return rule
