"""Local rate limits: what an `ASMLocalRateLimiter` becomes."""

import attrs

from trafficcore.errors import ConfigError
from trafficcore.spec.routes import RequestMatch, Scope
from trafficcore.spec.source import Source

__all__ = ["Limit", "LimitOverride", "RateLimitRule"]


@attrs.frozen(kw_only=True)
class Limit:
    """A token bucket and its answer: `quota` tokens fill evenly over `fill_interval` seconds.

    The bucket holds at most `quota` tokens and starts full (Envoy's continuous fill). A quota of
    0 refuses everything.
    """

    quota: int
    fill_interval: float
    status: int = 429
    body: str = "local_rate_limited"
    headers: tuple[tuple[str, str], ...] = ()
    per_connection: bool = False

    def __attrs_post_init__(self) -> None:
        if self.quota < 0:
            raise ConfigError(f"quota must be a whole number from 0, not {self.quota!r}")
        if not self.fill_interval > 0:
            raise ConfigError(f"fill_interval must be above 0 s, not {self.fill_interval!r}")


@attrs.frozen
class LimitOverride:
    """The limit for requests that match, used *instead* of the rule's own; the first one wins."""

    match: RequestMatch
    limit: Limit


@attrs.frozen(kw_only=True)
class RateLimitRule:
    """One entry of `spec.configs`.

    `shadow` counts and refuses nothing. `share` is `local`; or `host`, one bucket for all
    processes of a machine; or nothing, as the engine has been told.
    """

    source: Source
    scope: Scope
    limit: Limit
    overrides: tuple[LimitOverride, ...] = ()
    shadow: bool = False
    share: str = ""
