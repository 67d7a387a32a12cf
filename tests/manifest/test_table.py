"""The tables as data: complete, and the same tables that read."""

import pytest

from trafficcore.manifest import field_table
from trafficcore.manifest.documents import ACTING, KINDS, LATER_KINDS

TABLE = field_table()
ROWS = {(row.kind, row.path): row for row in TABLE}


def test_every_kind_has_its_fields_once():
    assert {row.kind for row in TABLE} == {*KINDS, *ACTING}
    assert len(ROWS) == len(TABLE)
    assert not set(KINDS) & LATER_KINDS


def test_every_row_says_what_the_field_does():
    assert {row.effect for row in TABLE} <= {"honoured", "warned", "refused"}
    assert all(row.note for row in TABLE if row.effect == "warned")
    assert all(row.type for row in TABLE)


HONOURED = {
    "ASMLocalRateLimiter": """
        workloadSelector.labels isGateway applyToTraffic configs[].name
        configs[].match.vhost.name configs[].match.vhost.port
        configs[].match.vhost.route.header_match[].prefix_match configs[].target_services[].name
        configs[].limit.fill_interval configs[].limit.quota configs[].limit.status
        configs[].limit.custom_response_body configs[].limit.response_headers_to_add
        configs[].limit.response_header_to_add
        configs[].limit_overrides[].request_match.query_match[].ignore_case
        configs[].limit_overrides[].request_match.remote_address.v6_prefix_mask_len
        configs[].limit_overrides[].limit.quota""",
    "ASMCircuitBreaker": """
        configs[].breaker_config.window_size configs[].breaker_config.break_duration
        configs[].breaker_config.slow_request_rt configs[].breaker_config.max_slow_requests
        configs[].breaker_config.error_percent.value configs[].breaker_config.min_request_amount
        configs[].breaker_config.gateway_error_percent.value
        configs[].breaker_config.custom_response.header_to_add""",
    "DestinationRule": """
        host workloadSelector.matchLabels trafficPolicy.outlierDetection.consecutive5xxErrors
        trafficPolicy.outlierDetection.minHealthPercent trafficPolicy.loadBalancer.simple
        trafficPolicy.loadBalancer.localityLbSetting.distribute[].to
        trafficPolicy.portLevelSettings[].outlierDetection.interval""",
    "QuotaSchedulingPolicy": """
        workload_selector.labels apply_to_traffic quota_scheduler.bucket_capacity
        quota_scheduler.rate_limiter.delay_initial_fill quota_scheduler.selectors[].service
        quota_scheduler.scheduler.workloads[].label_matcher.expression.label_matches.regex
        quota_scheduler.scheduler.workloads[].parameters.queue_timeout
        quota_scheduler.rate_limiter.limit_by_label_key quota_scheduler.rate_limiter.max_idle_time
        quota_scheduler.scheduler.priority_label_key quota_scheduler.scheduler.tokens_label_key
        quota_scheduler.scheduler.fairness_label_key quota_scheduler.scheduler.workload_label_key
        quota_scheduler.match_requests[].target_service.name
        quota_scheduler.selectors[].port.number
        quota_scheduler.scheduler.denied_response_status_code""",
    "RateLimitingPolicy": """
        rate_limiter.bucket_capacity rate_limiter.parameters.limit_by_label_key
        rate_limiter.request_parameters.tokens_label_key rate_limiter.match_requests[].path""",
    "VirtualService": "http[].timeout http[].retries.attempts http[].retries.retryOn",
    "ConcurrencyLimitingPolicy": """
        concurrency_limiter.max_concurrency concurrency_limiter.parameters.max_inflight_duration
        concurrency_limiter.request_parameters.denied_response_status_code""",
    "ConcurrencySchedulingPolicy": """
        concurrency_scheduler.concurrency_limiter.limit_by_label_key
        concurrency_scheduler.scheduler.workloads[].parameters.priority""",
}
WARNED = {
    "ASMLocalRateLimiter": """
        targetRefs configs[].distinct
        configs[].limit_overrides[].distinct""",
    "ASMCircuitBreaker": "configs[].breaker_config.average_request_rt",
    "DestinationRule": """
        exportTo trafficPolicy.tls trafficPolicy.tls.mode
        trafficPolicy.tunnel trafficPolicy.proxyProtocol
        trafficPolicy.retryBudget.budgetInterval
        trafficPolicy.loadBalancer.backendUtilization.weightUpdatePeriod""",
    "VirtualService": "http[].retries.retryRemoteLocalities",
    "QuotaSchedulingPolicy": """
        quota_scheduler.rate_limiter.lazy_sync
        quota_scheduler.match_requests[].target_service.kind quota_scheduler.alerter""",
}


@pytest.mark.parametrize(
    ("effect", "kinds"), [("honoured", HONOURED), ("warned", WARNED)], ids=["honoured", "warned"]
)
def test_fields_do_what_the_table_says(effect, kinds):
    wanted = [(kind, f"spec.{path}") for kind, paths in kinds.items() for path in paths.split()]
    assert {at: ROWS[at].effect for at in wanted} == dict.fromkeys(wanted, effect)


def test_a_row_holds_type_bounds_default_and_whether_it_must_be_there():
    quota = ROWS["ASMLocalRateLimiter", "spec.configs[].limit.quota"]
    assert (quota.type, quota.bounds, quota.required, quota.default) == (
        "int32",
        "from 0",
        True,
        "",
    )
    status = ROWS["ASMLocalRateLimiter", "spec.configs[].limit.status"]
    assert (status.required, status.default) == (False, "429")
    fill = ROWS["QuotaSchedulingPolicy", "spec.quota_scheduler.rate_limiter.continuous_fill"]
    assert (fill.type, fill.default) == ("bool", "true")
    simple = ROWS["DestinationRule", "spec.trafficPolicy.loadBalancer.simple"]
    assert "`ROUND_ROBIN`" in simple.bounds
    export = ROWS["DestinationRule", "spec.exportTo"]
    assert (export.default, export.note) == ("*", "has no effect in process")


def test_what_lies_inside_a_field_without_effect_has_none_either():
    inner = ROWS["DestinationRule", "spec.trafficPolicy.tls.sni"]
    assert (inner.effect, inner.note) == ("warned", "has no effect in process")
