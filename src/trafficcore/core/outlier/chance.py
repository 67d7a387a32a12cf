"""The two things left to chance: whether a detection is enforced, and the jitter."""

from collections.abc import Callable

from trafficcore.errors import ConfigError

__all__ = ["Chance"]


class Chance:
    """Draws from large random whole numbers, as Envoy does: by their remainder."""

    __slots__ = ("_draw",)

    def __init__(self, draw: Callable[[], int] | None) -> None:
        self._draw = draw

    def require(self, *, needed: bool) -> None:
        """Raise `ConfigError` where settings leave something to chance and there is no draw."""
        if needed and self._draw is None:
            raise ConfigError("draw must be given for jitter or partial enforcing, not None")

    def holds(self, percent: int) -> bool:
        """Say yes in that many cases of a hundred. All or none take no draw."""
        return percent >= 100 or (percent > 0 and self.below(100) < percent)

    def below(self, bound: int) -> int:
        """Return a whole number from 0, below `bound`."""
        return 0 if bound == 1 or self._draw is None else self._draw() % bound
