"""A breaker's permit that settles once.

Source  the reference's rules R4 and R6.
"""

from typing import Any

from trafficcore.core.breaker import Flight

__all__ = ["Permit"]


class Permit:
    """The right to one call: end it with exactly one of its methods. A second one does nothing."""

    __slots__ = ("_owner", "era", "start")

    def __init__(self, owner: Any, era: int | Flight, start: float) -> None:
        self._owner = owner
        self.era = era
        #: When it was given, by the breaker's clock.
        self.start = start

    def success(self) -> None:
        """Say that the call came back."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.succeeded(self.era, self.start)

    def failure(self) -> None:
        """Say that the call failed by the service's fault."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.failed(self.era, self.start)

    def ignore(self) -> None:
        """Say that nobody can tell: it counts for nothing, but among such calls."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.ignore(self.era)

    def release(self) -> None:
        """Say that the call never ran, or was cancelled."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.release(self.era)

    def end(self, error: BaseException | None) -> None:
        """End it as a block ends that this error leaves."""
        owner, self._owner = self._owner, None
        if owner is None:
            return
        if error is None:
            owner.succeeded(self.era, self.start)
        else:
            owner.raised(self.era, self.start, error)
