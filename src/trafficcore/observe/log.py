"""Transitions as lines of the standard log: what somebody reads at 3 a.m.

Each line names rule, file and line, counts, and until when. The logger is `trafficcore`; the event
itself rides along as `record.event`. Nothing is logged per request.
"""

import logging
from collections.abc import Sequence
from typing import Final

from trafficcore.engine.events import (
    BreakerChanged,
    DiscoveryFailed,
    DiscoveryRestored,
    EndpointEjected,
    EndpointReturned,
    EndpointsChanged,
    Event,
    ModeChanged,
    PolicyLoaded,
    QueueFull,
    Refusals,
    RuleRead,
    Unmatched,
)

__all__ = ["LOGGER", "describe", "log_event"]

#: Without a handler that swallows all: where an application sets no logging up, Python prints
#: warnings on standard error, and that no rule applies must not be said to nobody.
LOGGER: Final = logging.getLogger("trafficcore")


def describe(event: Event) -> tuple[int, str]:  # noqa: C901, PLR0911, PLR0912  # one line an event
    """Return the level and the line of an event."""
    match event:
        case RuleRead(source=source, about=about, why_not=""):
            return logging.INFO, f"{source}: applies to {about}"
        case RuleRead(source=source, why_not=why_not):
            return logging.INFO, f"{source}: does not apply: {why_not}"
        case PolicyLoaded(rules=rules, kept=kept, notices=notices, reload=reload):
            done = f"reloaded, {kept} kept their state" if reload else "loaded"
            what = f"{rules} rule{'s' * (rules != 1)} {done}"
            if event.idle:
                what += f", and none applies to this process: {event.idle}"
            tail = "".join(f"\n  {notice}" for notice in notices)
            level = logging.WARNING if notices or event.idle else logging.INFO
            return level, f"{what}{tail}"
        case BreakerChanged(source=source, before=before, after=after):
            counts = ", ".join(f"{key} {value}" for key, value in event.counts.items())
            why = f" by {event.reason}" if event.reason else ""
            until = "" if event.until is None else f", for {event.until - event.at:.3g} s"
            level = logging.WARNING if after == "open" else logging.INFO
            return level, f"{source}: {before} to {after}{why} ({counts}){until}"
        case EndpointEjected(source=source, cluster=cluster, address=address):
            verb = "would be ejected" if event.until is None else "ejected"
            span = "" if event.until is None else f", for {event.until - event.at:.3g} s"
            return logging.WARNING, (
                f"{source}: {address} of {cluster} {verb} by {event.kind}"
                f" ({event.count} in a row), ejection {event.ejections}{span}"
            )
        case EndpointReturned(source=source, cluster=cluster, address=address):
            return logging.INFO, f"{source}: {address} of {cluster} returned"
        case EndpointsChanged(cluster=cluster, joined=joined, left=left):
            parts = [f"{verb} {', '.join(them)}" for verb, them in _changes(joined, left)]
            return logging.INFO, f"endpoints of {cluster}: {'; '.join(parts)}"
        case DiscoveryFailed(cluster=cluster, error=error):
            return logging.WARNING, f"endpoints of {cluster} stay as they were: {error}"
        case DiscoveryRestored(cluster=cluster):
            return logging.INFO, f"endpoints of {cluster} are known again"
        case Refusals(source=source, reason=reason, count=count):
            verb = "refused" if event.enforced else "would have refused"
            span = f" in {event.at - event.since:.3g} s" if event.at > event.since else ""
            return logging.WARNING, f"{source}: {verb} {count}{span} ({reason.value})"
        case QueueFull(source=source, waiting=waiting):
            return logging.WARNING, f"{source}: queue full with {waiting} waiting"
        case Unmatched(count=count, host=host):
            return logging.WARNING, (
                f"{count} requests met no rule, the last for Host {host!r}:"
                " is it missing from hosts=?"
            )
        case ModeChanged(before=before, after=after):
            return logging.WARNING, f"mode {before} to {after}"
        case _:
            return logging.INFO, str(event)


def _changes(joined: Sequence[str], left: Sequence[str]) -> list[tuple[str, Sequence[str]]]:
    """Return what happened to the addresses; where none came or went, they are described anew."""
    told = [(verb, them) for verb, them in (("joined", joined), ("left", left)) if them]
    return told or [("the same addresses, with", ("other localities, weights or labels",))]


def log_event(event: Event) -> None:
    """Log one event; the engine's default listener."""
    level, line = describe(event)
    LOGGER.log(level, line, extra={"event": event})
