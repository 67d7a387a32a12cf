"""A scenario from a few words: what `trafficcore simulate policy.yaml --fail 1@10s..60s` means.

The words become a scenario *file*, which is then read like any other: what is shown can be saved,
edited and run again. Where nobody says who the process is, it is the one that the first policy
about the host selects, so that the policies act.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs

from trafficcore.engine.places import Place, by_place
from trafficcore.errors import ConfigError
from trafficcore.manifest.units import NotThis, duration
from trafficcore.spec import (
    Direction,
    Op,
    Policy,
    QuotaRule,
    RampRule,
    Resolution,
    Scope,
    full_name,
)

__all__ = ["Words", "scenario_of", "strange"]

_FAIL: Final = re.compile(
    r"(?P<who>[^@=]+)@(?P<from>[^=]+?)\.\.(?P<until>[^=]*)(?:=(?P<what>.+))?\Z"
)
_HEADER: Final = "http.request.header."
#: How many endpoints there are where nobody says.
_ENDPOINTS: Final = 3
#: Seconds a run goes on after the last failure is over.
_AFTER: Final = 30


@attrs.frozen(kw_only=True)
class Words:
    """What the command line says; None and () where it says nothing."""

    host: str = ""
    endpoints: int | None = None
    zones: int = 1
    rate: float | None = None
    clients: int | None = None
    duration: str = ""
    latency: str = "20ms"
    capacity: int = 0
    fail: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    path: str = ""
    outbound: bool | None = None
    seed: int = 1
    labels: tuple[tuple[str, str], ...] = ()
    namespace: str = ""
    gateway: bool = False
    expect: tuple[str, ...] = ()


def scenario_of(words: Words, policy: Policy, manifests: Sequence[str]) -> dict[str, Any]:
    """Return a scenario as the plain data of its file; `ConfigError` for words it cannot read."""
    failures = [_failure(text) for text in words.fail]
    known = _hosts(policy)
    host = words.host or next(iter(known), "example.default.svc.cluster.local")
    scope = _scope(policy, host)
    outbound = _outbound(words, policy)
    zones = [f"region/zone-{number + 1}" for number in range(words.zones)]
    process: dict[str, Any] = {"namespace": words.namespace or scope.get("namespace", "default")}
    labels = dict(words.labels) or scope.get("labels", {})
    process |= {"labels": labels} if labels else {}
    process |= {"gateway": True} if words.gateway or scope.get("gateway") else {}
    if outbound:
        process["locality"] = zones[0]
    name = full_name(host, process["namespace"])
    service: dict[str, Any] = {"name": name, "latency": words.latency}
    service |= {"capacity": words.capacity} if words.capacity else {}
    declared = _declared(policy, name) if words.endpoints is None else []
    service["endpoints"] = declared or [
        {"address": _address(number), "locality": zones[number % words.zones]}
        for number in range(_ENDPOINTS if words.endpoints is None else words.endpoints)
    ]
    if outbound and declared and declared[0].get("locality"):
        process["locality"] = declared[0]["locality"]
    service |= {"failures": failures} if failures else {}
    spec: dict[str, Any] = {
        "seed": words.seed,
        "duration": words.duration or _duration(failures),
        "manifests": list(manifests),
        "process": process,
        "services": [service],
        "loads": list(_loads(words, policy, name, outbound)),
    }
    spec |= {"expect": list(words.expect)} if words.expect else {}
    return {
        "apiVersion": "trafficcore/v1",
        "kind": "Scenario",
        "metadata": {"name": "quick"},
        "spec": spec,
    }


def _failure(text: str) -> dict[str, Any]:
    """Read `1@10s..60s`, `1,2@10s..60s=500`, `zone-2@30s..=refused`, `all@5s..9s=1.5s`."""
    found = _FAIL.match(text)
    if found is None:
        raise ConfigError(
            f"--fail must be WHO@FROM..UNTIL[=WHAT], such as 1@10s..60s, zone-2@10s..60s=refused "
            f"or all@5s..9s=1.5s, not {text!r}"
        )
    failure: dict[str, Any] = {}
    who = found["who"]
    if who.startswith("zone-"):
        failure["zone"] = f"region/{who}"
    elif who != "all":
        failure["endpoints"] = [int(one) if one.isdigit() else one for one in who.split(",")]
    for name in ("from", "until"):
        if found[name]:
            failure[name] = found[name]
    what = found["what"] or ""
    if what in ("refused", "hangs"):
        failure[what] = True
    elif what.isdigit():
        failure["status"] = int(what)
    elif what:
        failure["latency"] = what
    return failure


def _duration(failures: Iterable[dict[str, Any]]) -> str:
    last = 0.0
    for failure in failures:
        try:
            last = max(last, float(duration(failure.get("until", failure.get("from", "0s")))))
        except NotThis as what:
            raise ConfigError(f"--fail must have times such as 10s, {what}") from what
    return f"{last + _AFTER:.12g}s" if last else "60s"


def _address(number: int) -> str:
    return f"10.0.{number // 250}.{number % 250 + 1}:80"


def _declared(policy: Policy, name: str) -> list[dict[str, Any]]:
    """Return the endpoints that ServiceEntries list for a host, as the simulator has them."""
    found: dict[str, dict[str, Any]] = {}
    for entry in policy.entries:
        for one in entry.endpoints if entry.resolution is Resolution.STATIC else ():
            if entry.host == name:
                place = {"locality": one.locality} if one.locality else {}
                found.setdefault(
                    one.address, {"address": one.address, "weight": one.weight, **place}
                )
    return list(found.values())


def _hosts(policy: Policy) -> list[str]:
    """Return the hosts that policies are about by name, in their order."""
    found = [destination.host for destination in policy.destinations]
    found += [entry.host for entry in policy.entries]
    for scope in _scopes(policy):
        if scope.vhost is not None:
            found.append(scope.vhost.name)
        found += [service.name for service in scope.services]
    found += [selector.service for rule in _selecting(policy) for selector in rule.selectors]
    return [host for host in dict.fromkeys(found) if host and not host.startswith("*")]


def strange(asked: str, policy: Policy) -> str:
    """Say that no policy is about a host, where they name theirs; "" where one is, or may be."""
    known, bare = _hosts(policy), asked.partition(":")[0]
    if not asked or not known or any(host == bare or host.startswith(f"{bare}.") for host in known):
        return ""
    return f"no policy is about {asked!r} by its name: there is {', '.join(known)}"


def _path(policy: Policy) -> str:
    """Return a path that the first rule with a condition on the path is about."""
    for scope in _scopes(policy):
        for header in scope.vhost.headers if scope.vhost is not None else ():
            wanted = header.op in (Op.EXACT, Op.PREFIX) and not header.invert
            if header.name == ":path" and wanted and header.value.startswith("/"):
                return header.value
    return "/"


def _scopes(policy: Policy) -> list[Scope]:
    return [rule.scope for rule in policy.limits] + [rule.scope for rule in policy.breakers]


def _scope(policy: Policy, host: str) -> dict[str, Any]:
    """Return whom the first policy about the host selects."""
    for scope in _scopes(policy):
        names = [scope.vhost.name] if scope.vhost else [service.name for service in scope.services]
        if not names or {"*", full_name(host, scope.namespace)} & {*names}:
            labels, gateway = dict(scope.labels), scope.gateway
            return {"labels": labels, "namespace": scope.namespace, "gateway": gateway}
    for rule in _selecting(policy):
        labels, gateway = dict(rule.labels), bool(rule.gateway)
        return {"labels": labels, "namespace": rule.namespace, "gateway": gateway}
    for destination in policy.destinations:
        return {"labels": dict(destination.labels), "namespace": destination.namespace}
    return {}


def _outbound(words: Words, policy: Policy) -> bool:
    if words.outbound is not None:
        return words.outbound
    scopes = _scopes(policy)
    if any(scope.direction is Direction.INBOUND for scope in scopes):
        return False
    return bool(scopes or policy.destinations) or any(map(_is_outbound, _selecting(policy)))


def _selecting(policy: Policy) -> list[QuotaRule | RampRule]:
    return [*policy.quotas, *policy.ramps]


def _is_outbound(rule: QuotaRule | RampRule) -> bool:
    return Direction.OUTBOUND in by_place(rule.selectors, rule.direction)


def _own_point(policy: Policy) -> dict[str, str]:
    """Return the control point that the policies are about, if they are about no other place."""
    named: list[Place] = []
    for rule in _selecting(policy):
        named += by_place(rule.selectors, rule.direction)
    if _scopes(policy) or policy.destinations or any(isinstance(it, Direction) for it in named):
        return {}
    return {"control_point": str(named[0])} if named else {}


def _loads(words: Words, policy: Policy, host: str, outbound: bool) -> Iterable[dict[str, Any]]:
    """Yield one load, or one for each workload that a header tells apart."""
    classes = _classes(policy) if not words.headers else {}
    for name, headers in (classes or {"calls": dict(words.headers)}).items():
        load: dict[str, Any] = {"name": name, "url": f"http://{host}{words.path or _path(policy)}"}
        load |= {"direction": "outbound"} if outbound else _own_point(policy)
        load |= {"headers": headers} if headers else {}
        if words.clients is not None:
            load["clients"] = words.clients
        else:
            load |= {"rate": 100 if words.rate is None else words.rate, "arrivals": "poisson"}
        yield load


def _classes(policy: Policy) -> dict[str, dict[str, str]]:
    classes: dict[str, dict[str, str]] = {}
    for quota in policy.quotas:
        for workload in quota.workloads:
            labels = workload.matcher.labels
            if labels and all(label.startswith(_HEADER) for label, _ in labels):
                classes.setdefault(
                    workload.name, {label[len(_HEADER) :]: value for label, value in labels}
                )
    return classes
