"""Quota scheduling: what a `QuotaSchedulingPolicy` becomes."""

from enum import Enum

import attrs

from trafficcore.errors import ConfigError
from trafficcore.spec.routes import Direction
from trafficcore.spec.source import Source

__all__ = [
    "Expression",
    "LabelMatcher",
    "QuotaRule",
    "QuotaSelector",
    "Requirement",
    "RequirementOp",
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
class QuotaSelector:
    """Which requests the quota is for; `service` "" is any. Entries are ORed.

    `control_point` `ingress` is inbound and `egress` outbound; another text is a place that the
    application names itself.
    """

    service: str = ""
    control_point: str = "ingress"
    matcher: LabelMatcher = LabelMatcher()


@attrs.frozen(kw_only=True)
class QuotaRule:
    """One policy: `fill_amount` tokens per `interval` seconds, `capacity` at most, then queues.

    `direction` is set where `apply_to_traffic` gives it, and then overrules the control points.
    """

    source: Source
    namespace: str
    capacity: float
    fill_amount: float
    interval: float
    continuous_fill: bool = True
    delay_initial_fill: bool = False
    labels: tuple[tuple[str, str], ...] = ()
    direction: Direction | None = None
    gateway: bool | None = None
    selectors: tuple[QuotaSelector, ...] = (QuotaSelector(),)
    workloads: tuple[Workload, ...] = ()
    default: WorkloadParameters = WorkloadParameters()
    denied_status: int = 503
    shadow: bool = False

    def __attrs_post_init__(self) -> None:
        if not self.interval > 0:
            raise ConfigError(f"interval must be above 0 s, not {self.interval!r}")
