"""What a `Balancer` says of itself in the standard log: a line a change, nothing per call."""

import logging
from typing import Final

from trafficcore.core.outlier import Change, Ejected
from trafficcore.engine.events import DiscoveryFailed, EndpointsChanged, Event

__all__ = ["log", "log_change", "log_event"]

log: Final = logging.getLogger("trafficcore.balancer")


def log_change(name: str, change: Change) -> None:
    """Write one line of an ejection or a return."""
    who = f"{name}: {change.key.address}"
    if not isinstance(change, Ejected):
        log.info("%s returned", who)
        return
    what = f"{change.count} x {change.kind.value}"
    if change.until is None:
        log.warning("%s: %s, not ejected", who, what)
    else:
        log.warning("%s ejected for %.3g s: %s", who, change.until - change.at, what)


def log_event(name: str, event: Event) -> None:
    """Write one line of what a source of endpoints told, or failed to."""
    if isinstance(event, EndpointsChanged):
        joined, left = ", ".join(event.joined) or "nobody", ", ".join(event.left) or "nobody"
        log.info("%s: %s joined, %s left", name, joined, left)
    elif isinstance(event, DiscoveryFailed):
        log.warning("%s: endpoints stay as they were: %s", name, event.error)
    else:
        log.info("%s: endpoints are known again", name)
