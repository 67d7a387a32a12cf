"""`LoadBucket`: a bucket whose rate is a share of what comes, as little as latencies ask for.

Law    every `EVERY` seconds the mean latency of the good calls of the last `WINDOW` seconds is
       held against `tolerance` times the mean of the last `long_window` (read anew every
       `long_step`), and a `Gradient` says which multiple of the tokens that came a second in that
       window goes on; the bucket holds one second of it. Everything passes until the window has
       filled once, again after it has been silent, and while the gradient says so.
State  what came, what was let by, latencies of the two windows and of each workload; the bucket.
Cost   that of the bucket; O(slots) every `EVERY` seconds.
Source Aperture's load scheduler under its AIMD controller, and the average latency policy of ASM.
"""

from math import inf
from typing import Any, ClassVar, Final

import attrs

from trafficcore.core.fair import QuotaQueue, TokenBucket
from trafficcore.core.load.gradient import Gradient
from trafficcore.core.load.recent import Recent
from trafficcore.errors import ConfigError

__all__ = ["EVERY", "WINDOW", "LoadBucket", "LoadQueue", "LoadSettings"]

#: Seconds between two looks, and seconds that they look back.
EVERY: Final = 10
WINDOW: Final = 30
#: What a workload's requests cost is their mean latency of so many seconds, in slots of these.
_COSTS: Final = 1800
#: After so many looks without a call none sees anything: the last alone counts.
_SILENT: Final = WINDOW // EVERY + 1
_COST_SLOT: Final = 30


@attrs.frozen(kw_only=True)
class LoadSettings:
    """When latencies are too long, and what is done then. Seconds."""

    slope: float = -1
    min_gradient: float = 0.1
    max_gradient: float = 1
    increment: float = 0.025
    max_multiplier: float = 2
    tolerance: float = 1.25
    long_window: float = 1800
    long_step: float = 30

    def __attrs_post_init__(self) -> None:
        if not self.tolerance > 0:
            raise ConfigError(f"tolerance must be above 0, not {self.tolerance!r}")
        if not 0 < self.long_step <= self.long_window:
            raise ConfigError(
                f"long_step must be above 0 s and at most {self.long_window!r} s,"
                f" not {self.long_step!r}"
            )

    def gradient(self) -> Gradient:
        """Return a controller that begins by letting everything pass."""
        return Gradient(
            slope=self.slope,
            least=self.min_gradient,
            most=self.max_gradient,
            increment=self.increment,
            open_at=self.max_multiplier,
        )


class LoadBucket(TokenBucket):
    """The budget of a `LoadQueue`. Held under its owner's lock."""

    __slots__ = (
        "_accepted", "_began", "_costs", "_gradient", "_incoming", "_long", "_long_at", "_look",
        "_mean", "_settings", "_short", "estimates", "open",
    )  # fmt: skip

    def __init__(self, settings: LoadSettings) -> None:
        super().__init__(0.0, 0.0)
        self.plain = False
        #: Whether everything passes.
        self.open = True
        #: What a request of each workload has cost lately, its mean latency in milliseconds.
        self.estimates: dict[str, float] = {}
        self._settings = settings
        self._gradient = settings.gradient()
        self._incoming, self._accepted, self._short = (Recent(WINDOW) for _ in range(3))
        self._long = Recent(int(settings.long_window // settings.long_step), settings.long_step)
        self._costs: dict[str, Recent] = {}
        #: The mean of the long window, and the slot at which it was read.
        self._mean: Any = None
        self._long_at: int | None = None
        #: The second at which the first request came, since the last silence.
        self._began: int | None = None
        #: The number of the last look.
        self._look: int | None = None

    @property
    def multiplier(self) -> Any:
        """Which multiple of what came goes on; None: everything passes."""
        return self._gradient.multiplier

    def offer(self, now: float, cost: float) -> None:
        """Note a request that has come, whatever becomes of it."""
        self.look(now)
        if self._began is None:
            self._began = int(now // 1)
        self._incoming.add(now, cost)

    def record(self, now: float, latency: float) -> None:
        """Note how long a good call took."""
        self.look(now)
        self._short.add(now, latency)
        self._long.add(now, latency)

    def record_cost(self, workload: str, now: float, latency: float) -> None:
        """Note how long a good call of a workload took."""
        self.look(now)
        costs = self._costs.get(workload)
        if costs is None:
            costs = self._costs[workload] = Recent(_COSTS // _COST_SLOT, _COST_SLOT)
        costs.add(now, latency)

    def take(self, now: float, cost: float) -> int:
        """Take the tokens if they are there, or if everything passes."""
        self.look(now)
        if not self.open:
            return super().take(now, cost)
        self._accepted.add(now, cost)
        return 1

    def refund(self, now: float, cost: float) -> None:
        """Put tokens in, never above capacity; what is below 0 is drawn, and so let by."""
        self.look(now)
        self._accepted.add(now, -cost)
        if not self.open:
            super().refund(now, cost)

    def solvent(self, now: float) -> bool:
        """Whether nothing is owed, or everything passes."""
        self.look(now)
        return self.open or super().solvent(now)

    def earliest(self, cost: float) -> Any:
        """Return when the level reaches `cost`, or when the rate may change before that."""
        if self.open:
            return -inf
        return self._before_look(super().earliest(cost))

    def supplied(self, now: float, amount: float) -> Any:
        """Return when `amount` has been there to take, or when the rate may change before that."""
        return now if self.open else self._before_look(super().supplied(now, amount))

    def _before_look(self, due: Any) -> Any:
        look = inf if self._look is None else (self._look + 1) * EVERY
        return look if due is None or due > look else due

    def look(self, now: float) -> None:
        """See whether too much comes, if it is time to; each look in turn, however late."""
        look = int(now // EVERY)
        last = self._look
        if last is None:
            self._look = look
            return
        while last < look:
            last = last + 1 if look - last <= _SILENT else look
            self._look = last
            self._look_at(last * EVERY)

    def _look_at(self, second: int) -> None:
        self._read_long(second)
        came, tokens = self._incoming.before(second)
        if not came:
            self._began = None
        passed = self._accepted.before(second)[1]
        observed = min(1, max(0, passed / tokens)) if tokens else 1
        setpoint = None if self._mean is None else self._mean * self._settings.tolerance
        multiplier = self._gradient.update(self._short.mean(second), setpoint, observed)
        learning = self._began is None or second - self._began < WINDOW
        share = None if learning or multiplier is None else tokens / WINDOW * multiplier
        self._set(second, share)
        self._estimate(second)

    def _read_long(self, second: int) -> None:
        at = self._long.at(second)
        if at != self._long_at:
            self._long_at = at
            self._mean = self._long.mean(at)

    def _estimate(self, second: int) -> None:
        at = int(second // _COST_SLOT)
        for workload, costs in list(self._costs.items()):
            mean = costs.mean(at)
            if mean:
                self.estimates[workload] = mean * 1000
            elif workload in self.estimates:  # nothing for as long as anybody looks back
                del self.estimates[workload], self._costs[workload]

    def _set(self, now: float, rate: float | None) -> None:
        """Go on at this rate; None: everything passes. A bucket that closes begins full."""
        was_open, self.open = self.open, rate is None
        if rate is None:
            self.dry = False
            return
        level = rate if was_open else min(self.level(now), rate)
        self.rate, self.fill_amount, self.capacity = rate, rate, rate
        self.floor = -min(rate, 1) / 1024
        self.tokens, self.last = level, now
        self.dry = not rate


class LoadQueue(QuotaQueue):
    """A quota's queue that notes what comes and how long the calls take. *Guarded*."""

    ATOMIC: ClassVar[tuple[str, ...]] = ()
    __slots__ = ()

    def __init__(self, settings: LoadSettings, **more: Any) -> None:
        super().__init__(LoadBucket(settings), **more)

    @property
    def estimates(self) -> dict[str, float]:
        """What a request of each workload has cost lately; those that are not in it are new."""
        found: dict[str, float] = self._budget.estimates
        return found

    def record(self, now: float, latency: float) -> None:
        """Note how long a good call took."""
        with self._lock:
            self._budget.record(now, latency)

    def record_cost(self, workload: str, now: float, latency: float) -> None:
        """Note how long a good call of a workload took."""
        with self._lock:
            self._budget.record_cost(workload, now, latency)

    def snapshot(self, now: float) -> dict[str, Any]:
        """Return the queue's state, the rate in force and the multiplier as plain data."""
        with self._lock:
            budget = self._budget
            budget.look(now)
            shed = {"multiplier": budget.multiplier, "passes": budget.open, "rate": budget.rate}
            return {**super().snapshot(now), **shed}

    def _acquire_guarded(self, now: float, cost: float) -> int:
        with self._lock:
            self._budget.offer(now, cost)
            return super()._acquire_guarded(now, cost)
