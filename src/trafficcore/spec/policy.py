"""`Policy`: everything a set of manifests says, ready to be compiled into an engine."""

import attrs

from trafficcore.spec.balancing import Destination
from trafficcore.spec.breaking import BreakRule
from trafficcore.spec.declared import DeclaredHosts
from trafficcore.spec.entries import ServiceEntry
from trafficcore.spec.limits import RateLimitRule
from trafficcore.spec.loads import RampRule
from trafficcore.spec.quotas import QuotaRule

__all__ = ["Policy"]


@attrs.frozen(kw_only=True)
class Policy:
    """Rules in the order of their files, documents and entries.

    `entries` are services with their endpoints; `declared` are hosts and routes that documents
    beside the rules declare. `notices` are lines worth telling a person once: skipped kinds, fields
    without effect.
    """

    limits: tuple[RateLimitRule, ...] = ()
    breakers: tuple[BreakRule, ...] = ()
    destinations: tuple[Destination, ...] = ()
    quotas: tuple[QuotaRule, ...] = ()
    ramps: tuple[RampRule, ...] = ()
    entries: tuple[ServiceEntry, ...] = ()
    declared: tuple[DeclaredHosts, ...] = ()
    notices: tuple[str, ...] = ()
