"""A run as text: each class as a load tester shows it, then what the policies did, and where to.

Plain ASCII columns: the same on a terminal, in a pipe and in a test.
"""

from collections.abc import Iterator
from typing import Any

from trafficcore.engine.istio_version import always_first
from trafficcore.sim.result import Result
from trafficcore.sim.stats import ClassStats
from trafficcore.sim.timeline import timeline
from trafficcore.spec import Policy

__all__ = ["report", "seconds"]

_SHARES = (50, 75, 90, 99, 99.9)
#: More servers than this are summed up by zone alone.
_MOST_SERVERS = 12


def seconds(value: float) -> str:
    """Write a time with three digits and the unit that suits it."""
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        if value * factor >= 1 or unit == "us":
            digits = f"{value * factor:.3g}"
            return f"{digits if 'e+' not in digits else f'{value * factor:.0f}'} {unit}"
    return ""


def report(result: Result, *, most_events: int = 40) -> list[str]:
    """Return the lines of a run."""
    scenario = result.scenario
    lines = [
        f"{scenario.name}: {result.end:.6g} s of virtual time, seed {scenario.seed}",
        "",
    ]
    for name, stats in result.classes.items():
        lines += [*_class(name, stats), ""]
    lines += _section("where calls went", _places(result))
    rules = result.snapshot["rules"]
    lines += _section("rules", _rules(rules))
    lines += _section("outlier detection", _detection(result))
    if rules and not any(rule["hits"] for rule in rules):
        lines += ["no rule was about any of these calls", ""]
    if result.most_waiting:
        lines += [f"waiting: {result.most_waiting} at the most", ""]
    lines += _section("not simulated", _left_out(result.policy))
    events = timeline(result.events, result.more_events, most=most_events)
    lines += _section("what happened", events)
    lines += _section("expectations", [str(verdict) for verdict in result.verdicts])
    return lines[:-1] if lines[-1] == "" else lines


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"{title}:", *(f"  {line}" for line in lines), ""] if lines else []


def _class(name: str, stats: ClassStats) -> Iterator[str]:
    count = stats.count
    if not count:
        yield f"{name}: {stats.sent} calls, none answered"
        return
    span = stats.last - (stats.first or 0)
    rate = f", {count / span:.4g} a second" if span > 0 else ""
    waiting = f", {stats.unanswered} without an answer" if stats.unanswered else ""
    yield f"{name}: {count} answers in {seconds(span)}{rate}{waiting}"
    for code in sorted(stats.codes):
        number = stats.codes[code]
        label = f"code {code}" if code else "timeout"
        yield f"  {label:<10} {number:>9}  {100 * number / count:6.2f} %"
    for reason, number in sorted(stats.reasons.items()):
        yield f"  refused    {number:>9}  {100 * number / count:6.2f} %  {reason}"
    took = stats.took
    shares = "  ".join(f"p{share:g} {seconds(took.quantile(share / 100))}" for share in _SHARES)
    yield f"  latency    mean {seconds(took.mean)}  {shares}  max {seconds(took.most)}"


def _places(result: Result) -> list[str]:
    rows: list[tuple[str, str, dict[str, int]]] = []
    for service, servers in result.servers.items():
        if len(servers) == 1:
            rows.append((service, servers[0]["locality"], servers[0]["codes"]))
        elif len(servers) <= _MOST_SERVERS:
            rows += [(s["address"], s["locality"], s["codes"]) for s in servers]
        else:
            rows += _by_zone(service, servers)
    width = max((len(where) for where, _, _ in rows), default=0)
    return [
        f"{where:<{width}}  {sum(codes.values()):>9} calls"
        + (f"  {_codes(codes)}" if codes else "")
        + (f"  {zone}" if zone else "")
        for where, zone, codes in rows
    ]


def _by_zone(
    service: str, servers: list[dict[str, Any]]
) -> Iterator[tuple[str, str, dict[str, int]]]:
    zones: dict[str, dict[str, int]] = {}
    for server in servers:
        codes = zones.setdefault(server["locality"], {})
        for code, number in server["codes"].items():
            codes[code] = codes.get(code, 0) + number
    for zone, codes in zones.items():
        yield service, zone, codes


def _codes(codes: dict[str, int]) -> str:
    return ", ".join(f"{codes[code]} x {code}" for code in sorted(codes))


def _detection(result: Result) -> list[str]:
    """Say which rule of the first host was followed, where anybody may be ejected."""
    if not any(cluster["outlier"] for cluster in result.snapshot["clusters"]):
        return []
    if always_first(result.scenario.process.istio):
        return ["as in Istio up to 1.22: the first host always goes"]
    return ["as in Istio after 1.22: the first host keeps to maxEjectionPercent too"]


def _left_out(policy: Policy) -> list[str]:
    """Name what the policies say to client transports alone."""
    if any(route.retries for hosts in policy.declared for route in hosts.routes):
        return ["timeouts and retries of routes: client transports make them, and no load is one"]
    return []


def _rules(rules: list[dict[str, Any]]) -> list[str]:
    lines = []
    for rule in rules:
        name = f"{rule['kind']} {rule['namespace']}/{rule['name']}"
        if rule["rule"]:
            name += f" {rule['rule']}"
        place = f"({rule['file']}:{rule['line']})"
        if not rule["applies"]:
            lines.append(f"{name} {place}: does not apply: {rule['why_not']}")
            continue
        shadowed = f", would have refused {rule['shadowed']}" if rule["shadowed"] else ""
        lines.append(f"{name} {place}: {rule['hits']} hits, {rule['refused']} refused{shadowed}")
    return lines
