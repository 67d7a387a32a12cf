"""Which of the three formats, and which of Envoy's kinds, a vector is: told by its content."""

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

Case = dict[str, Any]

#: What only one kind of Envoy's cases has: an op, or a key of its config.
_BY_OP = {
    "translate": "istio_outlier_mapping",
    "consume": "token_bucket",
    "reset": "token_bucket",
    "request": "local_rate_limit",
    "tick": "local_rate_limit",
    "set_priorities": "priority_load",
    "choose_priority": "priority_load",
    "first_pick_per_seed": "locality_weighted",
    "set_config": "zone_aware",
    "apply": "istio_locality",
    "weight": "slow_start",
    "report": "outlier",
    "report_seq": "outlier",
    "sweep": "outlier",
    "add_host": "outlier",
    "remove_host": "outlier",
    "health_check_ok": "outlier",
    "acquire": "circuit_breaker",
    "inc": "circuit_breaker",
    "release": "circuit_breaker",
    "inspect": "circuit_breaker",
}
_BY_CONFIG = {
    "fill_rate": "token_bucket",
    "token_bucket": "local_rate_limit",
    "upstream": "zone_aware",
    "localities": "locality_weighted",
    "weights": "weighted_scheduler",
    "slow_start_window": "slow_start",
    "choice_count": "least_request",
    "selection_method": "least_request",
    "thresholds": "circuit_breaker",
    "groups": "istio_locality",
    "outlier_detection": "istio_outlier_mapping",
    "success_rate_ejection": "outlier_grpc",
    "failure_percentage_ejection": "outlier_grpc",
    "overprovisioning_factor": "priority_load",
    "panic_threshold": "priority_load",
    "base_ejection_time": "outlier",
    "interval": "outlier",
}
ENVOY = frozenset(_BY_OP.values()) | frozenset(_BY_CONFIG.values())


def load(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"), parse_float=Fraction)


def envoy_kind(case: Case) -> str | None:
    """Return the kind of one of Envoy's cases, None where nothing in it tells."""
    if case.get("flavour") == "grpc":
        return "outlier_grpc"
    config = case.get("config", {})
    for key, kind in _BY_CONFIG.items():
        if key in config:
            return kind
    for step in case.get("steps", ()):
        if step.get("op") in _BY_OP:
            return _BY_OP[step["op"]]
        if step.get("op") in ("set_active", "pick"):
            return "least_request"
    return None


def _envoy_kinds(path: Path, cases: list[Case]) -> Iterator[str]:
    """A file that bears a kind's name is of it; otherwise its cases tell, or their neighbours."""
    if path.stem in ENVOY:
        yield from (path.stem for _ in cases)
        return
    told = [envoy_kind(case) for case in cases]
    usual = next((kind for kind in told if kind is not None), None)
    for case, kind in zip(cases, told, strict=True):
        if kind is None and usual is None:
            raise ValueError(f"{path}: {case.get('name')!r} is of no known kind")
        yield kind or usual or ""


def read(folder: Path) -> Iterator[tuple[str, str, Case]]:
    """Yield (id, adapter module, case) for every vector below a folder."""
    for path in sorted(folder.rglob("*.json")):
        found = load(path)
        where = path.relative_to(folder).with_suffix("").as_posix()
        if isinstance(found, list):
            for case, kind in zip(found, _envoy_kinds(path, found), strict=True):
                yield f"{where}::{case['name']}", f"conformance.envoy.{kind}", case
        elif "steps" in found and "window" in found.get("config", {}):
            yield where, "conformance.breaker", found
        elif "kind" in found:
            yield where, "conformance.scheduling", found
        else:
            raise ValueError(f"{path}: neither a breaker, an Envoy nor a scheduling vector")


def runner(module: str) -> Callable[[Case], None]:
    run: Callable[[Case], None] = import_module(module).run
    return run
