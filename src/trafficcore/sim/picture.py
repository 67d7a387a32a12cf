"""A run as a picture: answers, latencies and waiting over time, with what happened marked.

matplotlib is imported here alone, and draws without a display. The suffix of the file decides the
format. Times, metadata and identifiers are fixed, so that the same run gives the same file.
"""

from collections.abc import Iterable
from math import inf
from pathlib import Path
from typing import Any

from trafficcore.engine.events import BreakerChanged, EndpointEjected, EndpointReturned, Event
from trafficcore.errors import ConfigError
from trafficcore.sim.result import Result
from trafficcore.sim.stats import Series, code_name

__all__ = ["check_suffix", "picture"]

#: Told apart by those who do not see all colours (Okabe and Ito).
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442")
_GREY = "#6b6b6b"
_MOST_MARKS = 12
_SUFFIXES = (".png", ".svg", ".pdf")


def picture(result: Result, file: Path) -> None:
    """Draw a run; raises `ConfigError` for a suffix that is none of png, svg and pdf."""
    check_suffix(file)
    import matplotlib as mpl
    from matplotlib.figure import Figure  # without pyplot there is no state of anybody's to change

    panels = [_answers, _latency]
    if result.most_waiting:
        panels.append(_waiting)
    if len([zone for zone in result.zones if zone]) > 1:
        panels.append(_zones)
    settings: Any = {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "svg.hashsalt": "trafficcore",
        "axes.grid": True,
        "grid.color": "#e6e6e6",
        "axes.axisbelow": True,
    }
    with mpl.rc_context(settings):
        figure = Figure(figsize=(9, 1 + 2.1 * len(panels)), layout="constrained")
        axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)
        for panel, (axis,) in zip(panels, axes, strict=True):
            panel(result, axis)
            _mark(result, axis)
            highest = axis.dataLim.ymax
            axis.set_ylim(0, 1.08 * highest if 0 < highest < inf else 1)
        first, last = axes[0][0], axes[-1][0]
        first.set_title(result.scenario.name, loc="left", fontweight="bold", pad=28)
        _name_marks(result, first)
        last.set_xlabel("seconds of virtual time")
        last.set_xlim(0, result.end or result.scenario.duration)
        undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
        figure.savefig(file, dpi=120, metadata=undated.get(file.suffix.lower()))


def check_suffix(file: Path) -> None:
    """Raise `ConfigError` for a suffix that is none of a picture's."""
    if file.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"a picture ends in {', '.join(_SUFFIXES)}, not {file.suffix!r}")


def _answers(result: Result, axis: Any) -> None:
    colours = iter(_COLOURS * 10)
    lines = 0
    for name, stats in result.classes.items():
        for code in sorted(stats.over_time):
            times, values = _rate(stats.over_time[code], result)
            label = f"{name} {code_name(code)}" if len(result.classes) > 1 else code_name(code)
            axis.step(times, values, where="mid", label=label, color=next(colours), linewidth=1.4)
            lines += 1
    axis.set_ylabel("answers a second")
    if lines:
        _legend(axis)


def _latency(result: Result, axis: Any) -> None:
    for (name, stats), colour in zip(result.classes.items(), _COLOURS * 10, strict=False):
        counts = [0.0] * len(stats.took_over_time.bins)
        for series in stats.over_time.values():
            for at, number in enumerate(series.bins):
                counts[at] += number
        whole = max(1, int(result.end / result.width))
        found = [
            ((at + 0.5) * result.width, total / count)
            for at, (total, count) in enumerate(zip(stats.took_over_time.bins, counts, strict=True))
            if count and at < whole
        ]
        axis.plot(*_columns(found), label=name, color=colour, linewidth=1.4)
    axis.set_ylabel("mean latency, s")
    if len(result.classes) > 1:
        _legend(axis)


def _waiting(result: Result, axis: Any) -> None:
    axis.step(*_columns(result.waiting), where="post", color=_COLOURS[4], linewidth=1.4)
    axis.set_ylabel("waiting, at most")


def _zones(result: Result, axis: Any) -> None:
    for (zone, series), colour in zip(sorted(result.zones.items()), _COLOURS * 10, strict=False):
        times, values = _rate(series, result)
        axis.step(times, values, where="mid", label=zone or "(no zone)", color=colour)
    axis.set_ylabel("calls a second, by zone")
    _legend(axis)


def _legend(axis: Any) -> None:
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _columns(rows: Iterable[tuple[float, float]]) -> tuple[list[float], list[float]]:
    pairs = list(rows)
    return [at for at, _ in pairs], [value for _, value in pairs]


def _rate(series: Series, result: Result) -> tuple[list[float], list[float]]:
    """Return times and rates of all bins but the last, which is cut short by the end."""
    width, bins = result.width, list(series.bins)
    whole = max(1, int(result.end / width))
    bins = (bins + [0] * whole)[:whole]
    return [(at + 0.5) * width for at in range(whole)], [number / width for number in bins]


def _marked(result: Result) -> list[tuple[float, str]]:
    """Return what is marked: transitions, those at about the same time together."""
    groups: list[tuple[float, str, list[str]]] = []
    for event in result.events:
        found = _mark_of(event)
        if found is None:
            continue
        what, who = found
        if groups and groups[-1][1] == what and event.at - groups[-1][0] < result.end / 60:
            groups[-1][2].append(who)
        else:
            groups.append((event.at, what, [who]))
    return [
        (at, f"{len(who)} {what}" if len(who) > 1 else f"{who[0]} {what}".strip())
        for at, what, who in groups[:_MOST_MARKS]
    ]


def _mark_of(event: Event) -> tuple[str, str] | None:
    if isinstance(event, BreakerChanged):
        return event.after.replace("_", "-"), ""
    if isinstance(event, EndpointEjected) and event.enforced:
        return "out", event.address
    return ("back", event.address) if isinstance(event, EndpointReturned) else None


def _mark(result: Result, axis: Any) -> None:
    for at, _ in _marked(result):
        axis.axvline(at, color=_GREY, linewidth=0.8, linestyle=":")


def _name_marks(result: Result, axis: Any) -> None:
    """Write the names above the topmost panel, where no line runs."""
    for at, name in _marked(result):
        axis.annotate(
            name, (at, 1), xycoords=("data", "axes fraction"), xytext=(1, 2),
            textcoords="offset points", rotation=20, va="bottom", fontsize=7, color=_GREY,
        )  # fmt: skip
