"""`Pick`: one call's leave to use one endpoint, reported on once."""

from collections.abc import Iterable
from math import inf, isfinite
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from trafficcore.core.balance.endpoint import Endpoint
from trafficcore.core.outlier import Result
from trafficcore.errors import Rejected
from trafficcore.outcome import Outcome, Reason

if TYPE_CHECKING:
    from trafficcore.live.balancer import Balancer

__all__ = ["NoPick", "Pick", "nobody"]


class Pick:
    """Where one call goes: `address`, `locality`, the `endpoint` itself.

    As a context manager it reports by itself: an exception is a failure, anything else a success,
    unless `fail` or `ignore` said otherwise; a cancelled call is no verdict. Where nobody can take
    the call the pick is false, and entering it raises `Rejected`.
    """

    __slots__ = ("_balancer", "_open", "_verdict", "endpoint")

    def __init__(self, balancer: "Balancer", endpoint: Endpoint) -> None:
        self._balancer = balancer
        self._open: Endpoint | None = endpoint
        self._verdict: int | Outcome | None = None
        self.endpoint: Endpoint = endpoint

    def __repr__(self) -> str:
        return f"<Pick of {self.address}>"

    @property
    def address(self) -> str:
        """Where the call goes, `host:port`."""
        return self.endpoint.address

    @property
    def locality(self) -> str:
        """Which region, zone and sub-zone that is in."""
        return self.endpoint.locality

    def fail(self, status: int = 500) -> None:
        """Have leaving the `with` report a failure of this status."""
        self._verdict = status

    def ignore(self) -> None:
        """Have leaving the `with` report nothing."""
        self._verdict = Outcome.IGNORED

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        verdict: int | Outcome | Result | None = self._verdict
        if verdict is None and error is not None:
            verdict = _verdict_of(error)
        if verdict is None:
            self._balancer.report(self)
        elif isinstance(verdict, Result):
            self._balancer.report(self, result=verdict)
        elif isinstance(verdict, Outcome):
            self._balancer.report(self, ok=None)
        else:
            self._balancer.report(self, status=verdict)


class NoPick(Pick):
    """Nobody can take the call; `retry_after` seconds on somebody may be back (None: unknown)."""

    __slots__ = ("retry_after",)

    def __init__(self, balancer: "Balancer", retry_after: float | None) -> None:
        self._balancer = balancer
        self._open = None
        self._verdict = None
        self.retry_after = retry_after

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "<Pick of nobody>"

    def __enter__(self) -> Self:
        raise self._refusal()

    def __getattr__(self, name: str) -> Any:
        if name == "endpoint":  # the one thing a pick has that this one lacks
            raise self._refusal()
        raise AttributeError(name)

    def _refusal(self) -> Rejected:
        return Rejected(
            Reason.NO_HEALTHY_ENDPOINT, source=self._balancer.name, retry_after=self.retry_after
        )


def nobody(balancer: "Balancer", endpoints: Iterable[Endpoint], now: float) -> NoPick:
    """Return the pick that stands for none, and when the first of the ejected may be back."""
    back = [
        tally.ejection.until
        for tally in [endpoint.tally for endpoint in endpoints]
        if tally is not None and tally.ejected
    ]
    first = min((until for until in back if until is not None), default=inf)
    return NoPick(balancer, max(0, first - now) if isfinite(first) else None)


def _verdict_of(error: BaseException) -> "Result | Outcome":
    """Say what an exception means for the endpoint: not reached, too slow, failed, or nothing."""
    if not isinstance(error, Exception):
        return Outcome.CANCELLED
    if isinstance(error, TimeoutError):
        return Result.TIMEOUT
    return Result.CONNECT_FAILED if isinstance(error, ConnectionError) else Result.EXT_FAILED
