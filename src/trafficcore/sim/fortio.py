"""A class of clients in the shape of fortio's JSON result, for its readers and its browser.

Times are seconds in the histogram and nanoseconds in the durations, as there. What fortio knows
and a simulation has not (addresses, sizes, sockets) is left out.
"""

from typing import Any

from trafficcore.sim.result import Result
from trafficcore.sim.stats import code_name

__all__ = ["fortio"]

_PERCENTILES = (50, 75, 90, 99, 99.9)


def fortio(result: Result, name: str) -> dict[str, Any]:
    """Return the result of one class."""
    stats = result.classes[name]
    load = next(load for load in result.scenario.loads if load.name == name)
    took, count = stats.took, stats.count
    span = stats.last - (stats.first or 0)
    duration = min(load.duration, result.scenario.duration - load.start)
    asked = load.segments[0].rate if len(load.segments) == 1 else "max"
    return {
        "RunType": "HTTP",
        "Labels": f"{result.scenario.name} {name}",
        "Version": "trafficcore simulation",
        "RequestedQPS": str(asked),
        "RequestedDuration": f"{duration:.12g}s",
        "ActualQPS": count / span if span > 0 else 0.0,
        "ActualDuration": round(span * 1e9),
        "NumThreads": load.clients or 1,
        "URL": f"{load.scheme}://{load.host}{load.path}",
        "RetCodes": {
            code_name(code) if code else "-1": stats.codes[code] for code in sorted(stats.codes)
        },
        "DurationHistogram": {
            "Count": took.count,
            "Min": took.least,
            "Max": took.most,
            "Sum": took.sum,
            "Avg": took.mean,
            "StdDev": took.deviation,
            "Data": _data(took.bars(), took.count),
            "Percentiles": [
                {"Percentile": share, "Value": took.quantile(share / 100)} for share in _PERCENTILES
            ],
        },
    }


def _data(bars: list[tuple[float, float, int]], count: int) -> list[dict[str, Any]]:
    data = []
    seen = 0
    for start, end, number in bars:
        seen += number
        data.append({"Start": start, "End": end, "Percent": 100 * seen / count, "Count": number})
    return data
