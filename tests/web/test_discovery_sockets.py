"""Servers that restart under other ports under load: who follows, and what callers see."""

import asyncio
import socket
import threading
from collections import Counter
from contextlib import contextmanager, suppress

import httpx2
import pytest

from support.outbound import HOST, URL, Server, ejection, engine
from support.shells import eventually
from trafficcore.discovery import File
from trafficcore.engine.finding import Finding
from trafficcore.live.loading import first_answers
from trafficcore.web.httpx import AsyncTrafficTransport, TrafficTransport

pytestmark = pytest.mark.sockets

CALLERS = 4
THRESHOLD = 3


class Mortal(Server):
    """A server that can be killed with all of its connections."""

    def __init__(self, name):
        super().__init__(name)
        self._open = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    def get_request(self):
        connection, peer = super().get_request()
        self._open.add(connection)
        return connection, peer

    def kill(self):
        self.let_go.set()
        self.shutdown()
        self._thread.join()
        self.server_close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Fleet:
    """Servers by name, and the file that says where they are."""

    def __init__(self, folder, *names):
        self.file = folder / "endpoints.yaml"
        self.servers = {name: Mortal(name) for name in names}
        self.publish()

    def publish(self):
        text = "".join(f"- {server.address}\n" for server in self.servers.values())
        beside = self.file.with_suffix(".new")
        beside.write_text(text)
        beside.rename(self.file)

    def start_another(self, name):
        """Have a server of this name run under another port; return the one before."""
        before, self.servers[name] = self.servers[name], Mortal(name)
        return before

    def close(self):
        for server in self.servers.values():
            server.kill()


@pytest.fixture
def fleet(tmp_path):
    fleet = Fleet(tmp_path, "a", "b", "c")
    yield fleet
    fleet.close()


def made(fleet):
    rule = ejection(consecutive_5xx=THRESHOLD, interval=60, base_ejection_time=60)
    finding = Finding(ready=first_answers)  # as Engine.load has it
    return engine(rule, endpoints=File(fleet.file, every=0.01), finding=finding)


class Load:
    """Callers that call until they are told to stop: what came of it, in the order it came."""

    def __init__(self):
        self.ends = []
        self.stop = threading.Event()

    @property
    def errors(self):
        return [end for end in self.ends if end not in ("a", "b", "c")]

    def mark(self):
        """Have `since` count from here."""
        self._mark = len(self.ends)

    def since(self):
        return Counter(self.ends[self._mark :])

    def call(self, client):
        while not self.stop.is_set():
            try:
                answer = client.get(URL)
                self.ends.append(answer.text if answer.status_code == 200 else answer.status_code)
            except httpx2.TransportError as error:
                self.ends.append(type(error).__name__)

    async def call_async(self, client):
        while not self.stop.is_set():
            try:
                answer = await client.get(URL)
                self.ends.append(answer.text if answer.status_code == 200 else answer.status_code)
            except httpx2.TransportError as error:
                self.ends.append(type(error).__name__)


@contextmanager
def threads(gate):
    load = Load()
    with httpx2.Client(transport=TrafficTransport(gate), timeout=10) as client:
        callers = [threading.Thread(target=load.call, args=(client,)) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        try:
            yield load
        finally:
            load.stop.set()
            for caller in callers:
                caller.join()


@contextmanager
def loop(gate):
    load = Load()

    async def main():
        async with httpx2.AsyncClient(transport=AsyncTrafficTransport(gate), timeout=10) as client:
            await asyncio.gather(*(load.call_async(client) for _ in range(CALLERS)))

    runner = threading.Thread(target=lambda: asyncio.run(main()))
    runner.start()
    try:
        yield load
    finally:
        load.stop.set()
        runner.join()


def cluster_of(gate):
    (cluster,) = gate.policies.table.clusters
    return cluster


def left(gate, server):
    """Whether a server is no endpoint any more, and no call is on its way to it."""
    cluster = cluster_of(gate)
    return server.address not in cluster._endpoints and not any(
        one.active for one in cluster._gone if one.address == server.address
    )


@pytest.mark.parametrize("callers", [threads, loop])
def test_a_rolling_restart_under_other_ports_costs_no_caller_an_error(fleet, callers):
    gate = made(fleet)
    with callers(gate) as load:
        eventually(lambda: {"a", "b", "c"} <= set(load.ends))
        for name in ("a", "b", "c", "a", "b", "c"):
            old = fleet.start_another(name)
            fleet.publish()
            eventually(lambda name=name: fleet.servers[name].hits)
            eventually(lambda old=old: left(gate, old))
            old.kill()
            load.mark()
            eventually(lambda: len(load.since()) == 3)
    assert load.errors == []
    assert cluster_of(gate).snapshot(0)["in_flight"] == 0
    assert {host for server in fleet.servers.values() for host in server.hosts} == {HOST}


def test_servers_that_die_first_cost_a_few_errors_until_they_are_out_and_none_after(fleet):
    gate = made(fleet)
    most = THRESHOLD + CALLERS  # the run that ejects, and who was on his way
    with threads(gate) as load:
        eventually(lambda: {"a", "b", "c"} <= set(load.ends))
        old = fleet.start_another("a")
        old.kill()
        eventually(lambda: old.address in ejected(gate))
        assert 0 < len(load.errors) <= most
        load.mark()
        eventually(lambda: sum(load.since().values()) > 200)
        seen = load.since()
        assert set(seen) <= {"a", "b", "c"} or sum(seen.values()) - seen["b"] - seen["c"] <= CALLERS
        fleet.publish()  # the new one is another endpoint, with a clean record
        eventually(lambda: fleet.servers["a"].hits > 20)
        errors = len(load.errors)
        load.mark()
        eventually(lambda: sum(load.since().values()) > 200)
        assert set(load.since()) == {"a", "b", "c"}
        assert len(load.errors) == errors <= most
        assert ejected(gate) == set()


def ejected(gate):
    cluster = cluster_of(gate)
    return {one.address for one in list(cluster._endpoints.values()) if not one.healthy}


def test_a_file_that_is_gone_or_broken_for_a_while_costs_nothing(fleet):
    gate = made(fleet)
    with threads(gate) as load:
        eventually(lambda: {"a", "b", "c"} <= set(load.ends))
        fleet.file.write_text("- [")
        eventually(lambda: cluster_of(gate)._feed.error)
        fleet.file.unlink()
        eventually(lambda: "no such file" in cluster_of(gate)._feed.error)
        load.mark()
        eventually(lambda: len(load.since()) == 3)
        fleet.publish()
        eventually(lambda: not cluster_of(gate)._feed.error)
    assert load.errors == []
