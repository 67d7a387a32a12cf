"""RING 1: policy as frozen data, in our words, validated once. Knows no algorithm and no YAML."""

from trafficcore.spec.balancing import (
    ConsistentHash,
    Destination,
    HashCookie,
    LocalityLb,
    Subset,
    TrafficPolicy,
    Warmup,
    ZoneAwareLb,
)
from trafficcore.spec.breaking import BreakRule, Response
from trafficcore.spec.declared import DeclaredHosts, DeclaredRoute, RouteTarget, RouteTest
from trafficcore.spec.endpoints import EndpointSpec, check_address, is_address, split_address
from trafficcore.spec.entries import Resolution, ServiceEntry
from trafficcore.spec.limits import Limit, LimitOverride, RateLimitRule
from trafficcore.spec.loads import RampDriver, RampRule
from trafficcore.spec.names import full_name
from trafficcore.spec.outliers import OutlierDetection
from trafficcore.spec.patterns import pattern
from trafficcore.spec.policy import Policy
from trafficcore.spec.quotas import (
    Expression,
    LabelKeys,
    LabelMatcher,
    QuotaRule,
    QuotaSelector,
    RequestParts,
    Requirement,
    RequirementOp,
    Shedding,
    Workload,
    WorkloadParameters,
)
from trafficcore.spec.retries import (
    CONDITIONS,
    GRPC_CONDITIONS,
    IDEMPOTENT,
    Retries,
    RetryCaps,
)
from trafficcore.spec.routes import (
    AddressMatch,
    Direction,
    HeaderMatch,
    Op,
    QueryMatch,
    RequestMatch,
    Scope,
    Service,
    VirtualHost,
)
from trafficcore.spec.source import Source

__all__ = [
    "CONDITIONS",
    "GRPC_CONDITIONS",
    "IDEMPOTENT",
    "AddressMatch",
    "BreakRule",
    "ConsistentHash",
    "DeclaredHosts",
    "DeclaredRoute",
    "Destination",
    "Direction",
    "EndpointSpec",
    "Expression",
    "HashCookie",
    "HeaderMatch",
    "LabelKeys",
    "LabelMatcher",
    "Limit",
    "LimitOverride",
    "LocalityLb",
    "Op",
    "OutlierDetection",
    "Policy",
    "QueryMatch",
    "QuotaRule",
    "QuotaSelector",
    "RampDriver",
    "RampRule",
    "RateLimitRule",
    "RequestMatch",
    "RequestParts",
    "Requirement",
    "RequirementOp",
    "Resolution",
    "Response",
    "Retries",
    "RetryCaps",
    "RouteTarget",
    "RouteTest",
    "Scope",
    "Service",
    "ServiceEntry",
    "Shedding",
    "Source",
    "Subset",
    "TrafficPolicy",
    "VirtualHost",
    "Warmup",
    "Workload",
    "WorkloadParameters",
    "ZoneAwareLb",
    "check_address",
    "full_name",
    "is_address",
    "pattern",
    "split_address",
]
