"""`Rule`: one rule of a manifest at work: where it applies, and what it did so far."""

from typing import Any, Final

from trafficcore.engine.events import Refusals
from trafficcore.outcome import Reason
from trafficcore.spec import Source

__all__ = ["Rule"]

#: Seconds between two summaries of one rule's refusals.
_SUMMARY: Final = 10


class Rule:
    """Plain counters of one rule, kept over reloads for as long as the rule is what it was.

    `hits` counts the requests it was looked at for, `refused` those it turned away, `shadowed`
    those it would have turned away in shadow mode.
    """

    __slots__ = ("_since", "_told", "about", "hits", "refused", "shadowed", "source", "why_not")

    def __init__(self, source: Source, about: str, why_not: str = "") -> None:
        self.source = source
        self.about = about
        self.why_not = why_not
        self.hits = 0
        self.refused = 0
        self.shadowed = 0
        self._told = 0
        self._since: float | None = None

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
            "shadowed": self.shadowed,
        }
