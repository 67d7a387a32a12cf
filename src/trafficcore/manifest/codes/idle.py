"""TC9: what loads and is not done by this version, or not by a process at all."""

from trafficcore.manifest.codes.code import Code

__all__ = ["IDLE"]

_POLICY = "kind: DestinationRule\nspec:\n  host: web\n  trafficPolicy:\n"
_TARGETS = (
    "kind: ASMLocalRateLimiter\nspec:\n  applyToTraffic: sidecar_outbound\n  configs:\n"
    "  - target_services: [{name: web, kind: VirtualService}]\n"
    "    limit: {fill_interval: 1s, quota: 5}\n"
)

IDLE = (
    Code(
        id="TC901",
        name="not-in-this-version",
        severity="warning",
        title="A field has no effect in this version",
        why="It is read and checked, and nothing is done about it yet.",
        instead="Do not rely on it here; keep it for the mesh.",
        example="kind: ASMLocalRateLimiter\nspec:\n  configs:\n"
        "  - match: {vhost: {name: web, port: 80}}\n    limit: {fill_interval: 1s, quota: 5}\n"
        "    distinct: [user]\n",
    ),
    Code(
        id="TC902",
        name="not-in-process",
        severity="warning",
        title="A field has no effect in a process",
        why="It is about something that a library inside the process does not do: TLS, sockets, "
        "sharing with other namespaces.",
        instead="Set it where the connections are made; keep it for the mesh.",
        example=_POLICY + "    tls: {mode: ISTIO_MUTUAL}\n",
    ),
    Code(
        id="TC903",
        name="nothing-to-do",
        severity="notice",
        title="A field has no effect here, and nobody misses it",
        why="What it arranges does not arise in one process.",
        instead="Nothing needs to be done.",
        example="kind: QuotaSchedulingPolicy\nspec:\n  quota_scheduler:\n    bucket_capacity: 10\n"
        "    fill_amount: 10\n    rate_limiter: {interval: 1s, lazy_sync: {enabled: true}}\n",
    ),
    Code(
        id="TC904",
        name="skipped",
        severity="notice",
        title="A document was skipped",
        why="Its kind is no traffic policy, or one that is not read in this version. What a "
        "Service, VirtualService or Ingress declares is compared with the policies.",
        instead="Nothing needs to be done, unless you count on that document.",
        example="kind: Deployment\nspec: {replicas: 2}\n",
    ),
    Code(
        id="TC905",
        name="misspelt-kind",
        severity="warning",
        title="A kind is nearly one that is read",
        why="The document was skipped, and its rules with it.",
        instead="Take the kind that the message suggests.",
        example="kind: ASMCircuitBraker\nspec: {}\n",
    ),
    Code(
        id="TC906",
        name="left-out",
        severity="warning",
        title="A rule, or a part of it, was left out",
        why="It is for a place or a target that this version does not have; acting on less than "
        "it says would make it act on more than it means.",
        instead="Do not rely on it here; keep it for the mesh.",
        example=_TARGETS,
    ),
    Code(
        id="TC907",
        name="empty-folder",
        severity="warning",
        title="A folder holds no manifest",
        why="No file in it, or below, ends in .yaml, .yml or .json.",
        instead="Look at the path.",
    ),
    Code(
        id="TC908",
        name="not-listed",
        severity="notice",
        title="There are more warnings and notices than are listed",
        why="A list of so many is read by nobody, and keeping it takes memory.",
        instead="Check fewer files at once, or silence what you know.",
    ),
)
