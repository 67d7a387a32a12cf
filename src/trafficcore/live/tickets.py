"""A quota's queue as a driver drives it, and the refusal of one who did not get his turn."""

from collections.abc import Callable
from math import inf
from typing import Any

from trafficcore.core.fair import Waiter
from trafficcore.errors import Rejected
from trafficcore.outcome import Reason

__all__ = ["Tickets", "refusal"]


class Tickets:
    """A waiter is a ticket; its verdict is what `grant` makes of it, or a reason."""

    __slots__ = ("_grant", "_queue", "cancel", "next_deadline")

    def __init__(self, queue: Any, grant: Callable[[Waiter], Any]) -> None:
        self._queue = queue
        self._grant = grant
        self.cancel = queue.cancel
        self.next_deadline = queue.next_deadline

    def poll(self, now: float) -> list[tuple[Any, Any]]:
        """Return the waiters whose wait is over, each with its verdict."""
        grant = self._grant
        return [(waiter, waiter.reason or grant(waiter)) for waiter in self._queue.poll(now)]


def refusal(queue: Any, waiter: Waiter, now: float, source: str) -> Rejected:
    """Return what one who was refused, or ran out of time, is told."""
    at = queue.retry_at(now, waiter.cost)
    after = None if at is None or at == inf else max(0, at - now)
    reason = waiter.reason or Reason.QUEUE_TIMEOUT
    return Rejected(reason, source=source, retry_after=after)
