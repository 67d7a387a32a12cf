"""`Pick`: one call's leave to use one endpoint, reported on once."""

from types import TracebackType
from typing import TYPE_CHECKING

from trafficcore.core.balance.endpoint import Endpoint
from trafficcore.core.outlier import Result
from trafficcore.errors import Rejected
from trafficcore.outcome import Outcome, Reason

if TYPE_CHECKING:
    from trafficcore.live.balancer import Balancer

__all__ = ["Pick"]


class Pick:
    """Where one call goes: `address`, `locality`, the `endpoint` itself.

    As a context manager it reports by itself: an exception is a failure, anything else a success,
    unless `fail` or `ignore` said otherwise; a cancelled call is no verdict. Where nobody can take
    the call the pick is false, and entering it raises `Rejected`.
    """

    __slots__ = ("_balancer", "_open", "_verdict", "endpoint", "retry_after")

    def __init__(
        self, balancer: "Balancer", endpoint: Endpoint | None, retry_after: float | None = None
    ) -> None:
        self.endpoint = endpoint
        #: Seconds until somebody may be back, where nobody is there (None: unknown).
        self.retry_after = retry_after
        self._open = endpoint
        self._balancer = balancer
        self._verdict: int | Outcome | None = None

    def __bool__(self) -> bool:
        return self.endpoint is not None

    def __repr__(self) -> str:
        return f"<Pick of {self.endpoint!r}>"

    @property
    def address(self) -> str:
        """Where the call goes, `host:port`."""
        return self._there().address

    @property
    def locality(self) -> str:
        """Which region, zone and sub-zone that is in."""
        return self._there().locality

    def fail(self, status: int = 500) -> None:
        """Have leaving the `with` report a failure of this status."""
        self._verdict = status

    def ignore(self) -> None:
        """Have leaving the `with` report nothing."""
        self._verdict = Outcome.IGNORED

    def __enter__(self) -> "Pick":
        self._there()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        verdict = self._verdict
        if verdict is None and error is not None:
            verdict = _verdict_of(error)
        if isinstance(verdict, Result):
            self._balancer.report(self, result=verdict)
        elif isinstance(verdict, Outcome):
            self._balancer.report(self, ok=None)
        else:
            self._balancer.report(self, status=verdict)

    def _there(self) -> Endpoint:
        if self.endpoint is None:
            raise Rejected(
                Reason.NO_HEALTHY_ENDPOINT,
                source=self._balancer.name,
                retry_after=self.retry_after,
            )
        return self.endpoint


def _verdict_of(error: BaseException) -> "Result | Outcome":
    """Say what an exception means for the endpoint: not reached, too slow, failed, or nothing."""
    if not isinstance(error, Exception):
        return Outcome.CANCELLED
    if isinstance(error, TimeoutError):
        return Result.TIMEOUT
    return Result.CONNECT_FAILED if isinstance(error, ConnectionError) else Result.EXT_FAILED
