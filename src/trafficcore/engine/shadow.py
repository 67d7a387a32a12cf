"""Rules in shadow: their machines run, count what they would refuse, and refuse nothing.

Each wrapper has the verbs of its machine, so that nobody else knows: a limit without a token
admits and takes nothing, an open breaker admits a call whose result it will not hear of, a quota
without tokens makes nobody wait. The machine goes on as if the request had been turned away.
"""

from typing import Any, Final

from trafficcore.engine.rule import Rule
from trafficcore.engine.stages import Tell
from trafficcore.outcome import Reason

__all__ = ["ShadowBreaker", "ShadowLimit", "ShadowQueue", "ShadowSample"]

#: An era that no breaker ever has, and a lease that nobody ever gets.
_STRAY: Final = -1


class _Shadow:
    """A machine, the rule that counts for it, and whom to tell."""

    __slots__ = ("_machine", "_rule", "_tell")
    reason: Reason

    def __init__(self, machine: Any, rule: Rule, tell: Tell) -> None:
        self._machine = machine
        self._rule = rule
        self._tell = tell

    def __getattr__(self, name: str) -> Any:
        """Be the machine in everything else."""
        return getattr(self._machine, name)

    def _note(self, now: float) -> None:
        summary = self._rule.note_refusal(now, self.reason, enforced=False)
        if summary is not None:
            self._tell(summary)


class _Paying(_Shadow):
    """What takes tokens where they are there, and says yes where they are not."""

    __slots__ = ("_paid",)

    def __init__(self, machine: Any, rule: Rule, tell: Tell) -> None:
        super().__init__(machine, rule, tell)
        self._paid = True

    def try_acquire(self, now: float, cost: float = 1) -> int:
        """Take tokens or note that there are none; always truth, and the lease where it is one."""
        paid = self._machine.try_acquire(now, cost)
        self._paid = bool(paid)
        if not paid:
            self._note(now)
        return paid or _STRAY

    def earliest(self, now: float, cost: float = 1) -> float:  # noqa: ARG002  # a bucket's shape
        """Return `now`: nothing is ever refused."""
        return now


class ShadowLimit(_Paying):
    """A bucket in shadow."""

    __slots__ = ()
    reason = Reason.RATE_LIMITED

    def refund(self, cost: float, now: float) -> None:
        """Give back what the last request has taken, if it has taken anything."""
        if self._paid:
            self._machine.refund(cost, now)


class ShadowQueue(_Paying):
    """A quota's queue in shadow: nobody joins it."""

    __slots__ = ()
    reason = Reason.OVERLOADED

    def refund(self, now: float, cost: float) -> None:
        """Give back what the last request has taken, if it has taken anything."""
        if self._paid:
            self._machine.refund(now, cost)


class ShadowSample(_Paying):
    """A load ramp in shadow: everybody goes on."""

    __slots__ = ()
    reason = Reason.RAMPING


class ShadowBreaker(_Shadow):
    """A breaker in shadow."""

    __slots__ = ()
    reason = Reason.CIRCUIT_OPEN

    def would_admit(self, now: float) -> bool:  # noqa: ARG002  # a breaker's shape
        """Return True: nothing is ever refused."""
        return True

    def try_acquire(self, now: float) -> int:
        """Return the era of the call, or one that stands for none."""
        era: int = self._machine.try_acquire(now)
        if not era:
            self._note(now)
        return era or _STRAY

    def good(self, era: int, now: float) -> Any:
        """Pass a result on, if the call was admitted."""
        return self._machine.good(era, now) if era != _STRAY else False

    def record(self, era: int, now: float, **result: Any) -> None:
        """Pass a result on, if the call was admitted."""
        if era != _STRAY:
            self._machine.record(era, now, **result)

    def ignore(self, era: int, now: float) -> None:
        """Pass it on, if the call was admitted."""
        if era != _STRAY:
            self._machine.ignore(era, now)

    def release(self, era: int, now: float) -> None:
        """Pass it on, if the call was admitted."""
        if era != _STRAY:
            self._machine.release(era, now)
