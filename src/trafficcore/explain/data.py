"""Meanings as plain data fit for JSON."""

from collections.abc import Iterable, Sequence
from typing import Any

from trafficcore.explain.compare import Change
from trafficcore.explain.request import RequestMeaning
from trafficcore.explain.rows import COLUMNS, Row
from trafficcore.explain.rules import RuleMeaning

__all__ = ["change_data", "request_data", "row_data", "rule_data"]


def _heading(rule: RuleMeaning) -> dict[str, Any]:
    source = rule.source
    return {
        "kind": source.kind,
        "namespace": source.namespace,
        "name": source.name,
        "rule": source.rule,
        "file": source.file,
        "line": source.line,
        "applies": not rule.why_not,
        "about": rule.about,
        "why_not": rule.why_not,
    }


def rule_data(rules: Iterable[RuleMeaning]) -> dict[str, Any]:
    """Return each rule with its meanings."""
    return {
        "rules": [
            {
                **_heading(rule),
                "meanings": [
                    {"key": one.key, "value": one.value, "text": one.text} for one in rule.meanings
                ],
            }
            for rule in rules
        ]
    }


def request_data(found: RequestMeaning) -> dict[str, Any]:
    """Return what becomes of a request."""
    return {
        "request": found.request,
        "steps": [
            {"stage": step.stage, "rule": _heading(step.rule), "texts": list(step.texts)}
            for step in found.steps
        ],
        "outcome": list(found.outcome),
        "idle": [{"rule": _heading(rule), "why": why} for rule, why in found.idle],
    }


def change_data(changes: Sequence[Change]) -> dict[str, Any]:
    """Return what changed in meaning; `old` and `new` are "" where there is none."""
    return {
        "changes": [
            {
                "verb": change.verb,
                "rule": _heading(change.rule),
                "differences": [
                    {"key": one.key, "old": one.old, "new": one.new} for one in change.differences
                ],
            }
            for change in changes
        ]
    }


def row_data(rows: Iterable[Row], sums: Iterable[str]) -> dict[str, Any]:
    """Return the table, a mapping a row."""
    names = [name.replace(" ", "_") for name in COLUMNS]
    return {
        "sums": list(sums),
        "rows": [dict(zip(names, row.cells, strict=True)) for row in rows],
    }
