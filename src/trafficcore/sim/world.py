"""`World`: one engine, its callers and its servers on virtual time.

Law    The engine is the one that runs in production, through its public verbs: there is no other
       implementation of any policy here. It is polled when it asks to be, after everything else
       of that instant. The same scenario and seed give the same result.
Cost   An arrival, an answer and what lies between are two events; memory is that of the calls in
       flight and of `stats.py`.
"""

from collections.abc import Callable, Iterator
from itertools import cycle
from math import inf, nextafter
from typing import Any, Final

import numpy as np

from trafficcore.engine import Engine, Identity, Permit, Queued, Rejection
from trafficcore.engine.events import Event, PolicyLoaded, RuleRead
from trafficcore.sim.arrivals import arrivals
from trafficcore.sim.draw import uniforms
from trafficcore.sim.kernel import Kernel
from trafficcore.sim.loads import Call, SimLoad
from trafficcore.sim.servers import SimServer, concerns
from trafficcore.sim.spec import Load, Scenario, Service
from trafficcore.sim.stats import ClassStats, Series, bin_width
from trafficcore.spec import Direction, EndpointSpec, Policy, full_name

__all__ = ["Observer", "World"]

Observer = Callable[[Call, float], None]

#: So many transitions are kept for the timeline; the rest is counted.
_MOST_EVENTS: Final = 1000
#: Events between two looks at how far the run has come.
_STRIDE: Final = 20_000


class World:
    """A scenario at work. `run` gives everything; the attributes are there to be read."""

    def __init__(
        self,
        scenario: Scenario,
        policy: Policy,
        *,
        observe: tuple[Observer, ...] = (),
        listen: tuple[Callable[[Event], None], ...] = (),
    ) -> None:
        self.scenario = scenario
        self.kernel = Kernel()
        self.observe = observe
        self.events: list[Event] = []
        self.more_events = 0
        self._listen = listen
        self.width = bin_width(scenario.duration, scenario.drain)
        self.waiting = 0
        self.most_waiting = 0
        #: The most that waited at any time of a bin; a bin like the one before it is left out.
        self.waiting_over_time: list[tuple[float, int]] = [(0, 0)]
        self._bin = 0
        self.zones: dict[str, Series] = {}
        self.classes = {load.name: ClassStats(self.width) for load in scenario.loads}
        self.servers = {
            service.name: self._serve(at, service) for at, service in enumerate(scenario.services)
        }
        self.engine = self._engine(policy)
        self.permit = self.engine.permit
        self._armed = inf
        self._polls: set[float] = set()
        self._loads = [self._load(at, load) for at, load in enumerate(scenario.loads)]

    def _rng(self, *path: int) -> np.random.Generator:
        """Return a stream of draws of its own for each part: no part disturbs another."""
        return np.random.default_rng([self.scenario.seed, *path])

    def _engine(self, policy: Policy) -> Engine:
        process = self.scenario.process
        outbound = {
            load.service for load in self.scenario.loads if load.direction is Direction.OUTBOUND
        }
        return Engine(
            policy,
            identity=Identity(
                labels=dict(process.labels),
                namespace=process.namespace,
                gateway=process.gateway,
                locality=process.locality,
                istio=process.istio,
                callers=dict(process.callers),
                root_namespace=process.root_namespace,
                hosts=dict(process.hosts),
            ),
            endpoints={
                full_name(service.name, process.namespace): [
                    EndpointSpec(s.address, s.locality, s.weight, s.labels) for s in service.servers
                ]
                for service in self.scenario.services
                if service.name in outbound
            },
            mode=process.mode,
            listeners=(self._hear, *self._listen),
            max_waiting=process.max_waiting,
            draw=uniforms(self._rng(3)).__next__,
        )

    def _serve(self, at: int, service: Service) -> list[SimServer]:
        servers = []
        for number, spec in enumerate(service.servers, 1):
            failures = [f for f in service.failures if concerns(f, number, spec)]
            zone = self.zones.setdefault(spec.locality, Series(self.width))
            rng = self._rng(1, at, number)
            servers.append(SimServer(spec, failures, self.kernel, rng, zone))
        return servers

    def _load(self, at: int, spec: Load) -> SimLoad:
        servers = self.servers[spec.service]
        # the engine goes by the host, and so may choose an endpoint of another service
        everywhere = [server for others in self.servers.values() for server in others]
        by_address = {server.address: server for server in (*everywhere, *servers)}
        in_turn = cycle(servers)

        def server_of(permit: Permit) -> SimServer:
            endpoint = permit.endpoint
            known = None if endpoint is None else by_address.get(endpoint.address)
            return next(in_turn) if known is None else known  # nobody plays that endpoint

        end = min(spec.start + spec.duration, self.scenario.duration)
        times: Iterator[float] = iter(())
        if not spec.closed:
            times = arrivals(spec, end, self._rng(2, at, 0))
        stats = self.classes[spec.name]
        return SimLoad(spec, self, stats, self._rng(2, at, 1), times, server_of)

    def _hear(self, event: Event) -> None:
        if isinstance(event, (RuleRead, PolicyLoaded)):
            return
        if len(self.events) < _MOST_EVENTS:
            self.events.append(event)
        else:
            self.more_events += 1

    # -- queues ---------------------------------------------------------------------------------

    def queued(self, now: float, change: int) -> None:
        """Note that somebody began or ceased to wait."""
        waiting = self.waiting = self.waiting + change
        self.most_waiting = max(self.most_waiting, waiting)
        series = self.waiting_over_time
        number = int(now / self.width)
        if number > self._bin:
            before = waiting - change
            if number > self._bin + 1 and before != series[-1][1]:
                series.append(((self._bin + 1) * self.width, before))
            self._bin = number
            series.append((number * self.width, max(waiting, before)))
        elif waiting > series[-1][1]:
            series[-1] = (series[-1][0], waiting)

    def rearm(self) -> None:
        """Have the engine polled when it asks to be, if nothing is armed for then or before."""
        deadline = self.engine.next_deadline()
        if deadline < self._armed:
            now = self.kernel.now
            self._arm(deadline if deadline > now else now)

    def _arm(self, at: float) -> None:
        self._armed = at
        if at not in self._polls:  # else one from before a nearer deadline lies there still
            self._polls.add(at)
            self.kernel.late(at, self._poll)

    def _poll(self, _: Any) -> None:
        now = self.kernel.now
        self._polls.discard(now)
        if now < self._armed:
            return
        self._armed = inf
        woken: list[tuple[Queued, Permit | Rejection]] = self.engine.poll(now)
        for ticket, verdict in woken:
            call: Any = ticket.wake
            call.ticket = None
            self.queued(now, -1)
            call.load.verdict(call, verdict)
        if not woken and self.engine.next_deadline() <= now:
            # rounding left a remainder of the last bit: the next instant there is
            self._arm(nextafter(now, inf))
        else:
            self.rearm()

    # -- running --------------------------------------------------------------------------------

    def run(self, progress: Callable[[float], object] = lambda _: None) -> None:
        """Run to the end. `progress` gets the share of the time that has gone by, now and then."""
        scenario, kernel = self.scenario, self.kernel
        for load in self._loads:
            load.begin()
        end = scenario.duration + scenario.drain
        while kernel.run(end, _STRIDE) == _STRIDE:
            progress(min(1.0, kernel.now / scenario.duration))
        progress(1.0)
        for load in self._loads:
            stats = load.stats
            stats.unanswered = stats.sent - stats.count
        after = (self._bin + 1) * self.width
        if self.end > after and self.waiting != self.waiting_over_time[-1][1]:
            self.waiting_over_time.append((after, self.waiting))

    @property
    def end(self) -> float:
        """When the last call had its answer, or the run was over where one had none."""
        classes = self.classes.values()
        if any(stats.unanswered for stats in classes):
            return self.kernel.now
        return max(stats.last for stats in classes) or self.kernel.now
