"""`HoldingPermit`: a permit whose end others wait for: the next for its slots, or a meter."""

from typing import TYPE_CHECKING, Any, ClassVar

from trafficcore.engine.guard import guarded
from trafficcore.engine.plan import Plan
from trafficcore.engine.verdict import Permit
from trafficcore.outcome import Outcome, classify

if TYPE_CHECKING:
    from trafficcore.engine.engine import Engine

__all__ = ["HoldingPermit", "permit_of"]

CANCELLED = Outcome.CANCELLED


class HoldingPermit(Permit):
    """A permit that ends its claims when it is settled, or gives them back, and wakes the next.

    A slot comes back once, whoever says how often that the call has ended.
    """

    __slots__ = ("engine",)
    ATOMIC: ClassVar[tuple[str, ...]] = ()
    engine: "Engine"

    def settle(
        self, outcome: Outcome | None, now: float, status: int = 0, *, local: bool = False
    ) -> None:
        """End the call, once, as `Permit.settle` does; then let the next in."""
        super().settle(outcome, now, status, local=local)
        ended = self._ended(outcome, status)
        took = (now if self.started_at is None else self.started_at) - self.admitted_at
        for claim in self.claims:
            claim.end(ended, took, now)
        self._wake()

    def _ended(self, outcome: Outcome | None, status: int) -> Outcome:
        """Return how the call ended, as `Permit.settle` has it."""
        if outcome is CANCELLED:
            return outcome
        if self._judged is not None:
            return self._judged
        return classify(self.status or status) if outcome is None else outcome

    def give_back(self, now: float) -> None:
        """Undo the admission of a call that was never made; then let the next in."""
        super().give_back(now)
        self._wake()

    def _wake(self) -> None:
        driver = self.engine.driver
        if driver is not None:
            driver.kick()


def permit_of(engine: "Engine", plan: Plan) -> Any:
    """Return a new permit, of the class that such requests need."""
    if not plan.holds:
        return engine.permit()
    permit = guarded(HoldingPermit)()
    permit.engine = engine
    return permit
