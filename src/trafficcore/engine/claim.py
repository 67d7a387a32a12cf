"""`Class` and `Claim`: a workload with its counters, and what one request takes of a quota."""

from copy import copy
from typing import Any, Final, Self

from trafficcore.core.fair import Waiter
from trafficcore.engine.rule import Rule
from trafficcore.outcome import Outcome
from trafficcore.spec import WorkloadParameters

__all__ = ["UNLIMITED", "Claim", "Class", "Flow", "Unlimited"]


class Class:
    """A workload with its counters: a flow of the queue."""

    __slots__ = (
        "admitted",
        "alone",
        "name",
        "parameters",
        "refused",
        "rule",
        "tokens",
        "waited",
        "waiting",
    )

    def __init__(
        self, name: str, parameters: WorkloadParameters, queue: Any, rule: Rule | None = None
    ) -> None:
        self.name = name
        #: Whose workload it is; None where nobody needs to know.
        self.rule = rule
        self.parameters = parameters
        self.tokens = parameters.tokens
        self.admitted = 0
        self.refused = 0
        self.waited = 0
        self.waiting = 0
        #: What a permit notes where this is its only quota, made once.
        self.alone = (self.claim(queue),)

    def claim(self, queue: Any) -> "Claim":
        """Return what a request takes that says nothing for itself."""
        return Claim(self, queue, self.name, self.parameters.priority, self.tokens)

    def snapshot(self) -> dict[str, Any]:
        """Return share and counters as plain data."""
        return {
            "name": self.name,
            "priority": self.parameters.priority,
            "admitted": self.admitted,
            "refused": self.refused,
            "waited": self.waited,
            "waiting": self.waiting,
        }


class Flow(tuple[str, float]):
    """The requests of a workload that gave themselves this priority: they queue apart."""

    __slots__ = ()

    def __new__(cls, workload: str, priority: float) -> Self:
        """Make one of a workload's name and a priority."""
        return super().__new__(cls, (workload, priority))

    @property
    def name(self) -> str:
        """What a snapshot calls it."""
        return f"{self[0]} at {self[1]:g}"


class Claim:
    """What one request takes of one quota, and how it goes back, once.

    `queue` has the verbs of a `QuotaQueue`. `lane` is the flow it waits in, `key` its fairness
    key. `lease` is what slots come back by, `waiter` its place if it had to wait.
    """

    __slots__ = ("cost", "flow", "key", "lane", "lease", "queue", "waiter", "weight")

    def __init__(
        self,
        flow: Class,
        queue: Any,
        lane: str | Flow,
        weight: float,
        cost: float,
        key: str | None = None,
    ) -> None:
        self.flow = flow
        self.queue = queue
        self.lane = lane
        self.weight = weight
        self.cost = cost
        self.key = key
        self.lease = 0
        self.waiter: Waiter | None = None

    def take(self, now: float) -> bool:
        """Take it if it is there and nobody waits."""
        self.lease = lease = self.queue.try_acquire(now, self.cost)
        return bool(lease)

    def enqueue(self, now: float, deadline: float, item: Any) -> Waiter:
        """Take a place in the queue."""
        waiter: Waiter = self.queue.enqueue(
            now, self.lane, self.weight, self.cost, deadline, item, self.key
        )
        self.waiter = waiter
        return waiter

    def corrected(self, now: float, actual: float) -> "Claim":
        """Charge what the call truly took, and return the claim that says so.

        A claim that is everybody's, as that of a plain quota, stays as it is.
        """
        if self.waiter is None:
            self.queue.refund(now, self.cost - actual)
        else:
            self.queue.reconcile(now, self.waiter, actual)
        found = copy(self)
        found.cost = actual
        return found

    def give_back(self, now: float) -> None:
        """Give everything back: the call was never made."""
        self.flow.admitted -= 1
        if self.waiter is not None:
            self.queue.give_back(self.waiter, now)
        else:
            self.queue.refund(now, self.cost)
            self.queue.release(self.lease)

    def end(self, outcome: Outcome, took: float, now: float) -> None:  # noqa: ARG002  # for others
        """Give slots back, as the call has ended; tokens are spent."""
        self.queue.release(self.lease if self.waiter is None else self.waiter.lease)


class Unlimited:
    """A quota for those whom it does not limit: everything is there."""

    __slots__ = ()
    waiting = 0

    def try_acquire(self, now: float, cost: float = 1) -> int:  # noqa: ARG002  # a queue's shape
        """Say yes."""
        return 1

    def refund(self, now: float, cost: float = 1) -> None:
        """Do nothing: nothing was taken."""

    def release(self, lease: int) -> bool:  # noqa: ARG002  # a queue's shape
        """Do nothing: nothing is held."""
        return False


UNLIMITED: Final = Unlimited()
