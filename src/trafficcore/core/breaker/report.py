"""A breaker as plain data: for people at three in the morning, for metrics, for tests.

Law     Counts are those of the state: the window while closed, frozen while open, the probes while
        half-open. A rate is None below the number of results at which a rule would look at it.
Source  the reference's R11, R17 and the metrics of its vectors.
"""

import math
from typing import Any, Final

from trafficcore.core.breaker.events import Change
from trafficcore.core.breaker.machine import Machine
from trafficcore.core.breaker.states import TRANSITIONS, State

__all__ = ["report"]

_WINDOWED: Final = frozenset({State.CLOSED, State.METRICS_ONLY})


def report(machine: Machine, now: float) -> dict[str, Any]:
    """Return what `machine` shows at `now`; its owner holds the lock and has held the time."""
    total, errors, slow, slow_errors, gateway, duration = machine._shown(now)  # noqa: SLF001
    shown = total >= max(_floor(machine), 1)
    retry_at = machine.open_until
    deadline = machine._deadline  # noqa: SLF001
    state = machine._state  # noqa: SLF001
    return {
        "state": state.value,
        "era": machine.era,
        "since": machine._since,  # noqa: SLF001
        "retry_at": retry_at,
        "retry_after": None if retry_at is None else max(machine._ends - now, 0),  # noqa: SLF001
        "next_deadline": None if deadline == math.inf else deadline,
        "next_state": _next(machine),
        "watched": len(machine._flights),  # noqa: SLF001
        "attempts": machine.attempts,
        "rejected": machine.rejected,
        "rejected_total": machine.refused_before + machine.rejected,
        "late": machine.late,
        "ignored": machine.ignored,
        "dropped": machine.dropped,
        "evicted": machine._window.evicted,  # noqa: SLF001
        "total": total,
        "successes": total - errors,
        "errors": errors,
        "slow": slow,
        "slow_errors": slow_errors,
        "gateway_errors": gateway,
        "duration_total": duration,
        "consecutive_errors": _run(machine),
        "error_rate": errors / total if shown else None,
        "slow_rate": slow / total if shown else None,
        "exceeded": sorted(machine.exceeded) if state is State.METRICS_ONLY else [],
        "probes": _probes(machine),
        "last_trip": _trip(machine.last_trip),
    }


def _floor(machine: Machine) -> int:
    state = machine._state  # noqa: SLF001
    if state is State.OPEN and not machine._from_closed:  # noqa: SLF001
        return 1
    if state is State.HALF_OPEN:
        return machine._probes.floor  # noqa: SLF001
    return machine.settings.minimum()


def _next(machine: Machine) -> str | None:
    """Return the state that time alone leads to; None: it leads nowhere."""
    state = machine._state  # noqa: SLF001
    if state is State.OPEN:
        return (State.CLOSED if machine.settings.half_open is None else State.HALF_OPEN).value
    if state is State.HALF_OPEN and machine._probes.deadline < math.inf:  # noqa: SLF001
        return TRANSITIONS[state, machine._probes.at_deadline].value  # noqa: SLF001
    return None


def _run(machine: Machine) -> int:
    state = machine._state  # noqa: SLF001
    if state is State.HALF_OPEN:
        return machine._probes.run  # noqa: SLF001
    return machine._run if state in _WINDOWED else 0  # noqa: SLF001


def _probes(machine: Machine) -> dict[str, Any] | None:
    if machine._state is not State.HALF_OPEN:  # noqa: SLF001
        return None
    probes = machine._probes  # noqa: SLF001
    return {"admitted": probes.admitted, "in_flight": probes.flying, "bad": probes.bad}


def _trip(change: Change | None) -> dict[str, Any] | None:
    if change is None:
        return None
    return {
        "reason": change.reason,
        "from": change.from_.value,
        "at": change.at,
        "until": change.until,
        "era": change.era,
        "total": change.counts.total,
        "errors": change.counts.errors,
        "slow": change.counts.slow,
        "gateway_errors": change.counts.gateway_errors,
    }
