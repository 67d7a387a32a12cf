"""The one warning of a keyed limit that has no room for new keys."""

from typing import Any

__all__ = ["warn_of_overflow"]


def warn_of_overflow(what: str, machine: Any, now: float) -> bool:
    """Say in the log that new keys share one bucket, where they do; return whether it was said."""
    if not machine.overflowed:
        return False
    import logging

    logging.getLogger("trafficcore").warning(
        "%s: all %d keys are in use; new ones share one bucket",
        what,
        machine.snapshot(now)["max_keys"],
    )
    return True
