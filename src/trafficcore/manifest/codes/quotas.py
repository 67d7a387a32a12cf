"""TC4: quotas and workloads that are legal and surely wrong."""

from trafficcore.manifest.codes.code import Code

__all__ = ["QUOTAS"]

_HEAD = (
    "kind: QuotaSchedulingPolicy\nspec:\n  quota_scheduler:\n    bucket_capacity: 10\n"
    "    fill_amount: 10\n    rate_limiter: {interval: 1s}\n"
)
_RAMP = (
    "kind: LoadRampingPolicy\nspec:\n  start: true\n  load_ramp:\n    steps:\n"
    "    - {duration: 0s, target_accept_percentage: 1}\n"
)
_GUEST = "label_matcher: {match_labels: {user: guest}}"


def _warning(code: str, name: str, title: str, why: str, instead: str, example: str) -> Code:
    return Code(
        id=code,
        name=name,
        severity="warning",
        title=title,
        why=why,
        instead=instead,
        example=example,
    )


QUOTAS = (
    _warning(
        "TC401",
        "quota-of-nothing",
        "A quota lets no request through",
        "With a `bucket_capacity` or a `fill_amount` of 0 there is never a token, and whoever "
        "may wait for ever does.",
        "Write how many requests an interval is to let through.",
        _HEAD.replace("fill_amount: 10", "fill_amount: 0"),
    ),
    _warning(
        "TC402",
        "workload-of-all",
        "A workload that matches everything stands before others",
        "The first workload that matches takes the request: those behind it are never reached.",
        "Put it last, or let `default_workload_parameters` do its work.",
        _HEAD + f"    scheduler:\n      workloads:\n      - name: all\n"
        f"      - {{name: guest, {_GUEST}}}\n",
    ),
    _warning(
        "TC403",
        "shadowed-workload",
        "A workload stands behind one that takes all its requests",
        "Whatever its matcher holds for, an earlier one holds for as well, and was asked first.",
        "Put the narrower workload first.",
        _HEAD + f"    scheduler:\n      workloads:\n      - {{name: guest, {_GUEST}}}\n"
        "      - name: mobile-guest\n"
        "        label_matcher: {match_labels: {user: guest, client: mobile}}\n",
    ),
    _warning(
        "TC404",
        "unselected-workload",
        "No selector lets a request through to a workload",
        "A request comes to the scheduler by a selector, and what every selector demands "
        "contradicts what this workload matches.",
        "Widen a selector's `label_matcher`, or drop the workload.",
        _HEAD + "    selectors:\n    - label_matcher: {match_labels: {user: member}}\n"
        f"    scheduler:\n      workloads:\n      - {{name: guest, {_GUEST}}}\n",
    ),
    _warning(
        "TC405",
        "values-missing",
        "An operator has no values to compare with",
        "`In` without values never holds, and `NotIn` without values always does.",
        "Write the values, or `Exists` and `DoesNotExist` where presence is meant.",
        _HEAD + "    selectors:\n    - label_matcher:\n"
        "        match_list: [{key: user, operator: In}]\n",
    ),
    _warning(
        "TC406",
        "limit-and-quota",
        "A limit and a quota are about the same requests",
        "Limits are asked before queues. Where the limit is the stricter one nobody ever queues "
        "and no share counts; where it is not, it only ever refuses what might have waited.",
        "Keep the quota where shares matter, the limit where a flat refusal does; or make the "
        "limit one of connections or clients, well above the quota.",
        "kind: ASMLocalRateLimiter\nspec:\n  configs:\n  - match: {vhost: {name: web}}\n"
        "    limit: {fill_interval: 1s, quota: 5}\n---\n"
        + _HEAD
        + "    selectors:\n    - service: web\n",
    ),
    _warning(
        "TC407",
        "ramp-short-of-all",
        "A load ramp never lets everything through",
        "Its last step accepts less than 100 %, so some requests are refused for good, or for as "
        "long as the policy is there.",
        "End with a step of 100 %, or say by a comment that a part is all it is to be.",
        _RAMP + "    - {duration: 1m, target_accept_percentage: 50}\n",
    ),
    _warning(
        "TC408",
        "ramp-back-and-forth",
        "A load ramp goes on at a latency at which it goes back",
        "Between the two thresholds both hold: going back and beginning again go before going on, "
        "and the higher `forward` never counts.",
        "Let `forward` be the lowest of the thresholds.",
        _RAMP.replace(
            "  load_ramp:",
            "  drivers:\n    average_latency_drivers:\n"
            "    - criteria: {forward: {threshold: 200}, reset: {threshold: 100}}\n  load_ramp:",
        )
        + "    - {duration: 1m, target_accept_percentage: 100}\n",
    ),
)
