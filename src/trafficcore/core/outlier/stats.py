"""The counters of outlier detection, by the names people query (under `outlier_detection.`).

Envoy's own, with the three it calls deprecated and dashboards still read; and one of ours,
`ejections_unenforced`: allowed by the percentage, and refused by the draw.
"""

from typing import Final

from trafficcore.core.outlier.changes import Kind

__all__ = ["allowed", "detected", "new_stats", "overflowed"]

#: What a kind is called in counters. Two differ from the event log.
_NAMES: Final = {kind: kind.value for kind in Kind} | {
    Kind.SUCCESS_RATE_LOCAL_ORIGIN: "local_origin_success_rate",
    Kind.FAILURE_PERCENTAGE_LOCAL_ORIGIN: "local_origin_failure_percentage",
}
_COMPARING: Final = frozenset({Kind.SUCCESS_RATE, Kind.SUCCESS_RATE_LOCAL_ORIGIN})
#: The kinds that the deprecated counter of all ejections knows.
_OLD: Final = frozenset({Kind.CONSECUTIVE_5XX, Kind.SUCCESS_RATE})
_VERBS: Final = ("detected", "enforced")


def new_stats() -> dict[str, int]:
    """Return every counter, at 0."""
    names = ["ejections_enforced_total", "ejections_overflow", "ejections_unenforced"]
    names += [f"ejections_{verb}_{name}" for name in _NAMES.values() for verb in _VERBS]
    names += ["ejections_total", "ejections_consecutive_5xx", "ejections_success_rate"]
    return dict.fromkeys(names, 0)


def detected(stats: dict[str, int], kind: Kind) -> None:
    """Count that a detector fired."""
    stats[f"ejections_detected_{_NAMES[kind]}"] += 1
    if kind is Kind.CONSECUTIVE_5XX:
        stats["ejections_consecutive_5xx"] += 1
    elif kind in _COMPARING:
        stats["ejections_success_rate"] += 1


def overflowed(stats: dict[str, int]) -> None:
    """Count that the percentage of ejected endpoints forbade one."""
    stats["ejections_overflow"] += 1


def allowed(stats: dict[str, int], kind: Kind, *, enforced: bool) -> None:
    """Count that the percentage allowed an ejection, and what the draw said."""
    if kind in _OLD:
        stats["ejections_total"] += 1
    if enforced:
        stats["ejections_enforced_total"] += 1
        stats[f"ejections_enforced_{_NAMES[kind]}"] += 1
    else:
        stats["ejections_unenforced"] += 1
