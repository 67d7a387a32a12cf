"""The tries of one call, as a client's shell makes them: it sends and waits, this keeps the books.

Law    each try is admitted, counted in flight, and settled once, by itself; the one that is
       over is settled before the next begins. What is decided is `engine.retrying`'s.
State  the decision's, and the endpoints tried.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from trafficcore.engine import Facts, Rejection
from trafficcore.engine.elsewhere import cluster_of, move
from trafficcore.engine.retry_room import RetryRooms
from trafficcore.engine.retrying import Retrying
from trafficcore.spec import Retries
from trafficcore.web.call import LEAST_WAIT, Call, Verdict
from trafficcore.web.retry_after import read_retry_after

__all__ = ["Tries"]

_OVERLOADED: Final = "x-envoy-overloaded"
_RATELIMITED: Final = "x-envoy-ratelimited"
#: By this header a client says that a request may be sent twice.
_IDEMPOTENT: Final = "idempotency-key"


class Tries:
    """One call that may be tried again. `end` it, whatever happens."""

    __slots__ = ("_call", "_clock", "_make", "_policy", "_retrying", "_rooms", "_tried", "facts")

    def __init__(
        self,
        policy: Retries,
        facts: Facts,
        rooms: RetryRooms,
        make: Callable[..., Retrying],
        call: Callable[[Any], Call],
        clock: Callable[[], float],
    ) -> None:
        self.facts = facts
        self._policy = policy
        self._rooms = rooms
        self._make = make
        self._call = call
        self._clock = clock
        self._retrying: Retrying | None = None
        self._tried: list[Any] = []

    def begin(self, permit: Any) -> Call:
        """Begin a try: at an endpoint that the call has not been to, where there is one."""
        tried = self._tried
        if tried and self._policy.other_hosts:
            move(permit, tried)
            if permit.endpoint in tried:  # all of them: another round, not from the last one
                del tried[:-1]
                move(permit, tried)
        if permit.endpoint is not None:
            self._tried.append(permit.endpoint)
        cluster = cluster_of(permit)
        name = self.facts.host.lower() if cluster is None else cluster.name
        call = self._call(permit)
        room, call.stay = self._rooms.enter(name)
        if self._retrying is None:
            caps = None if cluster is None else cluster.membership.retry_caps
            self._retrying = self._make(room, may_repeat=self._may_repeat(), caps=caps)
        call.deadline = self._retrying.deadline
        return call

    def allowed(self) -> float | None:
        """Return how many seconds the next try may take; None: as many as it likes.

        Never none at all: to a socket that would mean not to wait.
        """
        if self._retrying is None:
            return None
        most = self._retrying.allowed(self._clock())
        return None if most is None else max(most, LEAST_WAIT)

    def answered(self, call: Call, status: int, headers: Mapping[str, str]) -> float | None:
        """Return how long to wait before the next try; None: this answer is the answer.

        Where there is to be another, this one is settled by its status.
        """
        retrying, policy = self._retrying, self._policy
        if retrying is None:
            return None
        if status < 400 and status not in policy.statuses and not policy.grpc:
            return retrying.answered(status, self._clock())  # headers would change nothing
        asked = headers.get("retry-after")
        wait = retrying.answered(
            status,
            self._clock(),
            replayable=_replayable(call),
            grpc_status=headers.get("grpc-status"),
            retry_after=None if asked is None else read_retry_after(asked, time.time()),
            overloaded=_OVERLOADED in headers,
            ratelimited=_RATELIMITED in headers,
        )
        if wait is not None:
            call.finish()
        return wait

    def failed(self, call: Call, verdict: Verdict | None) -> float | None:
        """Return how long to wait after a try without an answer; None: it was the last."""
        if self._retrying is None or verdict is None:
            return None
        return self._retrying.failed(verdict.fault, self._clock(), replayable=_replayable(call))

    def goes_on(self, verdict: Any) -> bool:
        """Whether the next try was let in. If not, what the last one ended with is the answer."""
        if verdict is None or isinstance(verdict, Rejection):
            if self._retrying is not None:
                self._retrying.refused()
            return False
        return True

    def end(self) -> None:
        """Leave nothing behind; a second time does nothing."""
        if self._retrying is not None:
            self._retrying.end()

    def _may_repeat(self) -> bool:
        methods = self._policy.methods
        return (
            self.facts.method in methods
            or "*" in methods
            or self.facts.headers.get(_IDEMPOTENT) is not None
        )


def _replayable(call: Call) -> bool:
    """Whether the request's body can be sent once more: it is in memory, or nobody asked for it."""
    return call.upload is None or not call.upload.begun
