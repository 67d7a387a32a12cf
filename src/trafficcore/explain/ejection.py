"""What outlier detection means: who goes, after what, for how long, and how many at once."""

from collections.abc import Iterator
from typing import Final

from trafficcore.core.outlier import Kind, Settings
from trafficcore.engine.istio_outlier import envoy_settings
from trafficcore.explain.meaning import Meaning
from trafficcore.explain.room import detectors, ejection_times, fewest_hosts, most_out
from trafficcore.explain.words import count, ordinal, span
from trafficcore.spec import OutlierDetection

__all__ = ["ejected_after", "ejection_meanings", "out_for"]

_WORDS: Final = {
    Kind.CONSECUTIVE_5XX: ("ejection", "5xx"),
    Kind.CONSECUTIVE_GATEWAY_FAILURE: ("gateway ejection", "502, 503 or 504"),
    Kind.CONSECUTIVE_LOCAL_ORIGIN_FAILURE: ("local ejection", "call without an answer"),
}


def ejected_after(settings: Settings) -> str:
    """Say in a phrase what ejects an endpoint."""
    runs = [f"{run} in a row: {_WORDS[kind][1]}" for kind, run in detectors(settings).items()]
    return "; ".join(runs) or "nothing"


def out_for(settings: Settings) -> str:
    """Say in a phrase how long an endpoint is out."""
    first, second = ejection_times(settings, 2)
    if first == second:
        return span(first)
    return f"{span(first)}, then {span(second)} to {span(settings.max_ejection_time)}"


def ejection_meanings(
    spec: OutlierDetection | None, hosts: int | None, istio: str | None = None
) -> Iterator[Meaning]:
    """Yield what `outlierDetection` means; `hosts` is how many there are, if that is known.

    `istio` is the version whose rule of the first host holds, None: the newest.
    """
    if spec is None:
        yield Meaning("ejection", "none", "Nobody is ejected: there is no outlierDetection.")
        return
    settings, panic = envoy_settings(spec, istio=istio)
    runs = detectors(settings)
    if not runs:
        yield Meaning("ejection", "none", "Nobody is ejected: every detector is switched off.")
        return
    for kind, run in runs.items():
        key, what = _WORDS[kind]
        ending = "any" if kind is Kind.CONSECUTIVE_LOCAL_ORIGIN_FAILURE else "any other"
        text = f"An endpoint is ejected at its {ordinal(run)} {what} in a row; {ending} answer ends"
        yield Meaning(key, f"{run} in a row: {what}", f"{text} the run, and time does not.")
    yield _local(settings)
    yield from _times(settings)
    yield _most(settings, hosts)
    yield _panic(panic)


def _local(settings: Settings) -> Meaning:
    if settings.split_external_local_origin_errors:
        text = "Failed connections and timeouts are counted by themselves, not as 5xx."
        return Meaning("local failures", "by themselves", text)
    text = "A failed connection counts as 503, a timeout as 504; 4xx are no failures."
    return Meaning("local failures", "as 5xx", text)


def _times(settings: Settings) -> Iterator[Meaning]:
    first, second, third = ejection_times(settings, 3)
    longest, sweep = settings.max_ejection_time, span(settings.interval)
    text = f"It is out for {span(first)}, rounded up to the next sweep, every {sweep}"
    if second > first:
        text += f"; the second time {span(second)}"
        text += f", the third {span(third)}" if third > second else ""
        text += f", at most {span(longest)}; each sweep after its return takes one step off"
    yield Meaning("ejection time", out_for(settings), f"{text}.")
    yield Meaning("sweep", sweep)


def _most(settings: Settings, hosts: int | None) -> Meaning:
    percent, fewest = settings.max_ejection_percent, fewest_hosts(settings)
    value = f"{percent} %"
    text = f"At most {value} of the hosts are out at once"
    if settings.always_eject_one_host:
        text += "; the first always goes, as in Istio up to 1.22"
    elif fewest > 1:
        text += f": with fewer than {fewest} hosts none ever is, as in Istio after 1.22"
    if hosts is not None:
        most = most_out(settings, hosts)
        value += f", {most} of {count(hosts, 'host')}"
        text += f"; of {count(hosts, 'host')} at most {most}"
    return Meaning("most hosts out", value, f"{text}.")


def _panic(threshold: int) -> Meaning:
    if not threshold:
        text = "Panic is off: with every endpoint out, calls are refused 503 no healthy upstream."
        return Meaning("panic", "off", text)
    value = f"below {threshold} %"
    text = (
        f"Panic: where fewer than {threshold} % of a level's endpoints are healthy and the levels"
        " together cannot take every call, those that are out are called again."
    )
    return Meaning("panic", value, text)
