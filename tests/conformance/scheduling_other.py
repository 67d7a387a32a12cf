"""The kinds of scheduling vectors without a clock: label matching, load ramps, max-min shares."""

from fractions import Fraction
from typing import Any

from conformance.scheduling_kernel import known
from model.maxmin import max_min
from trafficcore.core.fair import LoadRamp
from trafficcore.engine.labels import compile_matcher
from trafficcore.spec import Expression, LabelMatcher, Requirement, RequirementOp

NOTES = ("per_case", "note", "notes")


# -- match ---------------------------------------------------------------------------------------


def matcher_of(spec: dict | None) -> LabelMatcher:
    spec = known(spec or {}, "match_labels", "match_list", "match_expressions", "expression")
    listed = spec.get("match_list")
    if listed is None:
        listed = spec.get("match_expressions")
    expression = spec.get("expression")
    return LabelMatcher(
        labels=tuple((spec.get("match_labels") or {}).items()),
        requirements=tuple(_requirement(entry) for entry in listed or ()),
        expression=None if expression is None else expression_of(expression),
    )


def _requirement(entry: dict) -> Requirement:
    known(entry, "key", "operator", "values")
    values = tuple(entry.get("values") or ())
    return Requirement(entry["key"], RequirementOp(entry["operator"]), values)


def expression_of(spec: dict) -> Expression:
    ((kind, inner),) = spec.items()
    if kind in ("all", "any"):
        of = known(inner or {}, "of").get("of") or ()
        return Expression(kind=kind, of=tuple(expression_of(part) for part in of))
    if kind == "not":
        return Expression(kind="not", of=(expression_of(inner),))
    if kind == "label_exists":
        label = inner if isinstance(inner, str) else known(inner, "label")["label"]
        return Expression(kind=kind, label=label)
    if kind == "label_equals":
        known(inner, "label", "value")
        return Expression(kind=kind, label=inner["label"], value=inner["value"])
    assert kind == "label_matches", f"unknown expression {kind}"
    known(inner, "label", "regex")
    return Expression(kind=kind, label=inner["label"], value=inner["regex"])


def run_match(case: dict) -> None:
    scheduler = known(case["config"], "scheduler")["scheduler"]
    known(scheduler, "workloads", "default_workload", "queue")
    workloads = []
    for index, workload in enumerate(scheduler["workloads"]):
        known(workload, "name", "priority", "label_matcher")
        test = compile_matcher(matcher_of(workload.get("label_matcher")))
        workloads.append((workload.get("name") or str(index), test))
    default = known(scheduler.get("default_workload") or {}, "name", "priority")
    known(case.get("expected", {}), *NOTES)
    assert case["cases"]
    for number, one in enumerate(case["cases"]):
        known(one, "labels", "expected", *NOTES)
        labels = one["labels"] or {}
        found = next(
            (name for name, test in workloads if test(labels)), default.get("name", "default")
        )
        assert found == one["expected"], f"case {number}: {found}"


# -- ramp ----------------------------------------------------------------------------------------


def run_ramp(case: dict) -> None:
    config = known(case["config"], "evaluation_interval", "steps")
    expected = known(case.get("expected", {}), "tolerance", *NOTES)
    tolerance = expected.get("tolerance", Fraction(1, 10**6))
    steps = [known(step, "target_accept_percentage", "duration") for step in config["steps"]]
    ramp = LoadRamp(
        [(Fraction(s["target_accept_percentage"]), Fraction(s["duration"])) for s in steps],
        Fraction(config.get("evaluation_interval", 1)),
    )
    assert case["ticks"]
    for number, tick in enumerate(case["ticks"]):
        known(tick, "forward", "backward", "reset", "expected", *NOTES)
        inputs = {key: bool(tick.get(key)) for key in ("forward", "backward", "reset")}
        percent = ramp.tick(**inputs)
        want = known(tick.get("expected", {}), "percent", "at_start", "at_end")
        if "percent" in want:
            assert abs(percent - want["percent"]) <= tolerance, f"tick {number}: {float(percent)} %"
        for key in ("at_start", "at_end"):
            if key in want:
                assert getattr(ramp, key) is want[key], f"tick {number}: {key}"


# -- max_min -------------------------------------------------------------------------------------


def run_max_min(case: dict) -> None:
    """One division, or several as `cases`; `demands` and shares are lists or objects."""
    ran = 0
    for one in case.get("cases") or [case]:
        config = {**case.get("config", {}), **one.get("config", {})}
        terms = {key: one.get(key, config.get(key)) for key in ("capacity", "demands", "weights")}
        expected = one.get("expected", case.get("expected"))
        _check_division(terms, expected)
        ran += 1
    assert ran


def _check_division(terms: dict, expected: Any) -> None:
    demands, weights = terms["demands"], terms["weights"]
    tolerance = Fraction(1, 10**6)
    if isinstance(expected, dict) and not _is_division(expected, demands):
        rest = {key: value for key, value in expected.items() if key not in NOTES}
        tolerance = rest.pop("tolerance", tolerance)
        (expected,) = rest.values()
    assert _is_division(expected, demands), f"no division in {expected}"
    names = list(demands) if isinstance(demands, dict) else range(len(demands))
    by_name = _listed(weights, names) if weights is not None else None
    shares = max_min(terms["capacity"], [demands[name] for name in names], by_name)
    for name, share in zip(names, shares, strict=True):
        assert abs(share - expected[name]) <= tolerance, f"{name}: {float(share)}"


def _listed(weights: Any, names: Any) -> list:
    if isinstance(weights, dict):
        return [weights.get(name, 1) for name in names]
    return list(weights)


def _is_division(found: Any, demands: Any) -> bool:
    if isinstance(demands, dict):
        return isinstance(found, dict) and set(found) == set(demands)
    return isinstance(found, list) and len(found) == len(demands)
