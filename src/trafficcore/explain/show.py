"""Meanings as lines of text; what they say is worded where they are made."""

from collections.abc import Iterable, Iterator, Sequence

from trafficcore.explain.compare import Change
from trafficcore.explain.request import RequestMeaning
from trafficcore.explain.rows import COLUMNS, Row
from trafficcore.explain.rules import RuleMeaning
from trafficcore.explain.words import count, ordinal

__all__ = ["change_lines", "plain_table", "request_lines", "rule_lines"]

_IN = "  "


def rule_lines(rules: Iterable[RuleMeaning]) -> Iterator[str]:
    """Yield each rule under its heading, a sentence a line."""
    for index, rule in enumerate(rules):
        if index:
            yield ""
        yield str(rule.source)
        yield _IN + (f"not here: {rule.why_not}" if rule.why_not else f"applies to {rule.about}")
        yield from (_IN + one.text for one in rule.meanings if one.text)


def request_lines(found: RequestMeaning) -> Iterator[str]:
    """Yield what becomes of a request: what acts, what it comes to, and what does not act."""
    yield found.request
    for place, step in enumerate(found.steps, 1):
        yield ""
        yield f"{ordinal(place)}, {step.stage}: {step.rule.source}"
        yield from (_IN + text for text in step.texts)
    yield ""
    yield from found.outcome if found.steps else ("No rule acts on it.", *found.outcome[:1])
    if found.idle:
        yield ""
        verb = "does" if len(found.idle) == 1 else "do"
        yield f"{count(len(found.idle), 'rule')} {verb} not act:"
        yield from (f"{_IN}{rule.source}: {why}" for rule, why in found.idle)


def change_lines(changes: Sequence[Change]) -> Iterator[str]:
    """Yield each rule that is not what it was, with what is different."""
    if not changes:
        yield "Nothing changed in meaning."
    for index, change in enumerate(changes):
        if index:
            yield ""
        yield f"{change.verb}: {change.rule.source}"
        if change.verb == "changed":
            yield from (f"{_IN}{difference}" for difference in change.differences)
        else:
            yield from (_IN + one.text for one in change.rule.meanings if one.text)


def plain_table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a table in columns, the same wherever it is printed."""
    table = [tuple(name.upper() for name in COLUMNS), *(row.cells for row in rows)]
    widths = [max(len(cells[column]) for cells in table) for column in range(len(COLUMNS))]
    for cells in table:
        padded = (text.ljust(width) for text, width in zip(cells, widths, strict=True))
        yield "  ".join(padded).rstrip()
