"""What a breaker's refusal raises.

Law     `CircuitOpen` says which breaker, why it is open, when to come back, and the last error
        that its calls met: all of it as it was then. What is text is put together when it is read.
        A copy and what comes out of another process say the same, but for the breaker: None.
Cost    a refusal is what an open breaker does most: making one takes no lock and no format.
"""

from typing import TYPE_CHECKING, Any

from trafficcore.errors import Rejected
from trafficcore.live.breaker_judge import name_of
from trafficcore.outcome import Reason

if TYPE_CHECKING:
    from trafficcore.live.breaker import CircuitBreaker

__all__ = ["CircuitOpen"]


class CircuitOpen(Rejected):
    """A call was refused by `breaker`: `why` it is open, and the `last_error` of its calls."""

    __slots__ = ("_last", "breaker", "retry_after", "source", "why")

    reason = Reason.CIRCUIT_OPEN
    breaker: "CircuitBreaker | None"
    retry_after: float | None
    _last: tuple[type | str, str]

    def __init__(self, breaker: "CircuitBreaker", now: float) -> None:
        machine = breaker.machine
        until = machine.open_until
        self.breaker = breaker
        self.source = breaker.name
        self.why = machine.why
        self.retry_after = None if until is None else until - now if until > now else 0
        self._last = breaker.errors.last

    @property
    def last_error(self) -> str:
        """The last error of its calls as text; "" where there was none."""
        kind, text = self._last
        return f"{name_of(kind)}: {text}" if text else name_of(kind)

    def __reduce__(self) -> tuple[Any, ...]:
        kind, text = self._last
        made_again, (own, _), state = super().__reduce__()
        seen = {
            "breaker": None,
            "source": self.source,
            "why": self.why,
            "retry_after": self.retry_after,
            "_last": (name_of(kind), text),
        }
        return made_again, (own, ()), state | seen

    def __str__(self) -> str:
        return self._text()
