"""A scenario as frozen data: the process, its callers, its servers, and what to expect.

Times are seconds of virtual time from 0, localities `region/zone/sub-zone`. `scenario.py` makes
these of a file, `world.py` runs them.
"""

import attrs

from trafficcore.spec import Direction

__all__ = [
    "Distribution",
    "Failure",
    "Load",
    "Process",
    "Scenario",
    "Segment",
    "Server",
    "Service",
]


@attrs.frozen
class Distribution:
    """How long something takes.

    `kind` is `constant` (a), `uniform` (from a to b), `exponential` (mean a) or `lognormal`
    (median a, 99th percentile b).
    """

    kind: str = "constant"
    a: float = 0
    b: float = 0

    @property
    def middle(self) -> float:
        """Its mean, or its median where it is log-normal."""
        return (self.a + self.b) / 2 if self.kind == "uniform" else self.a


@attrs.frozen(kw_only=True)
class Process:
    """Who runs the engine, as `Engine.load` takes it."""

    labels: tuple[tuple[str, str], ...] = ()
    namespace: str = "default"
    gateway: bool = False
    locality: str = ""
    istio: str | None = None
    callers: tuple[tuple[str, int], ...] = ()
    root_namespace: str = "istio-system"
    hosts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    mode: str = "enforce"
    max_waiting: int = 10_000


@attrs.frozen(kw_only=True)
class Failure:
    """What is wrong with some servers from `start` up to `end`.

    `servers` are numbers from 1 or addresses, none: all; `zone` a locality or the beginning of
    one. `share` is the part of calls that it hits. One that is `refused` cannot be connected to,
    one that `hangs` answers when it is over; otherwise it answers `status` (0: as ever) after
    `latency` (None: as ever).
    """

    servers: tuple[str, ...] = ()
    zone: str = ""
    start: float = 0
    end: float = float("inf")
    status: int = 503
    share: float = 1
    refused: bool = False
    hangs: bool = False
    latency: Distribution | None = None


@attrs.frozen(kw_only=True)
class Server:
    """One endpoint. `capacity` calls at once (0: any number), `queue` more wait their turn."""

    address: str
    locality: str = ""
    weight: int = 1
    labels: tuple[tuple[str, str], ...] = ()
    latency: Distribution = Distribution()
    capacity: int = 0
    queue: int = 1000
    errors: float = 0
    error_status: int = 503


@attrs.frozen(kw_only=True)
class Service:
    """What stands behind a host: its servers, and what goes wrong with them."""

    name: str
    servers: tuple[Server, ...]
    failures: tuple[Failure, ...] = ()


@attrs.frozen
class Segment:
    """From `start` up to `end` a load's rate goes in a straight line from `rate` to `last`."""

    start: float
    end: float
    rate: float
    last: float


@attrs.frozen(kw_only=True)
class Load:
    """One class of clients, in one of two shapes.

    Open: calls come by `segments`, evenly or as a Poisson process, or in `bursts` of (size,
    every), whatever becomes of them. Closed: `clients` of them each call, wait for the answer,
    think and call again; each first makes `warmup_calls` that are not counted, and the timed part
    begins when all are through.

    `duration` is the time in which new calls begin, `calls` the most of them (per client, where
    closed). `timeout` (0: none) is how long a client waits. A refusal takes `refused_after`, and
    a closed client then pauses for `backoff`. With `control_point` they are seen at a place of the
    application's own, and neither where they come in nor where they go out.
    """

    name: str
    host: str
    path: str = "/"
    query: str = ""
    method: str = "GET"
    scheme: str = "http"
    direction: Direction = Direction.INBOUND
    control_point: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    address: str = ""
    service: str = ""
    start: float = 0
    duration: float = float("inf")
    calls: int = 0
    timeout: float = 0
    refused_after: float = 0.001
    segments: tuple[Segment, ...] = ()
    bursts: tuple[int, float] | None = None
    poisson: bool = False
    clients: int = 0
    think: Distribution = Distribution()
    stagger: float = 0
    warmup_calls: int = 0
    backoff: float = 0

    @property
    def closed(self) -> bool:
        """Whether each client waits for its answer before it goes on."""
        return self.clients > 0


@attrs.frozen(kw_only=True)
class Scenario:
    """Everything that decides what a run gives; the same scenario and seed give the same bytes.

    After the loads have ended, calls in flight have `drain` seconds to be answered.
    """

    name: str
    file: str = ""
    seed: int = 1
    duration: float = 60
    drain: float = 60
    manifests: tuple[str, ...] = ()
    process: Process = Process()
    services: tuple[Service, ...] = ()
    loads: tuple[Load, ...] = ()
    expect: tuple[str, ...] = ()
