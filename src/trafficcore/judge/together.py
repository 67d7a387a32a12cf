"""TC406: a limit and a quota that can be about the same requests of the same process."""

from collections.abc import Iterable, Iterator

from trafficcore.engine.identity import Identity, host_matches
from trafficcore.judge.case import Case
from trafficcore.manifest.problems import Problem
from trafficcore.spec import Direction, QuotaRule, RateLimitRule

__all__ = ["together"]

_POINTS = {"ingress": Direction.INBOUND, "egress": Direction.OUTBOUND}
_ROOT = Identity().root_namespace
_ANY = ("", "*")

_Labels = tuple[tuple[str, str], ...]


def together(case: Case) -> Iterator[Problem]:
    """Tell each limit of the first quota that it stands before."""
    quotas = _Quotas(case.policy.quotas)
    for rule in case.policy.limits:
        quota = quotas.beside(rule)
        if quota is not None:
            yield case.tell("TC406", rule.source, rule.source.path, _message(rule, quota))


def _message(rule: RateLimitRule, quota: QuotaRule) -> str:
    source = quota.source
    who = f"{source.kind} {source.namespace}/{source.name} ({source.file}:{source.line})"
    limit = rule.limit.quota / rule.limit.fill_interval
    if limit <= quota.fill_amount / quota.interval:
        then = "and is the stricter one: nobody ever waits, and no share counts"
    else:
        then = "and refuses what might have waited"
    return f"acts before the quota of {who} on the same requests, {then}"


class _Quotas:
    """Quotas by direction and service; of those alike in all that is compared the first."""

    def __init__(self, quotas: Iterable[QuotaRule]) -> None:
        self._of: dict[tuple[Direction, str], list[QuotaRule]] = {}
        seen: set[tuple[Direction, str, str, _Labels, bool | None]] = set()
        for quota in quotas:
            for selector in quota.selectors:
                side = quota.direction or _POINTS.get(selector.control_point)
                if side is None:
                    continue
                service = "" if selector.service in _ANY else selector.service
                key = (side, service, quota.namespace, quota.labels, quota.gateway)
                if key not in seen:
                    seen.add(key)
                    self._of.setdefault((side, service), []).append(quota)
        self._wild = [key for key in self._of if key[1].startswith("*")]

    def beside(self, rule: RateLimitRule) -> QuotaRule | None:
        """Return the first quota that some request of the rule comes to as well."""
        for key in self._services(rule):
            for quota in self._of.get(key, ()):
                if _one_process(rule, quota):
                    return quota
        return None

    def _services(self, rule: RateLimitRule) -> Iterator[tuple[Direction, str]]:
        side = rule.scope.direction
        hosts = _hosts(rule)
        if any(host in _ANY for host in hosts):
            yield from (key for key in self._of if key[0] is side)
            return
        yield side, ""
        for host in hosts:
            yield side, host
            if host.startswith("*"):
                yield from (
                    key for key in self._of if key[0] is side and host_matches(host, key[1])
                )
            yield from (key for key in self._wild if key[0] is side and host_matches(key[1], host))


def _hosts(rule: RateLimitRule) -> list[str]:
    if rule.scope.vhost is not None:
        return [rule.scope.vhost.name]
    return [service.name for service in rule.scope.services] or ["*"]


def _one_process(rule: RateLimitRule, quota: QuotaRule) -> bool:
    """Whether some process can be selected by both."""
    scope = rule.scope
    if quota.gateway is not None and quota.gateway is not scope.gateway:
        return False
    if scope.namespace != quota.namespace and _ROOT not in (scope.namespace, quota.namespace):
        return False
    wanted = dict(scope.labels)
    return all(wanted.get(key, value) == value for key, value in quota.labels)
