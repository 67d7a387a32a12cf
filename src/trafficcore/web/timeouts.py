"""How long a client waits where nobody said so: without it a call that hangs never ends."""

from functools import lru_cache
from typing import Any, TypeAlias

import attrs

from trafficcore.errors import ConfigError

__all__ = ["DEFAULT", "Timeouts", "Timing", "least", "read_timeouts"]


@attrs.frozen
class Timeouts:
    """Seconds to wait for a connection, and for each piece of an answer; None: for ever."""

    connect: float | None = 5
    read: float | None = 30

    def __attrs_post_init__(self) -> None:
        for what in ("connect", "read"):
            seconds = getattr(self, what)
            if isinstance(seconds, bool) or (seconds is not None and not seconds > 0):
                raise ConfigError(f"the {what} timeout must be above 0 s, not {seconds!r}")

    @property
    def none(self) -> bool:
        """Whether nothing is timed."""
        return self.connect is None and self.read is None

    def within(self, most: float | None, connect: float | None = None) -> "Timeouts":
        """Return the same with no wait above `most`, nor that for a connection above `connect`."""
        if most is None and connect is None:
            return self
        return Timeouts(least(least(self.connect, connect), most), least(self.read, most))


def least(one: float | None, other: float | None) -> float | None:
    """Return the shorter of two waits, of which None is for ever."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


DEFAULT = Timeouts()
#: What `timeout=` takes: seconds for both, `(connect, read)`, or None for none.
Timing: TypeAlias = Timeouts | float | tuple[float | None, float | None] | None


def read_timeouts(given: Any) -> Timeouts:
    """Take timeouts as they are, as a pair or as one number; raises `ConfigError`."""
    try:
        return _read(given)
    except TypeError:  # a list, for instance: it cannot be looked up, and is none of these
        raise _odd(given) from None


@lru_cache(maxsize=256, typed=True)  # a client says the same with each call
def _read(given: Any) -> Timeouts:
    if isinstance(given, Timeouts):
        return given
    if isinstance(given, tuple) and len(given) == 2:
        return Timeouts(*given)
    if given is None or isinstance(given, (int, float)):
        return Timeouts(given, given)
    raise _odd(given)


def _odd(given: Any) -> ConfigError:
    return ConfigError(f"timeout must be seconds or (connect, read), not {given!r}")
