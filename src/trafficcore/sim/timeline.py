"""Transitions as lines of a timeline, in the words of the engine's own log."""

from collections.abc import Sequence

from trafficcore.engine.events import Event
from trafficcore.observe.log import describe

__all__ = ["line", "timeline"]


def line(event: Event) -> str:
    """Return an event as one line, without its time."""
    return describe(event)[1]


def timeline(events: Sequence[Event], more: int = 0, *, most: int = 40) -> list[str]:
    """Return the events as lines with their times; of many the first and the last."""
    shown = list(events)
    left_out = more
    if len(shown) > most:
        left_out += len(shown) - most
        shown = shown[: most // 2] + shown[-(most // 2) :]
    lines = [f"{event.at:10.3f} s  {line(event)}" for event in shown]
    if left_out:
        lines.insert(len(lines) if more else most // 2, f"{'':10}    … and {left_out} more")
    return lines
