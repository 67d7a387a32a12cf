"""Every judge in turn, over a set of manifests that loads."""

import attrs

from trafficcore.engine.identity import Identity
from trafficcore.engine.places import elsewhere
from trafficcore.judge.case import Case, HostCounts
from trafficcore.judge.ejection import ejection
from trafficcore.judge.locality import locality
from trafficcore.judge.selected import selected
from trafficcore.judge.shadowed import shadowed
from trafficcore.judge.subsets import subsets
from trafficcore.judge.together import together
from trafficcore.judge.twice import twice
from trafficcore.judge.undeclared import undeclared
from trafficcore.judge.unlabelled import unlabelled
from trafficcore.manifest import Report
from trafficcore.spec import Policy

__all__ = ["judge"]

_JUDGES = (ejection, locality, selected, shadowed, subsets, together, twice, undeclared, unlabelled)


def judge(
    report: Report,
    *,
    identity: Identity | None = None,
    only_its: bool = False,
    hosts: HostCounts | None = None,
) -> Report:
    """Return the report with what is legal and surely wrong across rules and documents.

    `identity` is the process that is spoken of, `only_its` says to judge its rules alone. A set
    with a fault is not judged: what it means is not known yet.
    """
    if report.policy is None:
        return report
    who = identity or Identity()
    case = Case(
        policy=_rules_for(who, report.policy) if only_its else report.policy,
        declared=report.declared,
        places=report.places,
        identity=who,
        hosts=hosts or HostCounts(),
    )
    return report.with_remarks(problem for each in _JUDGES for problem in each(case))


def _rules_for(who: Identity, policy: Policy) -> Policy:
    """Leave out the rules that another process applies. Calls go out by the whole table."""
    return attrs.evolve(
        policy,
        limits=tuple(rule for rule in policy.limits if not who.excludes(rule.scope)),
        breakers=tuple(rule for rule in policy.breakers if not who.excludes(rule.scope)),
        ramps=tuple(rule for rule in policy.ramps if not elsewhere(rule, who)),
        quotas=tuple(rule for rule in policy.quotas if not elsewhere(rule, who)),
    )
