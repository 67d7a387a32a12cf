"""TC6: what Kubernetes would refuse, deprecated names, and silence that does not work."""

from trafficcore.manifest.codes.code import Code

__all__ = ["SPELLING"]

SPELLING: tuple[Code, ...] = (
    Code(
        id="TC601",
        name="unquoted",
        severity="warning",
        title="A text is written like a boolean or a number",
        why="To Kubernetes `true`, `on` and `1` are no texts, and it refuses the manifest. Here "
        "the text is taken as it stands.",
        instead='Quote it: `"true"`.',
        example="kind: ASMCircuitBreaker\nspec:\n  configs:\n  - match: {vhost: {name: web}}\n"
        "    breaker_config:\n      slow_request_rt: 0.5s\n      max_slow_requests: 5\n"
        "      custom_response:\n        header_to_add:\n          x-slow: true\n",
    ),
    Code(
        id="TC602",
        name="deprecated",
        severity="warning",
        title="A field has a newer name",
        why="The old one still works here, and will be dropped, or was dropped already, there.",
        instead="Write the name that the message gives.",
        example="kind: DestinationRule\nspec:\n  host: web\n  trafficPolicy:\n"
        "    outlierDetection: {consecutiveErrors: 5}\n",
    ),
    Code(
        id="TC603",
        name="silences-nothing",
        severity="warning",
        title="A word that should silence is no code",
        why="It is misspelt, or the code of a fault: what it was meant for is still told.",
        instead="Write codes such as `TC101`. A fault has to be mended.",
        example="kind: DestinationRule\n# trafficcore: ignore TC930\nspec: {host: web}\n",
    ),
)
