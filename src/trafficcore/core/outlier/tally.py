"""The hot record of one endpoint: what its calls came to, and what outlier detection made of it.

Law     A 5xx adds one to the run of 5xx; 502 to 504 add one to the run of gateway failures, any
        other 5xx ends that run; everything else ends both. A detector fires where its run
        *equals* its threshold: a run that went past it (its endpoint is out) is silent.
State   Three runs; successes and failures of the current interval and of the last one, for
        answers and for what failed on our side of the wire; the history of its ejections.
Cost    A few loads and stores an outcome, no lock.
Source  Envoy, `DetectorHostMonitorImpl`.  Twin: tests/model/outlier_log.py
"""

from collections.abc import Hashable
from typing import Any, ClassVar, Final

from trafficcore.core.nolock import NO_LOCK
from trafficcore.core.outlier.changes import Ejected
from trafficcore.core.outlier.settings import Settings

__all__ = ["FIRED_5XX", "FIRED_GATEWAY", "FIRED_LOCAL", "Tally"]

#: Bits of what `bad` and `local_bad` return.
FIRED_GATEWAY: Final = 1
FIRED_5XX: Final = 2
FIRED_LOCAL: Final = 4
_FIRED_BOTH: Final = FIRED_GATEWAY | FIRED_5XX


class Tally:
    """What one endpoint's calls came to. Made by `Ejector.add`; `key` is what its owner calls it.

    The hot methods count. When one returns something other than 0, a threshold is met and the
    owner passes it on: `ejector.detect(tally, now, fired)`.
    """

    ATOMIC: ClassVar[tuple[str, ...]] = ("good", "bad", "local_good", "local_bad", "turn")

    __slots__ = (
        "__weakref__",
        "_lock",
        "consecutive_5xx",
        "consecutive_gateway_failure",
        "consecutive_local_origin_failure",
        "edge_5xx",
        "edge_gateway",
        "edge_local",
        "ejected",
        "ejection",
        "failures",
        "jitter_ms",
        "key",
        "last_ejection",
        "last_failures",
        "last_local_failures",
        "last_local_successes",
        "last_successes",
        "last_unejection",
        "local_failures",
        "local_success_rate",
        "local_successes",
        "multiplier",
        "num_ejections",
        "present",
        "success_rate",
        "successes",
    )

    def __init__(self, key: Hashable, lock: Any = NO_LOCK) -> None:
        self.key = key
        self._lock = lock
        # The runs, and the lengths at which they fire (0: never).
        self.consecutive_5xx = self.consecutive_gateway_failure = 0
        self.consecutive_local_origin_failure = 0
        self.edge_5xx = self.edge_gateway = self.edge_local = 0
        # This interval.
        self.successes = self.failures = 0
        self.local_successes = self.local_failures = 0
        # The interval before it, settled; and the rates made of it, -1 where there is none.
        self.last_successes = self.last_failures = 0
        self.last_local_successes = self.last_local_failures = 0
        self.success_rate: float = -1
        self.local_success_rate: float = -1
        # What became of it.
        self.present = True
        self.ejected = False
        self.ejection: Ejected | None = None
        self.multiplier = 0
        self.num_ejections = 0
        self.jitter_ms = 0
        self.last_ejection: float | None = None
        self.last_unejection: float | None = None

    def __repr__(self) -> str:
        state = "ejected" if self.ejected else "in"
        return f"<Tally {self.key!r} {state}, {self.consecutive_5xx} 5xx in a row>"

    def arm(self, settings: Settings) -> None:
        """Set the lengths at which runs fire (0: never); runs past theirs stay silent."""
        self.edge_5xx = settings.consecutive_5xx
        self.edge_gateway = settings.consecutive_gateway_failure
        self.edge_local = settings.consecutive_local_origin_failure

    def good(self) -> None:
        """Count an answer that is no 5xx. *atomic*."""
        self.successes += 1
        self.consecutive_5xx = 0
        self.consecutive_gateway_failure = 0

    def bad(self, code: int) -> int:
        """Count a 5xx (500 to 599, which is not checked); return what fired. *atomic*."""
        gateway = 502 <= code <= 504
        self.failures += 1
        run = self.consecutive_5xx + 1
        self.consecutive_5xx = run
        if gateway:
            gateways = self.consecutive_gateway_failure + 1
            self.consecutive_gateway_failure = gateways
            if gateways == self.edge_gateway:
                return _FIRED_BOTH if run == self.edge_5xx else FIRED_GATEWAY
        else:
            self.consecutive_gateway_failure = 0
        return FIRED_5XX if run == self.edge_5xx else 0

    def local_good(self) -> None:
        """Count a connection that came about (where origins are split). *atomic*."""
        self.local_successes += 1
        self.consecutive_local_origin_failure = 0

    def local_bad(self) -> int:
        """Count a connection refused or timed out (split); return what fired. *atomic*."""
        self.local_failures += 1
        run = self.consecutive_local_origin_failure + 1
        self.consecutive_local_origin_failure = run
        return FIRED_LOCAL if run == self.edge_local else 0

    def turn(self) -> int:
        """Settle the interval and begin the next; return how many calls it had. *atomic*.

        No result is lost or counted twice: each count is read and zeroed in one run.
        """
        good = self.successes
        self.successes = 0
        bad = self.failures
        self.failures = 0
        local_good = self.local_successes
        self.local_successes = 0
        local_bad = self.local_failures
        self.local_failures = 0
        self.last_successes = good
        self.last_failures = bad
        self.last_local_successes = local_good
        self.last_local_failures = local_bad
        self.success_rate = -1
        self.local_success_rate = -1
        return good + bad + local_good + local_bad
