"""TC32: timeouts and retries of calls that are legal and do less than they look."""

from trafficcore.manifest.codes.code import Code

__all__ = ["CALLS"]

CALLS = (
    Code(
        id="TC320",
        name="no-attempts",
        severity="warning",
        title="Retries without attempts",
        why="`attempts` is how many retries there are. At 0, or absent, there are none, whatever "
        "else is written: so Istio reads it too.",
        instead="Write `attempts`; or leave `retries` out.",
        example="kind: VirtualService\nspec:\n  hosts: [web]\n  http:\n"
        "  - retries: {retryOn: gateway-error}\n",
    ),
    Code(
        id="TC321",
        name="two-bounds-of-retries",
        severity="warning",
        title="A number of retries beside a retry budget",
        why="A budget stands in the place of the number, which is not looked at.",
        instead="Keep one of `retryBudget` and `connectionPool.http.maxRetries`.",
        example="kind: DestinationRule\nspec:\n  host: web\n  trafficPolicy:\n"
        "    retryBudget: {percent: 20}\n    connectionPool: {http: {maxRetries: 2}}\n",
    ),
)
