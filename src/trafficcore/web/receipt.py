"""`Receipt`: what a request has paid, limit by limit; what is left, and what it really cost.

One for each request, kept in its scope or environ under `LIMITS`: the first gate that it passes
makes it, every later one adds to it, and whoever refuses it further in gives back what is on it.
So the limits in front of an application and those on a route are one verdict, all or nothing.
"""

from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final, Self

from trafficcore.errors import ConfigError

if TYPE_CHECKING:
    from trafficcore.live.gauge import Gauge
    from trafficcore.web.limits import Met

__all__ = ["LIMITS", "Receipt", "receipt_of"]

#: The key of the receipt in an ASGI scope, a WSGI environ and Django's `META`.
LIMITS: Final = "trafficcore.limits"


class Receipt:
    """The limits that a request has met so far: `met`, in this order.

    Those that an engine's manifests set it are `declared`, where somebody tells of them: their
    engine takes what they cost and gives it back.
    """

    __slots__ = ("clock", "declared", "met")

    clock: Callable[[], float]
    met: "Met"
    declared: "tuple[tuple[Gauge, str, float], ...]"

    def begin(self, met: "Met", clock: Callable[[], float]) -> Self:
        """Fill in a receipt that has just been made; the shells, which make many, write this out.

        There is no `__init__`: making an object and filling it in costs less without one.
        """
        self.met = met
        self.declared = ()
        self.clock = clock
        return self

    @property
    def told(self) -> "tuple[tuple[Gauge, str, float], ...]":
        """Every limit that headers tell of."""
        return (*self.met, *self.declared)

    def remaining(self, name: str = "") -> int | None:
        """Return how many whole tokens a limit has left for this caller; None: it was not met.

        Without a name, of the limit that has the fewest.
        """
        now = self.clock()
        left = [gauge.left(key, now)[0] for gauge, key, _ in self.told if name in ("", gauge.name)]
        return min(left, default=None)

    def correct(self, actual: float, name: str = "") -> None:
        """Have the request pay `actual` in place of its cost, which was an estimate.

        Less comes back, and 0 gives all of it back; more is taken at once, and is a debt where it
        is not there. The name may be left out where one limit was met; where several were, that is
        a `ConfigError`. A limit that the request did not meet has nothing to correct.
        """
        rows = [at for at, row in enumerate(self.met) if name in ("", row[0].name)]
        names = dict.fromkeys(self.met[at][0].name for at in rows)
        if len(names) > 1:
            known = ", ".join(map(repr, names))
            raise ConfigError(f"correct() needs the name of one of the limits met: {known}")
        for at in rows:  # one, or a row for each key where the limit had several
            bound, key, paid = self.met[at]
            bound.correct(key, paid, actual, self.clock())
            self.met = (*self.met[:at], (bound, key, actual), *self.met[at + 1 :])

    def give_back(self, now: float) -> None:
        """Give back all that has been paid: the request is refused further in, or never made."""
        for bound, key, paid in self.met:
            if paid:
                bound.refund(key, paid, now)
        self.met = tuple((bound, key, 0) for bound, key, _ in self.met)


def receipt_of(request: MutableMapping[str, Any], clock: Callable[[], float]) -> Receipt:
    """Return the receipt of a scope or an environ, a new one where there is none yet."""
    receipt: Receipt | None = request.get(LIMITS)
    if receipt is None:
        receipt = request[LIMITS] = Receipt().begin((), clock)
    return receipt
