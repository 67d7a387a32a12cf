"""What `expected` may ask of a run: order, instants and counts."""

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from math import inf
from typing import Any

from conformance.scheduling_kernel import Call, Kernel, known

TINY = Fraction(1, 10**6)


# -- traces --------------------------------------------------------------------------------------


def check_trace(kernel: Kernel, expected: dict, *, ordered: bool = True) -> None:
    tolerance = Fraction(expected.get("tolerance", TINY))
    admitted = {call.id: call.admitted for call in kernel.admitted}
    rejected = {call.id: call.rejected for call in kernel.calls if call.rejected is not None}
    if "rejected" in expected:
        left = {call.id for call in kernel.calls if call.admitted is None}
        assert left == set(expected["rejected"]), f"not admitted: {sorted(left)}"
    for ident, latest in expected.get("rejected_by", {}).items():
        assert ident in rejected, f"{ident} was never rejected"
        assert rejected[ident] <= latest + tolerance, f"{ident} rejected at {rejected[ident]}"
    if not ordered:
        return
    if expected.get("same_instant_any_order"):
        _check_instants(admitted, expected["admitted_at"], tolerance)
    elif expected.get("ties"):
        _check_with_ties(kernel, expected, tolerance)
    else:
        if "order" in expected:
            order = [call.id for call in kernel.admitted]
            assert order == expected["order"], f"order {order}"
        if "admitted_at" in expected:
            _check_instants(admitted, expected["admitted_at"], tolerance)


def _check_instants(admitted: dict, expected: dict, tolerance: Fraction) -> None:
    assert set(admitted) == set(expected), f"admitted {sorted(admitted)}"
    for ident, when in expected.items():
        assert abs(admitted[ident] - when) <= tolerance, f"{ident} at {float(admitted[ident])}"


def _check_with_ties(kernel: Kernel, expected: dict, tolerance: Fraction) -> None:
    group = {ident: tuple(tie) for tie in expected["ties"] for ident in tie}
    order = [group.get(call.id, call.id) for call in kernel.admitted]
    assert order == [group.get(ident, ident) for ident in expected["order"]], f"order {order}"
    instants = expected.get("admitted_at")
    if instants is not None:
        for call, ident in zip(kernel.admitted, expected["order"], strict=True):
            assert abs(call.admitted - instants[ident]) <= tolerance, f"{call.id} for {ident}"


# -- counts --------------------------------------------------------------------------------------


def check_counts(calls: Iterable[Call], counts: dict) -> None:
    found = Counter(call.workload for call in calls)
    for workload, bounds in counts.items():
        known(bounds, "ideal", "min", "max")
        count = sum(found.values()) if workload in ("*", "total") else found[workload]
        assert bounds.get("min", 0) <= count <= bounds.get("max", inf), f"{workload}: {count}"


def within(calls: Iterable[Call], window: Any) -> list[Call]:
    if window is None:
        return list(calls)
    low, high = window
    return [call for call in calls if low <= call.admitted <= high]


def check_averages(kernel: Kernel, averages: list[dict], window: Any) -> None:
    for average in averages:
        known(average, "window", "values", "margin")
        low, high = average.get("window") or window
        held: Counter = Counter()
        for call in kernel.admitted:
            end = min(high, call.admitted if call.given_back is None else call.given_back)
            held[call.workload] += call.tokens * max(0, end - max(low, call.admitted))
        for workload, value in average["values"].items():
            mean = held[workload] / Fraction(high - low)
            assert abs(mean - value) <= average["margin"] * value, f"{workload}: {float(mean)}"
