"""What `Engine.admit` answers: a `Permit`, a `Queued` ticket or a `Rejection`.

All three are told apart by their class. A permit is settled exactly once, whatever happens to the
call; every later attempt does nothing.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self

from trafficcore.engine.place import Place
from trafficcore.outcome import Outcome, Reason
from trafficcore.spec import Source

if TYPE_CHECKING:
    from trafficcore.core.balance.endpoint import Endpoint
    from trafficcore.engine.claim import Claim, Class
    from trafficcore.engine.facts import Facts
    from trafficcore.engine.plan import Plan, Side
    from trafficcore.engine.schedule import QuotaStage

__all__ = ["Permit", "Place", "Queued", "Rejection"]

SUCCESS, FAILURE = Outcome.SUCCESS, Outcome.FAILURE
IGNORED, CANCELLED = Outcome.IGNORED, Outcome.CANCELLED


class Rejection:
    """A refusal: what to answer, why, by which rule, and when it is worth coming back.

    `retry_at` is absolute (None: unknown), `retry_after` the same from the moment of the refusal.
    `rule` names manifest, file and line; None where no rule has a part in it.
    """

    __slots__ = ("at", "body", "headers", "reason", "retry_at", "rule", "status")

    def __init__(
        self,
        reason: Reason,
        status: int,
        headers: tuple[tuple[str, str], ...],
        body: str,
        rule: Source | None,
        at: float,
        retry_at: float | None,
    ) -> None:
        self.reason = reason
        self.status = status
        self.headers = headers
        self.body = body
        self.rule = rule
        self.at = at
        self.retry_at = retry_at

    @property
    def retry_after(self) -> float | None:
        """Seconds from the refusal until a retry can succeed, never negative; None: unknown."""
        if self.retry_at is None:
            return None
        wait = self.retry_at - self.at
        return wait if wait > 0 else 0

    def __repr__(self) -> str:
        return f"<Rejection {self.status} {self.reason.value} by {self.rule}>"


class Permit:
    """Leave to make one call. `endpoint` is where it goes, None where nothing chooses one.

    The shell calls `started` when the response begins and `settle` at its last byte. The
    application may overrule what the status says by `ignore()` or `fail()`.

    In shadow mode `reason` and `rule` say what would have refused the call; they are None
    otherwise.
    """

    __slots__ = (
        "_cookie",
        "_judged",
        "_plan",
        "_shadow",
        "_side",
        "admitted_at",
        "claims",
        "endpoint",
        "era",
        "started_at",
        "status",
    )
    ATOMIC: ClassVar[tuple[str, ...]] = ("settle", "give_back")

    _plan: "Plan | None"
    _side: "Side"
    _judged: Outcome | None
    #: Unset but where a cookie was made.
    _cookie: str
    #: Unset but in shadow mode: what would have refused the call.
    _shadow: "tuple[Reason, Source]"
    era: Any
    endpoint: "Endpoint | None"
    claims: "tuple[Claim, ...]"
    admitted_at: float
    #: When the response began, None before, or where slow is measured to the last byte.
    started_at: float | None
    #: The response's status, 0 before there is one.
    status: int

    def begin(
        self,
        plan: "Plan",
        side: "Side",
        era: Any,
        endpoint: "Endpoint | None",
        claims: "tuple[Claim, ...]",
        now: float,
    ) -> Self:
        """Fill in a permit that has just been made; `Engine.admit` writes this out.

        There is no `__init__`: making an object and filling it in costs less without one.
        """
        self._plan = plan
        self._side = side
        self.era = era
        self.endpoint = endpoint
        self.claims = claims
        self.admitted_at = now
        self.started_at = None
        self.status = 0
        self._judged = None
        return self

    @property
    def reason(self) -> Reason | None:
        """Why the call would have been refused, were it not for shadow mode."""
        shadow = getattr(self, "_shadow", None)
        return None if shadow is None else shadow[0]

    @property
    def rule(self) -> Source | None:
        """Which rule would have refused the call, were it not for shadow mode."""
        shadow = getattr(self, "_shadow", None)
        return None if shadow is None else shadow[1]

    def would_refuse(self, reason: Reason, rule: Source) -> None:
        """Note what would have refused the call."""
        self._shadow = reason, rule

    @property
    def set_cookie(self) -> str | None:
        """The `Set-Cookie` to put on the answer: later calls with it go to the same endpoint."""
        return getattr(self, "_cookie", None)

    def give_cookie(self, text: str) -> None:
        """Note the `Set-Cookie` that goes with the answer."""
        self._cookie = text

    @property
    def _lock(self) -> Any:
        return self._side.lock

    def started(self, status: int, now: float) -> None:
        """Note that the response began: *slow* is measured up to here."""
        self.status = status
        self.started_at = now

    def watch(self) -> None:
        """Have the breaker count this call as slow as soon as it is, and not when it ends."""
        plan = self._plan
        if plan is not None and plan.breaker is not None and self.era:
            self.era = plan.breaker.watch(self.era, self.admitted_at)

    def landed(self, now: float) -> None:
        """Say that a call that is watched cannot become slow any more."""
        plan = self._plan
        if plan is not None and plan.breaker is not None and self.era:
            plan.breaker.landed(self.era, now)
            if plan.breaker.changes:
                plan.tell_listeners()

    def ignore(self) -> None:
        """Have this call count for nothing, whatever its status says."""
        self._judged = IGNORED

    def fail(self) -> None:
        """Have this call count as a failure, whatever its status says."""
        self._judged = FAILURE

    @property
    def settled(self) -> bool:
        """Whether the call has ended."""
        return self._plan is None

    def settle(  # noqa: C901, PLR0912
        self, outcome: Outcome | None, now: float, status: int = 0, *, local: bool = False
    ) -> None:
        """End the call, once: tell breaker, endpoint and counts how it went. *Atomic* as to once.

        `outcome` None: what the status of `started` says. `status` is the code to count a failure
        without a response as (Envoy: 503 connect failure and reset, 504 timeout); `local`
        says that it happened on our side of the wire, before any answer.
        """
        plan, self._plan = self._plan, None
        if plan is None:
            return
        if outcome is not CANCELLED:
            if outcome is None:  # the response's status, or what stands for one
                status = self.status or status
                outcome = FAILURE if 500 <= status <= 599 else SUCCESS  # as `classify` has it
            else:
                status = status or self.status
            if self._judged is not None:
                outcome = self._judged
        self._side.ended += 1
        breaker = plan.breaker
        if breaker is not None:
            started = self.started_at
            took = (now if started is None else started) - self.admitted_at
            if outcome is SUCCESS and took <= breaker.slow_after and self.era:
                breaker.good(self.era, now)
            else:
                plan.tell_breaker(self.era, outcome, took, now, status)
            if breaker.changes:
                plan.tell_listeners()
        endpoint = self.endpoint
        cluster = plan.cluster
        if endpoint is not None and cluster is not None:
            endpoint.active -= 1
            if cluster.cap is not None:
                cluster.cap.release()
            if outcome is SUCCESS and now < cluster.next_sweep and not cluster.split:
                if endpoint.tally is not None:
                    endpoint.tally.good()
            else:
                cluster.settle(endpoint, outcome, now, status, local=local)

    def give_back(self, now: float) -> None:
        """Undo the admission of a call that was never made: tokens and places go to the next."""
        plan, self._plan = self._plan, None
        if plan is not None:
            plan.give_back(self, self._side, now)


class Queued:
    """A place in a queue. `Engine.poll` answers it later; `Engine.cancel` gives it up.

    `deadline` is when waiting ends at the latest (absolute, `inf` = never). `wake` is the shell's:
    a callable of the verdict, called outside every lock.
    """

    __slots__ = (
        "claim",
        "claims",
        "deadline",
        "facts",
        "gives_up",
        "plan",
        "side",
        "stage",
        "verdict",
        "waiter",
        "wake",
    )
    #: What it waits for, and at which quota; `claims` is what it has of quotas before that.
    claim: "Claim"
    stage: "QuotaStage"

    def __init__(self, plan: "Plan", side: "Side", facts: "Facts") -> None:
        self.plan = plan
        self.side = side
        self.facts = facts
        self.claims: tuple[Claim, ...] = ()
        self.waiter: Any = None
        self.deadline: float = float("inf")
        #: When its caller gives up, `inf` where nobody knows; None before it has to wait.
        self.gives_up: float | None = None
        self.wake: Callable[[Permit | Rejection], None] | None = None
        self.verdict: Permit | Rejection | None = None

    @property
    def flow(self) -> "Class":
        """The workload it is of."""
        return self.claim.flow

    def place(self, now: float) -> Place | None:
        """Return the place in the queue as it stands; None: the wait is over. O(those ahead)."""
        claim, waiter = self.claim, self.waiter
        if not waiter.waiting:
            return None
        count, tokens = claim.queue.ahead(waiter)
        at = claim.queue.ready_at(now, waiter)
        return Place(
            position=count + 1,
            tokens_ahead=tokens,
            wait=None if at is None else max(0, at - now),
        )
