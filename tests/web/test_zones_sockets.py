"""Servers that are killed, hang, are late and come back, under load: what a client sees of it."""

import threading
import time
from collections import Counter
from contextlib import contextmanager

import httpx2
import pytest

from support.outbound import URL, ejection, engine
from support.rolling import rolling, serving
from trafficcore.engine.events import EndpointEjected, EndpointReturned
from trafficcore.web.httpx import TrafficTransport

pytestmark = pytest.mark.sockets

SWEEP, OUT = 0.25, 1.0
CALLERS = 4


class Load:
    """Callers that go on and on; each answer and error with its time."""

    def __init__(self, gate):
        self.answers = []  # (when it came, who gave it), "" for an error
        self.stop = threading.Event()
        self.client = httpx2.Client(transport=TrafficTransport(gate), timeout=0.5)

    def call(self):
        while not self.stop.wait(0.005):
            try:
                answer = self.client.get(URL)
                who = answer.text if answer.status_code == 200 else ""
            except httpx2.TransportError:
                who = ""
            self.answers.append((time.monotonic(), who))

    def errors(self, since, until=float("inf")):
        return sum(not who for at, who in self.answers if since <= at < until)

    def who(self, since, until=float("inf")):
        return {who for at, who in self.answers if since <= at < until}


@contextmanager
def load(gate):
    found = Load(gate)
    threads = [threading.Thread(target=found.call) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        found.stop.set()
        for thread in threads:
            thread.join()
        found.client.close()


class Heard:
    """When endpoints went out and came back."""

    def __init__(self):
        self.out, self.back = {}, {}

    def __call__(self, event):
        if isinstance(event, EndpointEjected) and event.enforced:
            self.out.setdefault(event.address, time.monotonic())
        elif isinstance(event, EndpointReturned):
            self.back.setdefault(event.address, time.monotonic())


def gate_of(servers, heard, zones=None, locality=""):
    rule = ejection(consecutive_5xx=2, interval=SWEEP, base_ejection_time=OUT)
    places = [server.address for server in servers]
    if zones is not None:
        places = list(zip(places, zones, strict=True))
    return engine(rule, endpoints=places, listeners=(heard,), locality=locality)


def until(condition, seconds=5):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.01)
    return time.monotonic()


@pytest.mark.parametrize("how", ["killed", "hangs", "late"])
def test_one_server_fails_under_load_and_comes_back(how):
    heard = Heard()
    with serving("xyz") as servers, load(gate_of(servers, heard)) as calls:
        until(lambda: calls.who(0) == {"x", "y", "z"})
        servers[0].fail(how)
        failed = time.monotonic()
        until(lambda: heard.out)
        # what was on its way to it when it went may end in an error still, for as long as it waits
        settled = heard.out[servers[0].address] + 0.6
        until(lambda: time.monotonic() > settled)
        assert heard.out.keys() == {servers[0].address}
        servers[0].recover()
        until(lambda: heard.back)
        away = heard.back[servers[0].address] - heard.out[servers[0].address]
        until(lambda: "x" in calls.who(heard.back[servers[0].address]))
        end = time.monotonic()
    assert 1 <= calls.errors(failed, settled) <= 2 + 2 * CALLERS
    assert calls.errors(settled, end) == 0
    assert "x" not in calls.who(settled, heard.back[servers[0].address])
    # out for its time, back at the first sweep after it; the rest is this machine's
    assert OUT - 0.05 <= away <= OUT + SWEEP + 0.5


def test_a_whole_zone_is_lost_and_the_next_takes_its_calls():
    heard = Heard()
    zones = ["r/a", "r/a", "r/b", "r/b"]
    with serving("aabb") as servers:
        gate = gate_of(servers, heard, zones, locality="r/a")
        with load(gate) as calls:
            until(lambda: len(calls.answers) > 50)
            assert calls.who(0) == {"a"}
            for server in servers[:2]:
                server.kill()
            killed = time.monotonic()
            until(lambda: len(heard.out) == 2)
            settled = max(heard.out.values()) + 0.6
            until(lambda: time.monotonic() > settled)
            for server in servers[:2]:
                server.start()
            until(lambda: len(heard.back) == 2)
            again = max(heard.back.values())
            until(lambda: "a" in calls.who(again + 0.1))
            end = time.monotonic()
    assert calls.errors(killed, settled) <= 2 * (2 + CALLERS)
    assert calls.errors(settled, end) == 0
    assert calls.who(settled, min(heard.back.values())) == {"b"}
    assert calls.who(again + 0.1, end) == {"a"}
    assert gate.snapshot(time.monotonic())["traffic"]["outbound"]["in_flight"] == 0


def test_the_example_rolls_through_three_zones(tmp_path):
    log = rolling.run(speed=3)
    table = log.table()
    assert table[0] == "second  zone a  zone b  zone c  errors  out  what happened"
    took = [
        {zone for zone in "abc" if log.seconds.get(at, Counter())[zone]}
        for at in range(rolling.LENGTH)
    ]
    assert (took[2], took[5], took[10], took[-2]) == ({"a"}, {"b"}, {"c"}, {"a"})
    out = [int(line.split()[5]) for line in table[1:]]
    assert max(out) == 6
    assert out[-1] == 0
    # errors come only while a zone fails and its last calls end
    plan = {at for _, _, start, _ in rolling.PLAN for at in range(start, start + 5)}
    assert {at for at, seen in log.seconds.items() if seen["error"]} <= plan
    rolling.draw(log, tmp_path / "rolling.svg")
    assert (tmp_path / "rolling.svg").read_text("utf-8").count("zone a is killed") == 1
