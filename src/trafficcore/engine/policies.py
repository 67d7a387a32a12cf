"""`Policies`: those in force, and how others take their place.

Law    a replacement is built whole, from a source that may fail, before anything changes; then one
       store puts it in place. What did not change keeps its state, who waits goes on waiting, and
       a request that is on its way through the old table counts where it began.
State  the source, what the table was built with, the table; queues that somebody still waits in.
"""

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import attrs

from trafficcore.engine.compile import Build, compile_policy
from trafficcore.engine.discovery import Endpoints
from trafficcore.engine.guard import new_lock
from trafficcore.engine.plan import Plan
from trafficcore.engine.retry_room import RetryRooms
from trafficcore.engine.schedule import QuotaStage
from trafficcore.engine.table import Table
from trafficcore.errors import ConfigError
from trafficcore.spec import Policy

__all__ = ["Made", "Policies"]


@attrs.frozen(kw_only=True)
class Made:
    """Policies that are built whole and not in force yet."""

    policy: Policy
    build: Build
    table: Table
    read: Callable[[], Policy] | None = None


class Policies:
    """What an engine is made of: others are made and installed under `changing`.

    `install` is called under the engine's own lock as well, for as long as it takes to swap.
    """

    __slots__ = (
        "_build",
        "_left",
        "_policy",
        "_switched",
        "changing",
        "queues",
        "reloads",
        "rooms",
        "source",
        "table",
    )

    def __init__(self, policy: Policy, build: Build) -> None:
        #: Reads the policies, again each time it is called.
        self.source: Callable[[], Policy] = lambda: policy
        self.reloads = 0
        #: Held while policies are read and built: by one at a time, and by no request.
        self.changing = new_lock()
        #: Where retries are counted, by service or host; they outlive every table.
        self.rooms = RetryRooms()
        self._build = build
        self._policy = policy
        #: Rules that were put in shadow or out of it by hand, in the order in which they were.
        self._switched: list[tuple[str, bool]] = []
        self.table: Table = compile_policy(policy, build)
        build.finding.ready(self.table.feeds)
        self.table.stock.commit()
        #: The queues of the table, and those of earlier ones in which somebody waits.
        self.queues: tuple[QuotaStage, ...] = self.table.quotas
        self._left: list[Plan] = []

    def make(
        self,
        read: Callable[[], Policy] | None,
        hosts: Mapping[str, Iterable[str]] | None,
        endpoints: Endpoints | None,
    ) -> Made:
        """Build what `read` returns; None: the same source again. Nothing changes yet.

        Endpoints that are to be found out are waited for here, before they are needed.
        """
        read = read or self.source
        build = self._build
        if hosts is not None:
            build = attrs.evolve(build, identity=attrs.evolve(build.identity, hosts=hosts))
        if endpoints is not None:
            build = attrs.evolve(build, endpoints=dict(endpoints))
        policy = read()
        for pattern, on in self._switched:
            policy, _ = _switch(policy, pattern, on)
        table = compile_policy(policy, build, self.table)
        build.finding.ready(table.feeds)
        return Made(policy=policy, build=build, table=table, read=read)

    def switch(self, pattern: str, on: bool) -> Made:
        """Build the same with rules in shadow or out of it; raises `ConfigError` if none is."""
        policy, found = _switch(self._policy, pattern, on)
        if not found:
            raise ConfigError(f"no rule is called {pattern!r}: see the names in snapshot()")
        self._switched = [*(it for it in self._switched if it[0] != pattern), (pattern, on)]
        build = self._build
        return Made(policy=policy, build=build, table=compile_policy(policy, build, self.table))

    def install(self, made: Made) -> Table:
        """Put what was made in force, in one step, and return its table."""
        table = made.table
        waiting = [stage for stage in self.queues if stage.queue.waiting]
        table.stock.commit()
        kept = {id(stage.queue) for stage in table.quotas}
        left = [stage for stage in waiting if id(stage.queue) not in kept]
        self.queues = (*table.quotas, *left)
        # a request may still be on its way through the table that is replaced now, so its plans
        # count on; those of the one before it have been left long since
        for rule in table.rules:
            rule.leave(self._left)
        self._left = self.table.plans()
        self.table, self._policy, self._build = table, made.policy, made.build
        if made.read is not None:
            self.source = made.read
            self.reloads += 1
        return table


def _switch(policy: Policy, pattern: str, on: bool) -> tuple[Policy, int]:
    """Return a policy whose rules of a name are in shadow or not, and how many they are."""
    found = 0

    def changed(rules: tuple[Any, ...]) -> tuple[Any, ...]:
        nonlocal found
        meant = [any(fnmatchcase(name, pattern) for name in rule.source.names) for rule in rules]
        found += sum(meant)
        return tuple(
            attrs.evolve(rule, shadow=on) if it else rule
            for it, rule in zip(meant, rules, strict=True)
        )

    lists = ("limits", "breakers", "destinations", "ramps", "quotas")
    return attrs.evolve(policy, **{name: changed(getattr(policy, name)) for name in lists}), found
