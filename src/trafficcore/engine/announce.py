"""Telling the listeners: outside every lock, and at no risk to traffic."""

from collections.abc import Iterable
from typing import Final

from trafficcore.engine.events import Event, Listener, PolicyLoaded, RuleRead, Unmatched
from trafficcore.engine.facts import Facts
from trafficcore.engine.plan import Side
from trafficcore.engine.route import Routes
from trafficcore.engine.table import Table

__all__ = ["Announcer"]

#: Requests without any rule before somebody should be told that the Hosts may be undeclared.
_UNMATCHED: Final = 1000


class Announcer:
    """Passes events on to every listener; what one raises is counted and goes no further."""

    __slots__ = ("_listeners", "errors")

    def __init__(self, listeners: Iterable[Listener]) -> None:
        self._listeners = tuple(listeners)
        self.errors = 0

    def tell(self, event: Event) -> None:
        """Pass one event on."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001  # a listener must not break traffic
                self.errors += 1

    def tell_loaded(self, table: Table, *, reload: bool) -> None:
        """Say of each rule where it applies or why not, and of the whole that it took effect."""
        for rule in table.rules:
            about = f"{rule.about}, in shadow" if rule.shadow else rule.about
            self.tell(RuleRead(0, rule.source, about, rule.why_not))
        reasons = [rule.why_not for rule in table.rules]
        idle = reasons[0] if reasons and all(reasons) else ""
        kept, notices = table.stock.kept, table.notices
        self.tell(PolicyLoaded(0, len(table.rules), kept, notices, reload, idle))

    def note_unmatched(self, side: Side, routes: Routes, facts: Facts, now: float) -> None:
        """Count a request that no rule is about; tell once when there are many of them.

        One whose Host some rule is about is none of them: it has another path, or other headers.
        """
        if routes.is_about(facts.host):
            return
        side.unmatched += 1
        if side.unmatched == _UNMATCHED and routes.any_rules:
            self.tell(Unmatched(now, _UNMATCHED, facts.host))
