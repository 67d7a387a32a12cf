"""Retries: what is tried again, how often, how soon, and how many at once. As Envoy has them.

A condition says what an answer, or its absence, must be to be tried again. `gateway-error` and
`5xx` count a try without an answer as well, `reset` counts that alone, whatever the reason.
"""

from collections.abc import Iterable
from math import inf
from typing import Final

import attrs

from trafficcore.errors import ConfigError

__all__ = ["CONDITIONS", "GRPC_CONDITIONS", "IDEMPOTENT", "Retries", "RetryCaps"]

#: The conditions of gRPC, each with the status it is about.
GRPC_CONDITIONS: Final = {
    "cancelled": "1",
    "deadline-exceeded": "4",
    "resource-exhausted": "8",
    "internal": "13",
    "unavailable": "14",
}
#: Every condition there is, as Envoy's `retry_on` names it.
CONDITIONS: Final = frozenset(
    (
        "5xx",
        "gateway-error",
        "reset",
        "connect-failure",
        "refused-stream",
        "retriable-4xx",
        "retriable-status-codes",
        "envoy-ratelimited",
        *GRPC_CONDITIONS,
    )
)
#: Methods of which two requests do what one does (RFC 9110, 9.2.2).
IDEMPOTENT: Final = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE"))
#: The longest interval, in intervals: Envoy's.
_TIMES: Final = 10


@attrs.frozen(kw_only=True)
class RetryCaps:
    """How many retries may be under way at once, for one service or host.

    `max_retries` of them at the most; or, with `budget_percent`, that share of the calls in
    flight, rounded down, and `min_retry_concurrency` however few there are (the budget then
    stands in the place of `max_retries`). Neither: any number. Raises `ConfigError`.
    """

    max_retries: int | None = None
    budget_percent: float | None = None
    min_retry_concurrency: int = 3

    def __attrs_post_init__(self) -> None:
        percent = self.budget_percent
        if percent is not None and not 0 <= percent <= 100:
            raise ConfigError(f"budget_percent must be from 0 to 100, not {percent!r}")
        for what in ("max_retries", "min_retry_concurrency"):
            count = getattr(self, what)
            if count is not None and (not isinstance(count, int) or count < 0):
                raise ConfigError(f"{what} must be a whole number from 0, not {count!r}")

    def most(self, active: int) -> float:
        """Return how many retries may be under way while `active` calls are."""
        if self.budget_percent is None:
            return inf if self.max_retries is None else self.max_retries
        share = self.budget_percent * active // 100
        least = self.min_retry_concurrency
        return share if share > least else least


def _words(on: str | int | Iterable[str | int]) -> tuple[str, ...]:
    """Take conditions as one text with commas, or one by one; numbers are statuses."""
    if isinstance(on, str):
        on = on.split(",")
    elif isinstance(on, int):
        on = (on,)
    return tuple(dict.fromkeys(text for word in on if (text := str(word).strip())))


def _methods(given: str | Iterable[str]) -> frozenset[str]:
    return frozenset(
        method.strip().upper() for method in (given.split(",") if isinstance(given, str) else given)
    )


@attrs.frozen
class Retries:
    """Up to `attempts` retries of a call that ended as one of the conditions `on` says.

    `on` is a text as in Envoy and Istio (`"gateway-error,connect-failure,429"`), or the words one
    by one; a number is a status to retry. `per_try_timeout` is how long one try may take to begin
    its answer, `timeout` how long all of them may, with the waits between and to the last byte. The
    wait before retry n is a draw from 0 to `base_interval` · 2ⁿ⁻¹, and never more than
    `max_interval` (None: ten times the base); what a `retry-after` asks for comes before it, and
    is not waited for if it is more than `max_retry_after`. `methods` are those that may be sent
    twice (`"*"`: all): others are retried where nothing was sent, or with an `idempotency-key`.
    `other_hosts` prefers endpoints that the call has not tried. `caps` bounds retries in all.
    Raises `ConfigError`.
    """

    attempts: int = 2
    on: tuple[str, ...] = attrs.field(
        default=("gateway-error", "connect-failure", "refused-stream"), converter=_words
    )
    per_try_timeout: float | None = attrs.field(default=None, kw_only=True)
    timeout: float | None = attrs.field(default=None, kw_only=True)
    base_interval: float = attrs.field(default=0.025, kw_only=True)
    max_interval: float | None = attrs.field(default=None, kw_only=True)
    max_retry_after: float = attrs.field(default=10, kw_only=True)
    methods: frozenset[str] = attrs.field(default=IDEMPOTENT, converter=_methods, kw_only=True)
    other_hosts: bool = attrs.field(default=True, kw_only=True)
    caps: RetryCaps = attrs.field(default=RetryCaps(budget_percent=20), kw_only=True)
    #: The statuses that `on` names by number.
    statuses: frozenset[int] = attrs.field(init=False, eq=False, repr=False)
    #: The gRPC statuses that `on` names.
    grpc: frozenset[str] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.attempts, int) or self.attempts < 0:
            raise ConfigError(f"attempts must be a whole number from 0, not {self.attempts!r}")
        for word in self.on:
            if word not in CONDITIONS and not (word.isdecimal() and 100 <= int(word) <= 599):
                known = ", ".join(sorted(CONDITIONS))
                raise ConfigError(f"on must be of {known}, or statuses, not {word!r}")
        for what in ("per_try_timeout", "timeout", "base_interval", "max_interval"):
            seconds = getattr(self, what)
            if seconds is not None and not 0 < seconds < inf:
                raise ConfigError(f"{what} must be above 0 s, not {seconds!r}")
        if not self.max_retry_after >= 0:
            raise ConfigError(f"max_retry_after must be from 0 s, not {self.max_retry_after!r}")
        if self.max_interval is not None and self.max_interval < self.base_interval:
            raise ConfigError(
                f"max_interval must be at least base_interval, not {self.max_interval!r}"
            )
        statuses = frozenset(int(word) for word in self.on if word not in CONDITIONS)
        grpc = frozenset(GRPC_CONDITIONS[word] for word in self.on if word in GRPC_CONDITIONS)
        object.__setattr__(self, "statuses", statuses)
        object.__setattr__(self, "grpc", grpc)

    @property
    def longest_interval(self) -> float:
        """The longest wait that is drawn from."""
        return self.base_interval * _TIMES if self.max_interval is None else self.max_interval
