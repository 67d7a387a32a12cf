"""A row a rule: what at most, after what, and what then; and the sums that stand before them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from math import inf

import attrs

from trafficcore.engine.istio_outlier import envoy_settings
from trafficcore.explain.breaking import trips
from trafficcore.explain.ejection import ejected_after, out_for
from trafficcore.explain.limit import pace
from trafficcore.explain.meaning import find
from trafficcore.explain.quota import shares
from trafficcore.explain.ramp import steps_of
from trafficcore.explain.room import fewest_hosts, most_out
from trafficcore.explain.rules import Hosts, RuleMeaning
from trafficcore.explain.shedding import shed_words
from trafficcore.explain.words import count, number, rate, share, span
from trafficcore.spec import (
    BreakRule,
    Destination,
    QuotaRule,
    RampRule,
    RateLimitRule,
    ServiceEntry,
    TrafficPolicy,
)

__all__ = ["COLUMNS", "Row", "rows", "sums"]

COLUMNS = ("rule", "at most", "after", "then", "here")


@attrs.frozen
class Row:
    """One rule in the columns of the table."""

    rule: str
    most: str
    after: str
    then: str
    here: str

    @property
    def cells(self) -> tuple[str, ...]:
        """Return the texts in the order of `COLUMNS`."""
        return self.rule, self.most, self.after, self.then, self.here


def rows(rules: Iterable[RuleMeaning], hosts: Hosts) -> Iterator[Row]:
    """Yield a row for each rule, and one for each port or subset that has ejection of its own."""
    for rule in rules:
        source = rule.source
        name = f"{source.kind} {source.namespace}/{source.name} {source.rule}".rstrip()
        here = "no" if rule.why_not else "yes"
        spec = rule.spec
        if isinstance(spec, Destination):
            yield Row(name, *_destination(spec.policy, hosts.of(spec.host), hosts.istio), here)
            for port, policy in spec.ports:
                yield Row(
                    f"{name}:{port}", *_destination(policy, hosts.of(spec.host), hosts.istio), here
                )
            for subset in spec.subsets:
                if subset.policy.outlier != spec.policy.outlier:
                    cells = _destination(subset.policy, None, hosts.istio)
                    yield Row(f"{name} subset {subset.name}", *cells, here)
        elif isinstance(spec, ServiceEntry):
            then = "" if spec.idle else count(len(spec.endpoints), "endpoint")
            yield Row(name, "", "", then, here)
        else:
            yield Row(name, *_row(spec, rule), here)


def _row(
    spec: RateLimitRule | BreakRule | RampRule | QuotaRule, rule: RuleMeaning
) -> tuple[str, str, str]:
    refusal = find(rule.meanings, "refusal").split(" ")[0]
    if isinstance(spec, RateLimitRule):
        more = f"; {count(len(spec.overrides), 'override')}" if spec.overrides else ""
        return f"{pace(spec.limit)}{more}", "", refusal
    if isinstance(spec, RampRule):
        return steps_of(spec), "", refusal
    if isinstance(spec, BreakRule):
        if not spec.can_trip:
            return "", "nothing", ""
        after = f"{'; '.join(trips(spec))} in {span(spec.window)}"
        return "", after, f"{refusal} for {span(spec.open_for)}"
    most = f"{number(spec.capacity)} in flight"
    if spec.shedding is not None:
        most = shed_words(spec.shedding)
    elif not spec.in_flight:
        most = f"{number(spec.capacity)} at once, then {rate(spec.fill_amount, spec.interval)}"
    if spec.keys.limit:
        most = f"each {spec.keys.limit}: {most}"
    if not spec.queue:
        return most, "", refusal
    parts = [f"{name} {share(part)}" for name, part in shares(spec)]
    return most, "", f"wait: {', '.join(parts)}" if parts else "wait in turn"


def _destination(
    policy: TrafficPolicy, hosts: int | None, istio: str | None
) -> tuple[str, str, str]:
    if policy.outlier is None:
        return "no host", "", ""
    settings, _ = envoy_settings(policy.outlier, istio=istio)
    fewest = fewest_hosts(settings)
    if fewest == inf:
        return "no host", "", ""
    if hosts is not None:
        most = f"{most_out(settings, hosts)} of {count(hosts, 'host')}"
    else:
        most = f"{settings.max_ejection_percent} %, the first of {count(fewest, 'host')}"
    return most, ejected_after(settings), f"out {out_for(settings)}"


def sums(rules: Iterable[RuleMeaning], hosts: Hosts) -> Iterator[str]:
    """Yield what is true of many DestinationRules at once: how few hosts leave them without effect.

    A rule without outlier detection ejects nobody, however many hosts there are.
    """
    specs = [rule.spec for rule in rules if isinstance(rule.spec, Destination)]
    total = count(len(specs), "rule")
    fewest = [(spec, _fewest(spec.policy, hosts.istio)) for spec in specs]
    common = Counter(least for _, least in fewest if 1 < least < inf).most_common(1)
    for edge, _ in common:
        below = sum(least >= edge for _, least in fewest)
        yield f"{below} of {total} never {_eject(below)} with fewer than {number(edge)} hosts"
    never = sum(least == inf for _, least in fewest)
    if never:
        yield f"{never} of {total} never {_eject(never)} at all"
    known = [(least, hosts.of(spec.host)) for spec, least in fewest]
    idle = sum(there is not None and there < least for least, there in known)
    if idle:
        yield f"{idle} of {total} {_eject(idle)} nobody with the hosts given"


def _eject(how_many: int) -> str:
    return "ejects" if how_many == 1 else "eject"


def _fewest(policy: TrafficPolicy, istio: str | None) -> float:
    if policy.outlier is None:
        return inf
    return fewest_hosts(envoy_settings(policy.outlier, istio=istio)[0])
