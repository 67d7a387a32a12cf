"""Two sets of policies by what they mean: which rules came, went, or do something else now.

Law    rules of one document (kind, namespace, name) are paired by their own names; then those that
       mean the same; then those for the same requests and processes; then by their place. What
       moved and means the same has not changed.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable

import attrs

from trafficcore.explain.meaning import Meaning, find
from trafficcore.explain.rules import RuleMeaning

__all__ = ["Change", "Difference", "compare"]


@attrs.frozen
class Difference:
    """One fact that is not what it was; "" where there was none, or is none any more."""

    key: str
    old: str
    new: str

    def __str__(self) -> str:
        if self.old and self.new:
            return f"{self.key} {self.old} to {self.new}"
        return f"{self.key} {self.new} (new)" if self.new else f"{self.key} {self.old} (no longer)"


@attrs.frozen
class Change:
    """One rule that was `added`, `removed` or `changed`; as it is now, or was where it is gone."""

    rule: RuleMeaning
    verb: str
    differences: tuple[Difference, ...]


def compare(old: Iterable[RuleMeaning], new: Iterable[RuleMeaning]) -> list[Change]:
    """Return what changed in meaning, in the order of the new set; what went stands last."""
    before, after = list(old), list(new)
    pairs = _paired(before, after)
    changes = []
    for rule in after:
        former = pairs.get(id(rule))
        differences = _differences(() if former is None else former.meanings, rule.meanings)
        if former is None:
            changes.append(Change(rule, "added", differences))
        elif differences:
            changes.append(Change(rule, "changed", differences))
    kept = {id(former) for former in pairs.values()}
    gone = [rule for rule in before if id(rule) not in kept]
    return changes + [Change(rule, "removed", _differences(rule.meanings, ())) for rule in gone]


def _document(rule: RuleMeaning) -> tuple[Hashable, ...]:
    source = rule.source
    return source.kind, source.namespace, source.name


def _name(rule: RuleMeaning) -> Hashable:
    return (*_document(rule), rule.source.rule) if rule.source.rule else None


def _whole(rule: RuleMeaning) -> Hashable:
    return (*_document(rule), *((one.key, one.value) for one in rule.meanings))


def _topic(rule: RuleMeaning) -> Hashable:
    keys = ("process", "requests")
    return (*_document(rule), *(find(rule.meanings, key) for key in keys))


def _place(rule: RuleMeaning) -> Hashable:
    return (*_document(rule), rule.source.path)


def _paired(old: list[RuleMeaning], new: list[RuleMeaning]) -> dict[int, RuleMeaning]:
    """Return the former self of each new rule that has one, by the new rule's id."""
    pairs: dict[int, RuleMeaning] = {}
    for look in (_name, _whole, _topic, _place):
        taken = {id(former) for former in pairs.values()}
        left = _by(look, [rule for rule in old if id(rule) not in taken])
        for rule in new:
            key = look(rule)
            if key is not None and id(rule) not in pairs and left.get(key):
                pairs[id(rule)] = left[key].pop(0)
    return pairs


def _by(
    look: Callable[[RuleMeaning], Hashable], rules: Iterable[RuleMeaning]
) -> dict[Hashable, list[RuleMeaning]]:
    found: dict[Hashable, list[RuleMeaning]] = {}
    for rule in rules:
        found.setdefault(look(rule), []).append(rule)
    return found


def _differences(old: tuple[Meaning, ...], new: tuple[Meaning, ...]) -> tuple[Difference, ...]:
    before, after = _facts(old), _facts(new)
    keys = [*after, *(key for key in before if key not in after)]
    return tuple(
        Difference(key, before.get(key, ""), after.get(key, ""))
        for key in keys
        if before.get(key) != after.get(key)
    )


def _facts(meanings: tuple[Meaning, ...]) -> dict[str, str]:
    """Return the values by key; a key that stands twice (equal overrides) is numbered."""
    seen: Counter[str] = Counter()
    facts = {}
    for one in meanings:
        seen[one.key] += 1
        facts[one.key if seen[one.key] == 1 else f"{one.key} #{seen[one.key]}"] = one.value
    return facts
