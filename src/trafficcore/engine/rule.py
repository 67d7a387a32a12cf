"""`Rule`: one rule of a manifest at work: where it applies, and what it did so far."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from trafficcore.engine.events import Refusals
from trafficcore.outcome import Reason
from trafficcore.spec import Source

if TYPE_CHECKING:
    from trafficcore.engine.plan import Plan

__all__ = ["Rule"]

#: Seconds between two summaries of one rule's refusals.
_SUMMARY: Final = 10


class Rule:
    """Plain counters of one rule, kept over reloads for as long as the rule is what it was.

    `hits` counts the requests it was looked at for, `refused` those it turned away, `shadowed`
    those it would have turned away in shadow mode.
    """

    __slots__ = (
        "_hits",
        "_since",
        "_told",
        "about",
        "plans",
        "refused",
        "shadow",
        "shadowed",
        "source",
        "why_not",
    )

    def __init__(self, source: Source, about: str, why_not: str = "", shadow: bool = False) -> None:
        #: Whether it counts what it would refuse, and refuses nothing.
        self.shadow = shadow
        self.source = source
        self.about = about
        self.why_not = why_not
        self._hits = 0
        #: The plans that the rule is part of count for it.
        self.plans: list[Plan] = []
        self.refused = 0
        self.shadowed = 0
        self._told = 0
        self._since: float | None = None

    @property
    def hits(self) -> int:
        """How many requests the rule was looked at for."""
        return self._hits + sum(plan.hits for plan in self.plans)

    def leave(self, plans: "Iterable[Plan]") -> None:
        """Take over the counts of plans that no request follows any more."""
        left = set(map(id, plans))
        self._hits += sum(plan.hits for plan in self.plans if id(plan) in left)
        self.plans = [plan for plan in self.plans if id(plan) not in left]

    def note_refusal(self, now: float, reason: Reason, *, enforced: bool = True) -> Refusals | None:
        """Count one refusal; return a summary to tell, at the first one and then every 10 s."""
        if enforced:
            self.refused += 1
        else:
            self.shadowed += 1
        since = self._since
        if since is not None and now - since < _SUMMARY:
            return None
        total = self.refused + self.shadowed
        count, self._told, self._since = total - self._told, total, now
        return Refusals(now, self.source, reason, count, now if since is None else since, enforced)

    def snapshot(self) -> dict[str, Any]:
        """Return the counters and where the rule was written, as plain data."""
        source = self.source
        return {
            "kind": source.kind,
            "namespace": source.namespace,
            "name": source.name,
            "rule": source.rule,
            "file": source.file,
            "line": source.line,
            "applies": not self.why_not,
            "about": self.about,
            "why_not": self.why_not,
            "hits": self.hits,
            "refused": self.refused,
            "shadow": self.shadow,
            "shadowed": self.shadowed,
        }
