"""`Place`: where somebody who waits stands."""

import attrs

__all__ = ["Place"]


@attrs.frozen(kw_only=True)
class Place:
    """Where somebody who waits stands, if nobody comes or leaves.

    `position` is 1 for who is next. `wait` is None where nobody knows: calls end when they end.
    """

    position: int
    tokens_ahead: float
    wait: float | None
