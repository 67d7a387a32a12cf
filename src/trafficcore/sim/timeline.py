"""Transitions as lines of a timeline, in the words of the engine's own log."""

from collections.abc import Sequence

from trafficcore.engine.events import Event
from trafficcore.observe.log import describe

__all__ = ["line", "timeline"]


def line(event: Event) -> str:
    """Return an event as one line, without its time."""
    return describe(event)[1]


def timeline(events: Sequence[Event], more: int = 0, *, most: int = 40) -> list[str]:
    """Return the events as lines with their times; of many the first and the last.

    `more` came after them and are only counted.
    """
    first, last = list(events), list[Event]()
    if len(first) > most:
        first, last = first[: most // 2], first[-(most // 2) :]
    lines = [f"{event.at:10.3f} s  {line(event)}" for event in first]
    if last:
        lines.append(f"{'':10}    … and {len(events) - len(first) - len(last)} more")
        lines += [f"{event.at:10.3f} s  {line(event)}" for event in last]
    if more:
        lines.append(f"{'':10}    … and {more} more after these")
    return lines
