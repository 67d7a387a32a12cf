"""What a local rate limit means: a burst, a rate, a refusal, and whom another limit is for."""

from collections.abc import Iterable, Iterator

from trafficcore.core.limit import bucket
from trafficcore.engine.rule import Rule
from trafficcore.engine.stages import LimitStage
from trafficcore.explain.meaning import Meaning, under
from trafficcore.explain.refusal import answered
from trafficcore.explain.scope import match_words, scope_meanings
from trafficcore.explain.words import count, rate, span
from trafficcore.spec import Limit, RateLimitRule, Source

__all__ = ["limit_meanings", "pace"]


def pace(limit: Limit) -> str:
    """Say in one phrase what a limit lets through."""
    if not limit.quota:
        return "no request at all"
    return f"{count(limit.quota, 'request')} at once, then {rate(limit.quota, limit.fill_interval)}"


def limit_meanings(rule: RateLimitRule) -> tuple[Meaning, ...]:
    """Return what one entry of `spec.configs` means."""
    base = tuple(_limit(rule.limit, rule.source))
    found = [*scope_meanings(rule.scope), *base]
    names = [match_words(override.match) for override in rule.overrides]
    for name, override in zip(names, rule.overrides, strict=True):
        own = _beside(base, _limit(override.limit, rule.source))
        found += under(f"override [{name}]", own, f"Instead, where {name}")
    if len(names) > 1:
        found.append(
            Meaning(
                "override order",
                "; ".join(names),
                "A request that more than one override fits is held to the first of them.",
            )
        )
    return tuple(found)


def _beside(base: Iterable[Meaning], own: Iterable[Meaning]) -> Iterator[Meaning]:
    """Yield the facts of an override; what is as in the rule's own limit needs no words again."""
    known = {one.key: one.value for one in base}
    for one in own:
        silent = one.key == "rate" or known.get(one.key) == one.value
        yield one if one.key == "burst" or not silent else Meaning(one.key, one.value)


def _limit(limit: Limit, source: Source) -> Iterator[Meaning]:
    yield Meaning("burst", str(limit.quota), f"{pace(limit).capitalize()}.")
    filling = ""
    if limit.quota:
        tokens = count(limit.quota, "token")
        filling = (
            f"The bucket starts full and fills evenly, {tokens} each {span(limit.fill_interval)};"
            " each process has its own."
        )
    yield Meaning("rate", rate(limit.quota, limit.fill_interval), filling)
    machine = bucket(limit.quota, limit.quota / limit.fill_interval)
    stage = LimitStage(Rule(source, ""), machine, limit)
    value, text = answered(stage.reject(0))
    tail = "; retry-after says when" if limit.quota else ""
    yield Meaning("refusal", value, f"A refusal is answered {text}{tail}.")
    if limit.per_connection:
        said = "One bucket serves all connections: per_downstream_connection has no effect here."
        yield Meaning("buckets", "one for all connections", said)
