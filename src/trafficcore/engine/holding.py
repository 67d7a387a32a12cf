"""`HoldingPermit`: a permit whose call holds slots, which go to the next when it ends."""

from typing import TYPE_CHECKING, Any, ClassVar

from trafficcore.engine.guard import guarded
from trafficcore.engine.plan import Plan
from trafficcore.engine.verdict import Permit
from trafficcore.outcome import Outcome

if TYPE_CHECKING:
    from trafficcore.engine.engine import Engine

__all__ = ["HoldingPermit", "permit_of"]


class HoldingPermit(Permit):
    """A permit that gives slots back when it is settled or given back, and has the next woken.

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
        for claim in self.claims:
            claim.release()
        self._wake()

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
