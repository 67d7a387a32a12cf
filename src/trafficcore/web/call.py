"""One admitted call of a client: when it is over, and what its end says of the host.

Law    the status line is the verdict. Once headers are in, the call is settled by its status: at
       the last byte, or earlier if the caller closes the response, since what a caller does not
       want to read is no fault of the host and takes nothing back from a 503. A body that breaks
       is a failure. A call that is cancelled is no verdict, nor is a response that is dropped
       unread, unless its status was an error.
State  the permit; it settles once, however many of these ends come together.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from math import inf
from typing import Any, Final, NamedTuple

from trafficcore.engine.retry_room import Stay
from trafficcore.engine.retrying import Fault
from trafficcore.outcome import Outcome, classify
from trafficcore.web.grpc_status import status_of

__all__ = ["CONNECT", "OURS", "Call", "Upload", "Verdict", "verdict_of"]


class Verdict(NamedTuple):
    """What an exception says: of the host, as which status, and to whoever would try again."""

    outcome: Outcome | None
    status: int
    fault: Fault


CONNECT: Final = Verdict(Outcome.FAILURE, 503, Fault.CONNECT)
#: TLS may fail before or after something was sent.
_TLS: Final = Verdict(Outcome.FAILURE, 503, Fault.RESET)
_TIMEOUT: Final = Verdict(Outcome.FAILURE, 504, Fault.RESET)
#: A stream that is reset is a connection that failed, as Envoy's router has it.
_RESET: Final = Verdict(Outcome.FAILURE, 503, Fault.RESET)
_REFUSED: Final = Verdict(Outcome.FAILURE, 503, Fault.REFUSED)
OURS: Final = Verdict(Outcome.IGNORED, 0, Fault.OURS)
_NEVER_SENT: Final = Verdict(None, 0, Fault.OURS)
#: The shortest wait in seconds: to a socket none at all would mean not to wait.
LEAST_WAIT: Final = 0.001
#: HTTP/2's code for a stream that the server has not begun to work on.
_REFUSED_STREAM: Final = 7

#: What an exception says of the host, by the first name along its ancestry: the libraries' own
#: errors, and those of transports underneath that map nothing. All else is a reset.
_VERDICTS: Final[dict[str, Verdict]] = {
    "ConnectError": CONNECT,
    "ConnectTimeout": CONNECT,
    "ProxyError": CONNECT,
    "ConnectionRefusedError": CONNECT,
    "gaierror": CONNECT,
    "SSLError": _TLS,
    "PoolTimeout": _NEVER_SENT,  # no connection was free here: nothing went out
    "EmptyPoolError": _NEVER_SENT,
    "TrafficError": _NEVER_SENT,  # a refusal or a setting of ours
    "TimeoutException": _TIMEOUT,
    "Timeout": _TIMEOUT,
    "TimeoutError": _TIMEOUT,
    "UnsupportedProtocol": OURS,
    "LocalProtocolError": OURS,
    "InvalidURL": OURS,
    "InvalidSchema": OURS,
    "InvalidHeader": OURS,
    "StreamError": OURS,
    # what the caller gave cannot be made a request: a text that is no Latin-1, a body of numbers
    "TypeError": OURS,
    "ValueError": OURS,
    "AttributeError": OURS,
}


def verdict_of(error: Exception) -> Verdict:
    """Say what an exception of a client means."""
    for ancestor in type(error).__mro__:
        if ancestor.__name__ in _VERDICTS:
            return _VERDICTS[ancestor.__name__]
    return _REFUSED if _refused_stream(error) else _RESET


def _refused_stream(error: BaseException | None) -> bool:
    """Whether an error is of HTTP/2's REFUSED_STREAM: the event is what its cause was made of."""
    while error is not None:
        if any(getattr(part, "error_code", None) == _REFUSED_STREAM for part in error.args):
            return True
        error = error.__cause__
    return False


class Call:
    """A permit on its way: tell it what happens, and it settles at the first end it sees.

    `to_end` measures *slow* to the last byte instead of the response's start. `stay` is its place
    among the calls in flight, where retries go by their number; `judge` says what an exception of
    its library means. `deadline` is when its last byte must be there, `connect` the longest wait
    for its connection.
    """

    __slots__ = (
        "_clock",
        "_judge",
        "_over",
        "_to_end",
        "connect",
        "deadline",
        "permit",
        "stay",
        "upload",
    )

    def __init__(
        self,
        permit: Any,
        clock: Callable[[], float],
        *,
        to_end: bool,
        judge: Callable[[Exception], Verdict] = verdict_of,
    ) -> None:
        self.permit = permit
        self.upload: Upload | None = None
        self.stay: Stay | None = None
        self.deadline: float = inf
        self.connect: float | None = None
        self._over = False
        self._clock = clock
        self._judge = judge
        self._to_end = to_end

    def answered(self, status: int, grpc_status: str | None) -> None:
        """Note the response's headers."""
        status = status_of(status, grpc_status)
        if self._to_end:
            self.permit.status = status
        else:
            now = self._clock()
            self.permit.started(status, now)
            self.permit.landed(now)

    def left(self) -> float | None:
        """Return the seconds until its last byte must be there; None where nothing says when."""
        if self.deadline == inf:
            return None
        return max(self.deadline - self._clock(), LEAST_WAIT)

    def check(self, late: Callable[[], Exception]) -> None:
        """Raise what `late` makes if the call's time is over while its answer is still coming."""
        if self.deadline < inf and self._clock() >= self.deadline:
            raise late()

    def finish(self) -> None:
        """End the call by its status."""
        if not self._over:
            self._settle(None)

    def failed(self, error: BaseException) -> Verdict | None:
        """End the call by the exception that came instead of a response, or of more of it.

        Returns what it was taken for, None where it says nothing: the call was cancelled.
        """
        if not isinstance(error, Exception):  # cancelled, interrupted, the process is leaving
            self._settle(Outcome.CANCELLED)
            return None
        broken = self.upload is not None and self.upload.broken
        verdict = OURS if broken else self._judge(error)
        if verdict.outcome is None:
            self.give_back()
        else:
            # before any answer it is a failure of the way there, and not of what the host says
            local = not self.permit.status
            self._settle(verdict.outcome, verdict.status, local=local)
        return verdict

    def give_back(self) -> None:
        """Undo the call: it was never made."""
        self._leave()
        self.permit.give_back(self._clock())

    def dropped(self) -> None:
        """End a call whose response nobody holds any more; safe inside a collection.

        Whoever raises at a bad status may never touch its body: that status is a verdict all the
        same. A good answer of which nobody saw the end is none.
        """
        if not self._over:
            failed = classify(self.permit.status) is Outcome.FAILURE
            self._settle(None if failed else Outcome.CANCELLED)

    def _settle(self, outcome: Outcome | None, status: int = 0, *, local: bool = False) -> None:
        self._leave()
        self.permit.settle(outcome, self._clock(), status, local=local)

    def _leave(self) -> None:
        self._over = True  # who comes at the same moment finds that the permit is settled once
        if self.stay is not None:
            self.stay.leave()


class Upload:
    """A request body that is made while it is sent.

    `begun` once somebody has asked for it: it cannot be sent again then. `broken` once making it
    has failed.
    """

    def __init__(self, body: Any) -> None:
        self._body = body
        self.begun = False
        self.broken = False

    def __iter__(self) -> Iterator[bytes]:
        self.begun = True
        try:
            yield from self._body
        except Exception:
            self.broken = True
            raise

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun = True
        try:
            async for chunk in self._body:
                yield chunk
        except Exception:
            self.broken = True
            raise
