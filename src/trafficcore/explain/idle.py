"""Why a rule has nothing to do with a request: the first condition that is not met."""

import attrs

from trafficcore.engine import Facts, Identity
from trafficcore.engine.cluster import Cluster
from trafficcore.engine.identity import host_matches, strip_port
from trafficcore.engine.match import compile_header
from trafficcore.engine.places import by_place
from trafficcore.engine.rule import Rule
from trafficcore.engine.selectors import selects
from trafficcore.explain.rules import Spec
from trafficcore.explain.scope import header_words, selector_words
from trafficcore.spec import (
    Destination,
    Direction,
    HeaderMatch,
    Op,
    QuotaRule,
    RampRule,
    RequestParts,
    Scope,
    ServiceEntry,
)

__all__ = ["Seen"]

_COMES = {Direction.INBOUND: "comes in", Direction.OUTBOUND: "goes out"}


@attrs.frozen(kw_only=True)
class Seen:
    """One request as this process sees it; `known` are all virtual hosts by name."""

    facts: Facts
    identity: Identity
    known: frozenset[str]
    cluster: Cluster | None

    @property
    def host(self) -> str:
        """The request's host, bare."""
        return strip_port(self.facts.host)

    def why_idle(self, spec: Spec, rule: Rule) -> str:
        """Return why a rule does not act on the request."""
        if isinstance(spec, Destination):
            return self._destination(spec, rule)
        if isinstance(spec, ServiceEntry):
            return self._entry(spec, rule)
        if rule.why_not:
            return f"not here: {rule.why_not}"
        if isinstance(spec, (QuotaRule, RampRule)):
            return self._selecting(spec, rule)
        return self._scope(spec.scope, rule)

    def _side(self, rule: Rule) -> str:
        place = self.facts.direction
        comes = _COMES.get(place, f"is at control point {place}")
        return f"it is about {rule.about}; this request {comes}"

    def _elsewhere(self, about: str) -> str:
        return f"it is about {about}; this request is for {self.host}"

    def _scope(self, scope: Scope, rule: Rule) -> str:
        if scope.direction is not self.facts.direction:
            return self._side(rule)
        if not self.identity.covers(scope, self.host, self.known):
            if self.identity.covers(scope, self.host, ()):
                return f"a virtual host that fits {self.host} more closely has its requests"
            return self._elsewhere(rule.about)
        headers = () if scope.vhost is None else scope.vhost.headers
        return next(self._lacks(one) for one in headers if not compile_header(one)(self.facts))

    def _lacks(self, header: HeaderMatch) -> str:
        value = self.facts.header(header.name)
        if value is None and header.op is not Op.PRESENT:
            return f"header {header.name} is missing; wanted: {header_words(header)}"
        shown = "" if value is None else f" (it is {value!r})"
        return f"{header_words(header, met=False)}{shown}"

    def _selecting(self, spec: QuotaRule | RampRule, rule: Rule) -> str:
        selectors = by_place(spec.selectors, spec.direction).get(self.facts.direction, [])
        if not selectors:
            return self._side(rule)
        fitting = [
            selector for selector in selectors if selects(selector, self.identity, self.host)
        ]
        if not fitting:
            return self._elsewhere(rule.about)
        unmet = [selector_words(selector) for selector in fitting]
        by_label = all(one.request == RequestParts() for one in fitting)
        return f"{'its labels do' if by_label else 'it does'} not fit; wanted: {' or '.join(unmet)}"

    def _entry(self, spec: ServiceEntry, rule: Rule) -> str:
        if self.facts.direction is not Direction.OUTBOUND:
            return self._side(rule)
        if not any(host_matches(spec.host, name) for name in self.identity.names(self.host)):
            return self._elsewhere(f"calls to {spec.host}")
        if rule.why_not:
            return f"not here: {rule.why_not}"
        return f"a host that fits {self.host} more closely has its calls"

    def _destination(self, spec: Destination, rule: Rule) -> str:
        if self.facts.direction is not Direction.OUTBOUND:
            return self._side(rule)
        if not any(host_matches(spec.host, name) for name in self.identity.names(self.host)):
            return self._elsewhere(f"calls to {spec.host}")
        excluded = self.identity.selects(spec.namespace, spec.labels) if spec.labels else ""
        deciding = None if self.cluster is None else self.cluster.rule
        if excluded or deciding is None:
            return f"not here: {excluded or rule.why_not}"
        return f"another rule decides for {self.host}: {deciding.source}"
