"""Scheduling vectors, driven through the real `QuotaQueue`: the whole format of their README.

Our engine declares finish tags, so `expected` is what it must do; `tags="start"` runs the same
cases against `alternatives.start_tag` where they have one.
"""

from fractions import Fraction
from math import inf
from typing import Any

from conformance import scheduling_checks as checks
from conformance import scheduling_loops as loops
from conformance.scheduling_kernel import Call, Kernel, known
from conformance.scheduling_other import NOTES, run_match, run_max_min, run_ramp
from conformance.scheduling_properties import check_properties
from trafficcore.core.fair import QuotaQueue

_HEAD = ("name", "kind", "source", "derivation", "aperture", "extension", "alternatives",
         "config", "expected", "description")  # fmt: skip
_OPEN = ("arrivals", "arrival_generators", "events", "horizon")
_TRACE = ("order", "admitted_at", "rejected", "rejected_by", "ties", "same_instant_any_order",
          "tolerance", "properties")  # fmt: skip
_LOOP = ("count", "window", "counts", "averages", "all_admitted", "properties", "seed_result",
         "aperture_result", "tolerance")  # fmt: skip


def run(case: dict, *, tags: str = "finish", quota: Any = QuotaQueue) -> None:
    """Raise `AssertionError` at the first difference between what a case expects and what is."""
    kind = case["kind"]
    if kind in ("trace", "property"):
        known(case, *_HEAD, *_OPEN)
        _run_open(case, tags, quota)
    elif kind == "closed_loop":
        known(case, *_HEAD, "closed_loop", "horizon")
        _run_closed(case, tags, quota)
    elif kind == "match":
        known(case, *_HEAD, "cases")
        run_match(case)
    elif kind == "ramp":
        known(case, *_HEAD, "ticks")
        run_ramp(case)
    else:
        assert kind == "max_min", f"unknown kind {kind}"
        known(case, *_HEAD, "cases", "capacity", "demands", "weights")
        run_max_min(case)


def _run_open(case: dict, tags: str, quota: Any) -> None:
    kernel = Kernel(case["config"], tags, quota)
    for spec in case.get("arrivals") or ():
        rest = {key: value for key, value in spec.items() if key not in ("t", "id")}
        kernel.arrive_at(Fraction(spec["t"]), Call(spec["id"], **rest))
    for spec in case.get("arrival_generators") or ():
        _generate(kernel, spec)
    for event in case.get("events") or ():
        known(event, "t", "cancel")
        kernel.cancel_at(Fraction(event["t"]), event["cancel"])
    kernel.run(case.get("horizon", inf))

    expected = known(case["expected"], *_TRACE, *NOTES)
    trace, ordered = expected, True
    if tags == "start" and "start_tag" in (case.get("alternatives") or {}):
        other = case["alternatives"]["start_tag"]
        ordered = other is not None
        trace = {**_lasting(expected), **known(other, *_TRACE, *NOTES)} if ordered else expected
    checks.check_trace(kernel, trace, ordered=ordered)
    check_properties(kernel, expected.get("properties") or [])


def _lasting(expected: dict) -> dict:
    """What an alternative's order does not replace."""
    return {key: expected[key] for key in ("tolerance",) if key in expected}


def _generate(kernel: Kernel, spec: dict) -> None:
    own = ("prefix", "start", "interval", "count")
    rest = {key: value for key, value in spec.items() if key not in own}
    start, interval = Fraction(spec["start"]), Fraction(spec["interval"])
    for k in range(spec["count"]):
        kernel.arrive_at(start + k * interval, Call(f"{spec['prefix']}{k}", **rest))


def _run_closed(case: dict, tags: str, quota: Any) -> None:
    kernel = Kernel(case["config"], tags, quota)
    expected = known(case["expected"], *_LOOP, *NOTES)
    spec = case["closed_loop"]
    horizon = spec.get("horizon", case.get("horizon", inf))
    kernel.horizon = horizon
    averages = expected.get("averages") or []
    window = expected.get("window") or next((a.get("window") for a in averages), None)
    loops.start(kernel, spec, window)
    kernel.run(horizon)

    count = expected.get("count")
    if count == "admissions":
        checks.check_counts(
            checks.within(kernel.admitted, expected.get("window")), expected["counts"]
        )
    elif count == "completed":
        calls = [call for call in kernel.admitted if not call.warmup]
        checks.check_counts(checks.within(calls, expected.get("window")), expected["counts"])
    elif count == "average_tokens_in_service":
        assert averages
        checks.check_averages(kernel, averages, spec.get("window") or window)
    else:
        assert count is None, f"unknown count {count}"
    if expected.get("all_admitted"):
        lost = [call.id for call in kernel.calls if call.admitted is None]
        assert not lost, f"not admitted: {lost}"
    check_properties(kernel, expected.get("properties") or [], closed_loop=True)
