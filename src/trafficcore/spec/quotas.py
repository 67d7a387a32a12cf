"""Quota scheduling: what a `QuotaSchedulingPolicy` becomes."""

from enum import Enum

import attrs

from trafficcore.errors import ConfigError
from trafficcore.spec.routes import Direction
from trafficcore.spec.source import Source

__all__ = [
    "Expression",
    "LabelKeys",
    "LabelMatcher",
    "QuotaRule",
    "QuotaSelector",
    "RequestParts",
    "Requirement",
    "RequirementOp",
    "Shedding",
    "Workload",
    "WorkloadParameters",
]


class RequirementOp(Enum):
    """How a `match_list` entry looks at its label; NOT_IN holds for a missing label."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@attrs.frozen
class Requirement:
    """One entry of `match_list`."""

    key: str
    op: RequirementOp
    values: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Expression:
    """One node of an `expression`.

    `kind` is `all`, `any`, `not` (over `of`), `label_exists`, `label_equals`, `label_matches`
    (over `label` and `value`; the last searches for a `trafficcore.spec.pattern`, unanchored).
    """

    kind: str
    of: tuple["Expression", ...] = ()
    label: str = ""
    value: str = ""


@attrs.frozen(kw_only=True)
class LabelMatcher:
    """All parts are ANDed; an empty matcher matches every request."""

    labels: tuple[tuple[str, str], ...] = ()
    requirements: tuple[Requirement, ...] = ()
    expression: Expression | None = None


@attrs.frozen(kw_only=True)
class WorkloadParameters:
    """A workload's share and patience; `queue_timeout` None waits for ever, 0 never waits."""

    priority: float = 1
    tokens: float = 1
    queue_timeout: float | None = None

    def __attrs_post_init__(self) -> None:
        if not self.priority > 0:
            raise ConfigError(f"priority must be above 0, not {self.priority!r}")
        if self.tokens < 0:
            raise ConfigError(f"tokens must be a number from 0, not {self.tokens!r}")


@attrs.frozen(kw_only=True)
class Workload:
    """A class of requests with a share of the quota; the first that matches takes the request."""

    name: str
    matcher: LabelMatcher = LabelMatcher()
    parameters: WorkloadParameters = WorkloadParameters()


@attrs.frozen(kw_only=True)
class RequestParts:
    """What an entry of `match_requests` compares; "" is any. Parts are ANDed, texts are whole.

    `path` may end in `*` and then is a beginning; `host` may be a wildcard (`*.example.com`).
    """

    method: str = ""
    path: str = ""
    host: str = ""
    scheme: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@attrs.frozen(kw_only=True)
class QuotaSelector:
    """Which requests the quota is for; `service` "" is any. Entries are ORed.

    `control_point` `ingress` is inbound and `egress` outbound; another text is a place that the
    application names itself. `port` is compared with the declared one, 0 is any.
    """

    service: str = ""
    control_point: str = "ingress"
    matcher: LabelMatcher = LabelMatcher()
    port: int = 0
    request: RequestParts = RequestParts()


@attrs.frozen(kw_only=True)
class LabelKeys:
    """The labels by which a request says something for itself; "" is none.

    `limit` has a budget and queues for each value; a request without it is not limited. `priority`
    and `tokens` overrule those of the workload, `workload` its name. `fairness` tells users of one
    workload apart, who then have equal parts of its share.
    """

    limit: str = ""
    priority: str = ""
    tokens: str = ""
    fairness: str = ""
    workload: str = ""


@attrs.frozen(kw_only=True)
class Shedding:
    """A budget that is a share of what comes, cut while latencies are too long. Seconds.

    Too long is a mean above `tolerance` times that of the last `long_window`, read anew each
    `long_step`. Then the share is multiplied by (mean / allowed) ** `slope`, held between the
    gradients; later it grows by `increment` more each time, and at `max_multiplier` everything
    passes again. `meters` say whose latencies count; none: those of the policy's own requests.
    With `cost_by_latency` a request costs what its workload's lately took, in milliseconds.
    """

    slope: float = -1
    min_gradient: float = 0.1
    max_gradient: float = 1
    increment: float = 0.025
    max_multiplier: float = 2
    tolerance: float = 1.25
    long_window: float = 1800
    long_step: float = 30
    meters: tuple[QuotaSelector, ...] = ()
    cost_by_latency: bool = False


@attrs.frozen(kw_only=True)
class QuotaRule:
    """One policy: `fill_amount` tokens per `interval` seconds, `capacity` at most, then queues.

    With `max_inflight_duration` it is about calls in flight: `capacity` of them at once, and one
    that is not known to have ended by then is taken for ended. With `shedding` it is about a share
    of what comes, and has no amounts of its own. Without `queue` nobody waits.
    `direction` is set where `apply_to_traffic` gives it, and then overrules the control points.
    Nobody waits longer than until `deadline_margin` seconds before his caller gives up.
    """

    source: Source
    namespace: str
    capacity: float
    fill_amount: float = 0
    interval: float = 1
    continuous_fill: bool = True
    delay_initial_fill: bool = False
    max_inflight_duration: float | None = None
    shedding: Shedding | None = None
    queue: bool = True
    keys: LabelKeys = LabelKeys()
    max_idle_time: float = 7200
    labels: tuple[tuple[str, str], ...] = ()
    direction: Direction | None = None
    gateway: bool | None = None
    selectors: tuple[QuotaSelector, ...] = (QuotaSelector(),)
    workloads: tuple[Workload, ...] = ()
    default: WorkloadParameters = WorkloadParameters()
    deadline_margin: float = 0.01
    denied_status: int = 503
    shadow: bool = False

    def __attrs_post_init__(self) -> None:
        if not self.interval > 0:
            raise ConfigError(f"interval must be above 0 s, not {self.interval!r}")

    @property
    def in_flight(self) -> bool:
        """Whether it bounds calls in flight, not tokens over time."""
        return self.max_inflight_duration is not None
