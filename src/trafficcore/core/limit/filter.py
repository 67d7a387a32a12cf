"""LimitFilter: the answer an HTTP filter around a `LocalRateLimit` gives.

Law     Is the filter enabled for this request? Then decide. Allowed: pass. Refused, and enforced
        for this request: answer; not enforced: pass, with request headers that say so.
State   Counts of enabled, ok, rate_limited and enforced.
Cost    That of the decision.
Source  Envoy, http/local_ratelimit. Envoy's two percentages default to 0, ours to 100.
"""

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import attrs

from trafficcore.core.limit.descriptors import Descriptor, LocalRateLimit, Pool
from trafficcore.core.nolock import NO_LOCK
from trafficcore.errors import ConfigError

__all__ = ["Headers", "LimitAnswer", "LimitFilter"]

#: Header names and values, in order.
Headers: TypeAlias = tuple[tuple[str, str], ...]


@attrs.frozen(kw_only=True)
class LimitAnswer:
    """What becomes of a request.

    `status` and `body` are None where it passes; `headers` go on whatever response it gets,
    `request_headers` onto the request.
    """

    allowed: bool
    status: int | None = None
    body: str | None = None
    headers: Headers = ()
    request_headers: Headers = ()
    pool: Pool | None = None


class LimitFilter:
    """Applies a limiter to HTTP requests. `draw` gives numbers in [0, 1) for the percentages."""

    __slots__ = (
        "_body",
        "_draw",
        "_enabled",
        "_enforced",
        "_headers",
        "_lock",
        "_status",
        "_unenforced_headers",
        "_x_ratelimit",
        "limit",
        "stats",
    )

    def __init__(
        self,
        limit: LocalRateLimit,
        *,
        enabled: float = 100,
        enforced: float = 100,
        status: int = 429,
        body: str = "local_rate_limited",
        headers: Headers = (),
        unenforced_headers: Headers = (),
        x_ratelimit_headers: bool = False,
        draw: Callable[[], float] | None = None,
        lock: AbstractContextManager[Any] = NO_LOCK,
    ) -> None:
        for name, percent in (("enabled", enabled), ("enforced", enforced)):
            if not 0 <= percent <= 100:
                raise ConfigError(f"{name} must be a percentage from 0 to 100, not {percent!r}")
            if 0 < percent < 100 and draw is None:
                raise ConfigError(f"{name} of {percent!r} % needs a source of draws")
        self.limit = limit
        self._enabled = enabled
        self._enforced = enforced
        # Envoy: what is no error status cannot be a refusal's.
        self._status = status if status >= 400 else 429
        self._body = body
        self._headers = headers
        self._unenforced_headers = unenforced_headers
        self._x_ratelimit = x_ratelimit_headers
        self._draw = draw
        self._lock = lock
        self.stats = {"enabled": 0, "ok": 0, "rate_limited": 0, "enforced": 0}

    def answer(
        self, now: float, descriptors: Sequence[Descriptor] = (), connection: Hashable = None
    ) -> LimitAnswer:
        """Decide on one request. *Guarded*."""
        with self._lock:
            if not self._drawn(self._enabled):
                return LimitAnswer(allowed=True)
            self.stats["enabled"] += 1
            decision = self.limit.decide(now, descriptors, connection)
            pool = decision.pool
            headers = self._x_ratelimit_headers(pool, now)
            if decision.allowed:
                self.stats["ok"] += 1
                return LimitAnswer(allowed=True, headers=headers, pool=pool)
            self.stats["rate_limited"] += 1
            if not self._drawn(self._enforced):
                return LimitAnswer(
                    allowed=True,
                    headers=headers,
                    request_headers=self._unenforced_headers,
                    pool=pool,
                )
            self.stats["enforced"] += 1
            return LimitAnswer(
                allowed=False,
                status=self._status,
                body=self._body,
                headers=(("x-envoy-ratelimited", "true"), *self._headers, *headers),
                pool=pool,
            )

    def _drawn(self, percent: float) -> bool:
        return percent == 100 or (self._draw is not None and 100 * self._draw() < percent)

    def _x_ratelimit_headers(self, pool: Pool | None, now: float) -> Headers:
        """Return the draft-03 headers, on allowed and refused alike; none without a bucket."""
        if pool is None or not self._x_ratelimit:
            return ()
        return (
            ("x-ratelimit-limit", str(int(pool.fill.max_tokens))),
            ("x-ratelimit-remaining", str(pool.remaining(now))),
            ("x-ratelimit-reset", str(pool.reset_after(now))),
        )
