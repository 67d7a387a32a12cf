"""`Retrying`: whether one call is tried again, and when. It decides; somebody else sends and waits.

Law     An answer is tried again if a condition names it, and never if it says `overloaded`, or
        `ratelimited` unless that was asked for. A try without an answer is a reset; where nothing
        was sent it may be a failure to connect, or a stream refused. What may have been done by
        the server is done again only if the method allows it, and nothing whose body is gone. Each
        decision uses up an attempt; then the time that is left, then the caps, have their say.
State   attempts left, the next interval, the deadline, the retry under way.
Cost    O(1) a decision; nothing where a call is good at once, but its entry.
Source  Envoy, retry_state_impl.cc, backoff_strategy.cc: full jitter, the interval doubled up to its
        maximum. Envoy does not look at methods; RFC 9110, 9.2.2 does.
"""

from collections.abc import Callable
from enum import Enum
from math import inf
from typing import Final

from trafficcore.engine.retry_room import RetryRoom, Stay
from trafficcore.spec import Retries, RetryCaps

__all__ = ["Fault", "Retrying"]

_GATEWAY: Final = frozenset((502, 503, 504))


class Fault(Enum):
    """What came in the place of an answer."""

    #: No connection: nothing was sent.
    CONNECT = "connect-failure"
    #: The server says that it has not begun: as good as nothing sent.
    REFUSED = "refused-stream"
    #: The answer broke off, or its wait ended: the server may have done what was asked.
    RESET = "reset"
    #: No fault of the way there or the host: the caller's, or a limit of the client's own.
    OURS = "ours"


class Retrying:
    """The tries of one call. Ask it after each; `end` when the call is over, whatever happened.

    `caps` stands in the place of the policy's own. `may_repeat` says that the request may be
    carried out twice, `draw` gives floats from 0 to below 1.
    """

    __slots__ = (
        "_caps",
        "_draw",
        "_interval",
        "_left",
        "_may_repeat",
        "_room",
        "_under_way",
        "deadline",
        "policy",
    )

    def __init__(
        self,
        policy: Retries,
        room: RetryRoom,
        now: float,
        *,
        may_repeat: bool,
        draw: Callable[[], float],
        caps: RetryCaps | None = None,
    ) -> None:
        self.policy = policy
        #: When all tries must be over, `inf`: no time is set.
        self.deadline = inf if policy.timeout is None else now + policy.timeout
        self._caps = policy.caps if caps is None else caps
        self._room = room
        self._draw = draw
        self._left = policy.attempts
        self._interval = policy.base_interval
        self._may_repeat = may_repeat
        self._under_way: Stay | None = None

    def allowed(self, now: float) -> float | None:
        """Return how long a try that begins now may take, None: as long as it likes."""
        left = self.deadline - now
        most = self.policy.per_try_timeout
        if most is not None and most < left:
            return most
        return None if left == inf else max(left, 0)

    def answered(
        self,
        status: int,
        now: float,
        *,
        replayable: bool = True,
        grpc_status: str | None = None,
        retry_after: float | None = None,
        overloaded: bool = False,
        ratelimited: bool = False,
    ) -> float | None:
        """Return how long to wait before the next try; None: this answer is the answer.

        The answer is told by its status and headers, `retry_after` in seconds. `replayable` says
        whether the request's body can be sent once more.
        """
        policy = self.policy
        on = policy.on
        if overloaded:
            wanted = False
        elif ratelimited:
            wanted = "envoy-ratelimited" in on
        else:
            wanted = (
                ("5xx" in on and 500 <= status <= 599)
                or ("gateway-error" in on and status in _GATEWAY)
                or ("retriable-4xx" in on and status == 409)
                or status in policy.statuses
                or (grpc_status is not None and grpc_status in policy.grpc)
            )
        return self._again(wanted, now, self._may_repeat and replayable, retry_after)

    def failed(self, fault: Fault, now: float, *, replayable: bool = True) -> float | None:
        """Return how long to wait after a try without an answer; None: it was the last."""
        on = self.policy.on
        wanted = fault is not Fault.OURS and (
            fault.value in on or "reset" in on or "5xx" in on or "gateway-error" in on
        )
        unsent = fault is Fault.CONNECT or fault is Fault.REFUSED
        return self._again(wanted, now, (unsent or self._may_repeat) and replayable, None)

    def refused(self) -> None:
        """Say that the next try was not let in: what the last one ended with is the answer."""
        self._room.refused += 1
        self.end()

    def end(self) -> None:
        """Leave the room; a second time does nothing."""
        stay, self._under_way = self._under_way, None
        if stay is not None:
            stay.leave()

    def _again(
        self, wanted: bool, now: float, safe: bool, retry_after: float | None
    ) -> float | None:
        room = self._room
        if self._under_way is not None and not wanted:
            room.success += 1  # as Envoy counts it: nothing that calls for another
        self.end()
        if not wanted:
            return None
        if not safe:
            room.unsafe += 1
            return None
        if self._left == 0:
            if self.policy.attempts:
                room.limit_exceeded += 1
            return None
        self._left -= 1
        wait = self._draw() * self._interval
        longest = self.policy.longest_interval
        self._interval = min(2 * self._interval, longest)
        asked = 0 if retry_after is None else retry_after
        if asked > self.policy.max_retry_after or now + asked + wait >= self.deadline:
            room.late += 1
            return None
        self._under_way = room.try_retry(self._caps)
        if self._under_way is None:
            room.overflow += 1
            return None
        room.retried += 1
        return asked + wait
