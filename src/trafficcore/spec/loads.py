"""Load that grows step by step: what a `LoadRampingPolicy` becomes."""

import attrs

from trafficcore.errors import ConfigError
from trafficcore.spec.quotas import QuotaSelector
from trafficcore.spec.routes import Direction
from trafficcore.spec.source import Source

__all__ = ["RampDriver", "RampRule"]


@attrs.frozen(kw_only=True)
class RampDriver:
    """Whose mean latency moves a ramp, and at how many seconds; None: never in that way."""

    selectors: tuple[QuotaSelector, ...] = (QuotaSelector(),)
    forward: float | None = None
    backward: float | None = None
    reset: float | None = None


@attrs.frozen(kw_only=True)
class RampRule:
    """One policy: of the requests it selects a share goes on, which grows step by step.

    `steps` are (percentage, seconds). `session` names the label whose values keep their answer; ""
    is none. A ramp that is not started holds, one with `reset` is at its first step. `direction`
    overrules the control points, those of the drivers too.
    """

    source: Source
    namespace: str
    steps: tuple[tuple[float, float], ...]
    drivers: tuple[RampDriver, ...] = ()
    started: bool = True
    reset: bool = False
    session: str = ""
    denied_status: int = 403
    labels: tuple[tuple[str, str], ...] = ()
    direction: Direction | None = None
    gateway: bool | None = None
    selectors: tuple[QuotaSelector, ...] = (QuotaSelector(),)
    shadow: bool = False

    def __attrs_post_init__(self) -> None:
        if not self.steps:
            raise ConfigError("steps must name at least one target")
        for percent, seconds in self.steps:
            if not 0 <= percent <= 100:
                raise ConfigError(f"a step must be from 0 to 100 %, not {percent!r}")
            if not seconds >= 0:
                raise ConfigError(f"a step must last from 0 s, not {seconds!r}")
