"""Circuit breaking: what an `ASMCircuitBreaker` becomes."""

import attrs

from trafficcore.errors import ConfigError
from trafficcore.spec.routes import Scope
from trafficcore.spec.source import Source

__all__ = ["BreakRule", "Response"]


@attrs.frozen(kw_only=True)
class Response:
    """A custom answer, sent as it is written here."""

    status: int = 503
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


@attrs.frozen(kw_only=True)
class BreakRule:
    """One entry of `spec.configs`; None switches a rule off. Times are seconds.

    Trips when, within `window`, `max_slow` calls took longer than `slow_after`, or the share of
    errors (5xx), or of gateway errors (502, 503, 504), reaches its percentage over at least
    `min_requests` calls. Open for `open_for`, then closed at once: there is no half-open.
    """

    source: Source
    scope: Scope
    window: float = 10
    open_for: float = 30
    slow_after: float | None = None
    max_slow: int | None = None
    error_percent: int | None = None
    gateway_error_percent: int | None = None
    min_requests: int = 0
    response: Response | None = None
    shadow: bool = False

    def __attrs_post_init__(self) -> None:
        for name in ("window", "open_for"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be above 0 s, not {getattr(self, name)!r}")

    @property
    def can_trip(self) -> bool:
        """Whether any rule is complete; a manifest may be valid and yet never trip."""
        slow = bool(self.max_slow) and self.slow_after is not None
        return slow or bool(self.error_percent) or bool(self.gateway_error_percent)
