"""The callers: open loops that send come what may, closed ones that wait for their answers.

Law    A call goes through the engine as one does in a shell: `admit`, a wait in the queue where
       there is one, the server, `settle`. A client's patience runs from the moment it calls; an
       answer that comes as it ends still counts. What is refused is answered after
       `refused_after`. No call begins at the end of its load or later.
State  the calls of a load whose clients may lose patience, in the order in which they will: those
       on their way, and at most as many that have ended.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from trafficcore.engine import Facts, Permit, Queued, Rejection
from trafficcore.outcome import Outcome
from trafficcore.sim.draw import draws
from trafficcore.sim.spec import Load
from trafficcore.sim.stats import NO_ANSWER, ClassStats
from trafficcore.spec import Direction

if TYPE_CHECKING:
    import numpy as np

    from trafficcore.sim.servers import SimServer
    from trafficcore.sim.world import World

__all__ = ["Call", "Client", "SimLoad"]

FAILURE, CANCELLED = Outcome.FAILURE, Outcome.CANCELLED
_TIMEOUT = 504
#: Calls that have ended are dropped from the line of the patient when it is longer than this.
_ROOM = 64


class Client:
    """One client of a closed loop: how many calls it has made, how many are yet uncounted."""

    __slots__ = ("made", "warming")

    def __init__(self, warming: int) -> None:
        self.warming = warming
        self.made = 0


class Call:
    """One call on its way. `over` is set as soon as its client has an answer or has given up.

    `answer` is the server's status, whoever hears it; `code` is what the client got.
    """

    __slots__ = (
        "answer",
        "client",
        "code",
        "counted",
        "load",
        "over",
        "permit",
        "reason",
        "sent",
        "server",
        "ticket",
        "unreached",
    )

    def __init__(self, load: "SimLoad", client: Client | None, sent: float, counted: bool) -> None:
        self.load = load
        self.client = client
        self.sent = sent
        self.counted = counted
        self.answer = 0
        self.code = NO_ANSWER
        self.over = False
        self.unreached = False
        self.reason = ""
        self.permit: Any = None
        self.ticket: Queued | None = None
        self.server: SimServer | None = None


class SimLoad:
    """One class of clients at work."""

    def __init__(
        self,
        spec: Load,
        world: "World",
        stats: ClassStats,
        rng: "np.random.Generator",
        times: Iterator[float],
        server_of: Callable[[Permit], "SimServer"],
    ) -> None:
        self.spec = spec
        self.stats = stats
        self.refused_after = spec.refused_after
        self._world = world
        self._kernel = world.kernel
        self._admit = world.engine.admit
        self._server_of = server_of
        self._times = times
        self._timeout = spec.timeout
        self._patient: deque[Call] = deque()
        self._room = _ROOM
        self._watched = False
        self._observe = world.observe
        self._think = draws(spec.think, rng)
        self._left = 0
        #: No call begins later; of loads that warm up the timed part is still to come.
        self._last = world.scenario.duration
        self._end = min(spec.start + spec.duration, self._last)
        self._outbound = spec.direction is Direction.OUTBOUND
        self._facts = Facts(
            spec.control_point or spec.direction,
            spec.host,
            spec.path,
            spec.method,
            query=spec.query,
            scheme=spec.scheme,
            headers=dict(spec.headers),
            labels=dict(spec.labels) or None,
            address=spec.address,
        )

    def begin(self) -> None:
        """Put the first calls where they are due."""
        spec = self.spec
        if not spec.closed:
            self._next_arrival()
            return
        self._left = spec.clients if spec.warmup_calls else 0
        for number in range(spec.clients):
            client = Client(spec.warmup_calls)
            self._kernel.at(spec.start + number * spec.stagger, self._call, client)

    def _next_arrival(self) -> None:
        time = next(self._times, None)
        if time is not None:
            self._kernel.at(time, self._arrive)

    def _arrive(self, _: Any) -> None:
        self._next_arrival()
        self._send(None)

    def _call(self, client: Client) -> None:
        if self._kernel.now >= (self._last if client.warming else self._end):
            return
        if not client.warming:
            client.made += 1
        self._send(client)

    def _send(self, client: Client | None) -> None:
        now = self._kernel.now
        stats = self.stats
        counted = client is None or not client.warming
        if counted:
            stats.sent += 1
            if stats.first is None:
                stats.first = now
        else:
            stats.warmups += 1
        call = Call(self, client, now, counted)
        if self._timeout:
            self._watch(call)
        verdict: Any = self._admit(self._facts, now)
        if verdict.__class__ is self._world.permit:
            call.permit = verdict
            server = call.server = self._server_of(verdict)
            server.serve(call)
        else:
            self.verdict(call, verdict)

    def verdict(self, call: Call, verdict: Permit | Queued | Rejection) -> None:
        """Go on with a call as the engine says, at once or when a wait is over."""
        world = self._world
        if isinstance(verdict, Rejection):
            call.code = verdict.status
            call.reason = verdict.reason.value
            self._kernel.at(self._kernel.now + self.refused_after, self._refused, call)
            if world.waiting:  # what was taken on the way went back: somebody may be next
                world.rearm()
        elif isinstance(verdict, Queued):
            call.ticket = verdict
            verdict.wake = call  # type: ignore[assignment]  # the shell's own place; see World.poll
            world.queued(self._kernel.now, 1)
            world.rearm()
        elif call.over:  # decided at the very moment at which its client gave up
            verdict.give_back(self._kernel.now)
            world.rearm()
        else:
            call.permit = verdict
            server = call.server = self._server_of(verdict)
            server.serve(call)

    def _refused(self, call: Call) -> None:
        if not call.over:
            self._end_call(call)

    def settle(self, call: Call) -> None:
        """Take a server's answer."""
        permit = call.permit
        now = self._kernel.now
        call.code = call.answer
        if call.unreached:
            permit.settle(FAILURE, now, call.code, local=True)
        else:
            permit.settle(None, now, call.code)
        if self._world.waiting:  # the slot that a call held goes to the next
            self._world.rearm()
        self._end_call(call)

    def _watch(self, call: Call) -> None:
        """Have a call given up when its client's patience ends: the newest is the last."""
        patient = self._patient
        if len(patient) >= self._room:
            patient = self._patient = deque(call for call in patient if not call.over)
            self._room = 2 * len(patient) + _ROOM
        patient.append(call)
        if not self._watched:
            self._watched = True
            self._kernel.late(call.sent + self._timeout, self._lose_patience)

    def _lose_patience(self, _: Any) -> None:
        now, timeout = self._kernel.now, self._timeout
        patient = self._patient
        while patient and (patient[0].over or patient[0].sent + timeout <= now):
            call = patient.popleft()
            if not call.over:
                self._give_up(call, now)
        self._watched = bool(patient)
        if patient:
            self._kernel.late(patient[0].sent + timeout, self._lose_patience)

    def _give_up(self, call: Call, now: float) -> None:
        permit, ticket = call.permit, call.ticket
        if permit is not None:
            # a client in process counts its own time-out against the server; one that called us
            # and went away is no verdict on anybody
            if self._outbound:
                permit.settle(FAILURE, now, _TIMEOUT, local=True)
            else:
                permit.settle(CANCELLED, now)
            if self._world.waiting:
                self._world.rearm()
        elif ticket is not None and self._world.engine.cancel(ticket, now):
            self._world.queued(now, -1)
            self._world.rearm()
        call.code = NO_ANSWER
        call.reason = ""
        self._end_call(call)

    def _end_call(self, call: Call) -> None:
        call.over = True
        now = self._kernel.now
        if call.counted:
            if call.reason:
                reasons = self.stats.reasons
                reasons[call.reason] = reasons.get(call.reason, 0) + 1
            self.stats.answered(now, call.code, now - call.sent)
            for observe in self._observe:
                observe(call, now)
        if call.client is not None:
            self._go_on(call, call.client, now)

    def _go_on(self, call: Call, client: Client, now: float) -> None:
        """Let a client of a closed loop make its next call, if it is to make one."""
        if client.warming:
            client.warming -= 1
            if client.warming:
                self._kernel.at(now, self._call, client)
                return
            self._left -= 1
            if not self._left:
                self._end = min(now + self.spec.duration, self._last)
                for _ in range(self.spec.clients):
                    self._kernel.at(now, self._call, Client(0))
            return
        spec = self.spec
        pause = next(self._think) + (spec.backoff if call.reason else 0)
        if now + pause < self._end and not (spec.calls and client.made >= spec.calls):
            self._kernel.at(now + pause, self._call, client)
