"""`simulate`: a scenario run to its end, and everything there is to see of it as `Result`."""

from collections.abc import Callable
from typing import Any

import attrs

from trafficcore.engine.events import Event
from trafficcore.errors import ConfigError
from trafficcore.sim.expect import parse
from trafficcore.sim.measure import Verdict, gauges
from trafficcore.sim.names import amiss
from trafficcore.sim.spec import Scenario
from trafficcore.sim.stats import ClassStats, Series, code_name
from trafficcore.sim.world import World
from trafficcore.spec import Policy

__all__ = ["Result", "simulate"]


@attrs.frozen(kw_only=True)
class Result:
    """What a run gave. `end` is when its last call ended, `width` the span of a series' bin.

    `events` are the engine's own transitions; of more than a thousand the rest is in
    `more_events`. `snapshot` is `Engine.snapshot` at the end.
    """

    scenario: Scenario
    policy: Policy
    end: float
    width: float
    events_run: int
    classes: dict[str, ClassStats]
    servers: dict[str, list[dict[str, Any]]]
    zones: dict[str, Series]
    events: tuple[Event, ...]
    more_events: int
    most_waiting: int
    waiting: tuple[tuple[float, int], ...]
    snapshot: dict[str, Any]
    verdicts: tuple[Verdict, ...]

    @property
    def holds(self) -> bool:
        """Whether every expectation holds."""
        return all(verdict.holds for verdict in self.verdicts)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain data fit for JSON; the same run gives the same text."""
        from trafficcore.observe.app import plain
        from trafficcore.sim.timeline import line

        return {
            "scenario": self.scenario.name,
            "seed": self.scenario.seed,
            "duration": self.scenario.duration,
            "end": self.end,
            "bin": self.width,
            "classes": {
                name: {
                    **stats.snapshot(),
                    "over_time": {
                        code_name(code): stats.over_time[code].bins
                        for code in sorted(stats.over_time)
                    },
                }
                for name, stats in self.classes.items()
            },
            "services": self.servers,
            "zones": {zone: series.bins for zone, series in sorted(self.zones.items())},
            "waiting": {"most": self.most_waiting, "over_time": [list(at) for at in self.waiting]},
            "events": [{"at": event.at, "text": line(event)} for event in self.events],
            "more_events": self.more_events,
            "expectations": [attrs.asdict(verdict) for verdict in self.verdicts],
            "snapshot": plain(self.snapshot),
        }


def simulate(
    scenario: Scenario, policy: Policy, *, progress: Callable[[float], object] = lambda _: None
) -> Result:
    """Run a scenario under a set of policies and judge its expectations.

    Raises `ConfigError` for one that cannot be read, or speaks of what the scenario has not.
    """
    expectations = [parse(text) for text in scenario.expect]
    for expectation in expectations:
        for fault in amiss(expectation, scenario):
            raise ConfigError(f"{expectation.text!r} {fault}")
    measured = gauges(expectations)
    world = World(
        scenario,
        policy,
        observe=tuple(gauge.observe for gauge in measured),
        listen=tuple(gauge.listen for gauge in measured),
    )
    world.run(progress)
    now = world.kernel.now
    return Result(
        scenario=scenario,
        policy=policy,
        end=world.end,
        width=world.width,
        events_run=world.kernel.events,
        classes=world.classes,
        servers={
            name: [
                {
                    "address": server.address,
                    "locality": server.locality,
                    "calls": sum(server.codes.values()),
                    "codes": {str(code): server.codes[code] for code in sorted(server.codes)},
                }
                for server in servers
            ]
            for name, servers in world.servers.items()
        },
        zones=world.zones,
        events=tuple(world.events),
        more_events=world.more_events,
        most_waiting=world.most_waiting,
        waiting=tuple(world.waiting_over_time),
        snapshot=world.engine.snapshot(now),
        verdicts=tuple(gauge.verdict(world.most_waiting) for gauge in measured),
    )
