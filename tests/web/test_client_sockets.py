"""Servers killed, hung and started again under load, and what clients with retries see of it."""

import asyncio
import socket
import threading
import time
from contextlib import suppress
from importlib import import_module

import pytest
import requests

from support.clients import session_over
from support.outbound import URL, Server, ejected, ejection, engine, outbound
from trafficcore.clients import (
    AsyncTrafficTransport,
    Retries,
    RetryCaps,
    TrafficAdapter,
    TrafficTransport,
)
from trafficcore.live import Breakers

pytestmark = pytest.mark.sockets

#: More than the clients there are: none of them is to be left without another try.
ROOM = RetryCaps(max_retries=8)
KINDS = ["requests", "httpx2", "httpx2-async"]


class Killable(Server):
    """A server that can go as a killed process does, with every connection it has."""

    def __init__(self, name, port=0):
        super().__init__(name, port)
        self.connections = set()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self.thread.start()

    def get_request(self):
        connection, address = super().get_request()
        self.connections.add(connection)
        return connection, address

    def kill(self):
        self.let_go.set()
        self.shutdown()
        self.thread.join()
        self.server_close()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def servers():
    made = [Killable(name) for name in "abc"]
    yield made
    for server in made:
        server.kill()


@pytest.fixture(params=KINDS)
def load(request):
    """Return what makes calls from four clients at once: their texts, or their errors by name."""

    def sync(call, calls, during):
        answers = []

        def work():
            for _ in range(calls):
                try:
                    answers.append(call())
                except Exception as error:
                    answers.append(type(error).__name__)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        during(lambda: len(answers))
        for thread in threads:
            thread.join()
        return answers

    def by_requests(gate, path, calls, during, **settings):
        session = requests.Session()
        session.trust_env = False
        session.mount("http://", TrafficAdapter(gate, pool_maxsize=8, **settings))
        with session:
            return sync(lambda: session.get(URL + path).text, calls, during)

    def by_httpx(gate, path, calls, during, **settings):
        with import_module("httpx2").Client(transport=TrafficTransport(gate, **settings)) as client:
            return sync(lambda: client.get(URL + path).text, calls, during)

    def by_loop(gate, path, calls, during, **settings):
        async def main():
            answers = []
            transport = AsyncTrafficTransport(gate, **settings)
            async with import_module("httpx2").AsyncClient(transport=transport) as client:

                async def work():
                    for _ in range(calls):
                        try:
                            answers.append((await client.get(URL + path)).text)
                        except Exception as error:
                            answers.append(type(error).__name__)

                tasks = [asyncio.create_task(work()) for _ in range(4)]
                await asyncio.to_thread(during, lambda: len(answers))
                await asyncio.gather(*tasks)
            return answers

        return asyncio.run(main())

    return {"requests": by_requests, "httpx2": by_httpx, "httpx2-async": by_loop}[request.param]


def reached(done, count):
    """Wait until so many calls are done."""
    end = time.monotonic() + 20
    while done() < count and time.monotonic() < end:
        time.sleep(0.001)


def gate_of(servers, **settings):
    settings = {"consecutive_5xx": 2, "interval": 0.2, "base_ejection_time": 0.3, **settings}
    return engine(ejection(**settings), endpoints=[server.address for server in servers])


def test_a_server_killed_under_load_costs_no_call_and_comes_back(load, servers):
    gate = gate_of(servers)

    def during(done):
        reached(done, 40)
        servers[0].kill()
        reached(done, 120)
        servers[0] = Killable("a", servers[0].server_port)

    answers = load(gate, "", 50, during, retries=Retries(2, caps=ROOM))
    assert set(answers) == {"a", "b", "c"}
    assert len(answers) == 200
    assert outbound(gate)["in_flight"] == 0
    (room,) = gate.snapshot(time.monotonic())["retries"].values()
    assert room["success"] == room["retried"] >= 1
    # its time out, which has grown if it came back too soon, and the sweep after it
    again, end = [], time.monotonic() + 20
    while "a" not in again and time.monotonic() < end:
        time.sleep(0.1)
        again = load(gate, "", 5, lambda _: None, retries=Retries(2, caps=ROOM))
    assert set(again) == {"a", "b", "c"}
    assert ejected(gate, time.monotonic()) == set()


def test_without_retries_errors_end_with_the_ejection(load, servers):
    gate = gate_of(servers, base_ejection_time=600)
    servers[0].kill()
    answers = load(gate, "", 50, lambda _: None)
    errors = [answer for answer in answers if answer not in {"b", "c"}]
    # two fail, and at the most those that were on their way beside them
    assert 2 <= len(errors) <= 5
    assert ejected(gate, time.monotonic()) == {servers[0].address}


def test_a_server_that_hangs_is_left_for_another_and_is_out_of_the_way(load, servers):
    gate = gate_of(servers, base_ejection_time=600)
    for server in servers[1:]:
        server.let_go.set()
    begun = time.monotonic()
    policy = Retries(2, per_try_timeout=0.3, caps=ROOM)
    answers = load(gate, "hang", 20, lambda _: None, retries=policy)
    assert set(answers) == {"b", "c"}
    assert time.monotonic() - begun < 5
    assert ejected(gate, time.monotonic()) == {servers[0].address}
    assert servers[0].hits <= 5


def test_a_service_that_is_down_is_not_asked_once_more_for_each_try(servers):
    servers[0].status = 503
    shell = TrafficTransport(breaker=Breakers(consecutive_errors=5), retries=Retries(3))
    with import_module("httpx2").Client(transport=shell) as client:
        url = f"http://{servers[0].address}/"
        assert [client.get(url).status_code for _ in range(10)] == [503] * 10
    assert servers[0].hits == 5


@pytest.mark.parametrize("name", ["requests", "httpx2"])
def test_the_tries_of_a_call_share_a_connection(name, servers):
    servers[0].status = 503
    url = f"http://{servers[0].address}/"
    if name == "requests":
        session, _ = session_over(retries=Retries(3))
    else:
        session = import_module(name).Client(transport=TrafficTransport(retries=Retries(3)))
    with session:
        assert session.get(url).status_code == 503
    assert servers[0].hits == 4
    assert len(servers[0].connections) == 1
