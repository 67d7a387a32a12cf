"""Which plan a request follows: host, path, and only then whatever else the rules look at.

Cost: one dictionary look-up where no rule of the host looks at the path, two where one does, and
a predicate for each rule that looks further. The memos are bounded: Hosts and paths are the
caller's to choose.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol, TypeAlias

import attrs

from trafficcore.engine.cluster import Cluster
from trafficcore.engine.facts import Facts
from trafficcore.engine.identity import strip_port
from trafficcore.engine.metering import MeterStage
from trafficcore.engine.plan import Plan
from trafficcore.engine.ramp import RampStage
from trafficcore.engine.schedule import QuotaStage
from trafficcore.engine.stages import BreakStage, LimitStage
from trafficcore.engine.target import Target

__all__ = ["Choice", "Claimed", "Entry", "Routes"]

#: What a plan has claimed, in this order of kinds.
Claimed: TypeAlias = MeterStage | RampStage | QuotaStage
Stage: TypeAlias = LimitStage | BreakStage | Claimed | Target

_MOST_HOSTS: Final = 512
#: Of all hosts together.
_MOST_PATHS: Final = 4096
#: What is longer is worked out each time: memory is bounded in bytes as well.
_LONGEST: Final = 256


@attrs.frozen
class Choice:
    """What one rule does to requests of one host and path.

    `choose` None: always the only option. Otherwise it gives the option's index for a request;
    an option of None means that the rule is not about the request.
    """

    options: tuple[Stage | None, ...]
    choose: Callable[[Facts], int] | None = None


class Entry(Protocol):
    """One rule, ready to be asked which requests it is about."""

    looks_at_path: bool

    def about_host(self, host: str) -> bool:
        """Whether the rule may be about requests to this bare, lower-case host."""
        ...

    def resolve(self, host: str, path: str) -> Choice | None:
        """Return what the rule does there; None: nothing, whatever else the request holds."""
        ...


class _Branch:
    """A place where the plan depends on more than host and path."""

    __slots__ = ("choices", "cluster", "make", "plans")

    def __init__(
        self, choices: Sequence[Choice], cluster: Cluster | None, make: Callable[..., Plan]
    ) -> None:
        self.choices = [(choice.choose or (lambda _: 0), choice.options) for choice in choices]
        self.cluster = cluster
        self.make = make
        self.plans: dict[tuple[int, ...], Plan] = {}

    def plan(self, facts: Facts) -> Plan:
        key = tuple([choose(facts) for choose, _ in self.choices])
        try:
            return self.plans[key]
        except KeyError:
            stages = [options[index] for index, (_, options) in zip(key, self.choices, strict=True)]
            plan = self.plans[key] = self.make(stages, self.cluster)
            return plan


class _Host:
    """What is known of one Host: `only`, the plan of all its paths, or else a memo of paths."""

    __slots__ = ("cluster", "entries", "name", "only", "paths")

    def __init__(self, name: str, entries: Sequence[Entry], cluster: Cluster | None) -> None:
        self.name = name
        self.entries = entries
        self.cluster = cluster
        self.only: Plan | _Branch | None = None
        self.paths: dict[str, Plan | _Branch] = {}


class Routes:
    """The routing of one direction; immutable but for its memos."""

    def __init__(
        self, entries: Iterable[Entry], cluster_of: Callable[[str], Cluster | None]
    ) -> None:
        self._entries = tuple(entries)
        self._cluster_of = cluster_of
        self.hosts: dict[str, _Host] = {}
        #: How many paths are remembered.
        self._paths = 0
        self._plans: dict[tuple[int, ...], Plan] = {}

    @property
    def any_rules(self) -> bool:
        """Whether any rule is about this direction at all."""
        return bool(self._entries)

    def is_about(self, host: str) -> bool:
        """Whether any rule is about some request to a Host that has been seen."""
        known = self.hosts.get(host)
        return known is not None and bool(known.entries)

    @property
    def plans(self) -> list[Plan]:
        """All plans made so far."""
        return list(self._plans.values())

    def find(self, facts: Facts) -> Plan:
        """Return the plan of a request; an empty one where no rule is about it."""
        try:
            host = self.hosts[facts.host]
        except KeyError:
            host = self._learn_host(facts.host)
        leaf = host.only
        if leaf is None:
            try:
                leaf = host.paths[facts.path]
            except KeyError:
                leaf = self._learn_path(host, facts.path)
        return leaf if leaf.__class__ is Plan else leaf.plan(facts)  # type: ignore[union-attr]

    def _learn_host(self, text: str) -> _Host:
        name = strip_port(text)
        entries = [entry for entry in self._entries if entry.about_host(name)]
        host = _Host(name, entries, self._cluster_of(name))
        if not any(entry.looks_at_path for entry in entries):
            host.only = self._resolve(host, "")
        if len(text) <= _LONGEST:
            if len(self.hosts) >= _MOST_HOSTS:
                self.hosts.clear()
                self._paths = 0
            self.hosts[text] = host
        return host

    def _learn_path(self, host: _Host, path: str) -> Plan | _Branch:
        leaf = self._resolve(host, path)
        if len(path) <= _LONGEST:
            if self._paths >= _MOST_PATHS:
                for known in list(self.hosts.values()):
                    known.paths.clear()
                self._paths = 0
            host.paths[path] = leaf
            self._paths += 1
        return leaf

    def _resolve(self, host: _Host, path: str) -> Plan | _Branch:
        found = [entry.resolve(host.name, path) for entry in host.entries]
        choices = [choice for choice in found if choice is not None]
        if all(choice.choose is None for choice in choices):
            return self._make([choice.options[0] for choice in choices], host.cluster)
        return _Branch(choices, host.cluster, self._make)

    def _make(self, stages: Iterable[Stage | None], cluster: Cluster | None) -> Plan:
        """Return the plan of these stages, the same one each time they come together."""
        present = [stage for stage in stages if stage is not None]
        for stage in present:
            if isinstance(stage, Target):
                cluster = stage.cluster
        key = (id(cluster), *(id(stage) for stage in present))
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = Plan(
                tuple(_of(LimitStage, present)),
                tuple(_of(BreakStage, present)),
                tuple(_of((MeterStage, RampStage, QuotaStage), present)),
                cluster,
            )
        return plan


def _of(kind: type[Any] | tuple[type[Any], ...], stages: Iterable[Any]) -> list[Any]:
    return [stage for stage in stages if isinstance(stage, kind)]
