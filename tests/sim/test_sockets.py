"""The same scenario on real sockets and on virtual time: as many are admitted.

uvicorn serves behind `AsgiTraffic`, httpx2 calls in closed loops over loopback. Both worlds read
the same manifest. What may differ is said by the policy, not by the machine: see each bound.
"""

import asyncio
import time
from collections import Counter

import httpx2
import pytest

from support.servers import uvicorn_server
from support.simulation import limit, play, quota
from trafficcore import AsgiTraffic, Engine
from trafficcore.demo.services import Service

pytestmark = pytest.mark.sockets

HOST = "web.default.svc.cluster.local"
SPEC = """
duration: {seconds}s
services: [{{name: {host}, latency: 2ms}}]
loads:
"""
LOAD = """
- name: {name}
  url: http://{host}/
  headers: {{user_type: {name}}}
  clients: {clients}
  start: {start}s
  refused_after: 2ms
"""


def simulated(policies, seconds, loads):
    spec = SPEC.format(seconds=seconds, host=HOST)
    for name, clients, start in loads:
        spec += LOAD.format(name=name, host=HOST, clients=clients, start=start)
    result = play(spec, policies)
    return {name: Counter(stats.codes) for name, stats in result.classes.items()}


def real(policies, seconds, loads):
    engine = Engine.load(policies, hosts={HOST: []})
    codes = {name: Counter() for name, *_ in loads}

    async def client(http, name, begin, end):
        await asyncio.sleep(begin - time.monotonic())
        while time.monotonic() < end:
            headers = {"host": HOST, "user_type": name}
            answer = await http.get("/", headers=headers)
            codes[name][answer.status_code] += 1

    async def run(port):
        limits = httpx2.Limits(max_connections=sum(clients for _, clients, _ in loads))
        url = f"http://127.0.0.1:{port}"
        async with httpx2.AsyncClient(base_url=url, limits=limits, timeout=30) as http:
            begin = time.monotonic() + 0.05
            await asyncio.gather(
                *(
                    client(http, name, begin + start, begin + seconds)
                    for name, clients, start in loads
                    for _ in range(clients)
                )
            )

    with uvicorn_server(AsgiTraffic(Service("served"), engine)) as port:
        asyncio.run(run(port))
    (traffic,) = [engine.snapshot(time.monotonic())["traffic"]["inbound"]]
    assert (traffic["in_flight"], traffic["queued"]) == (0, 0)
    return codes


def test_a_quota_shares_as_much_and_as_fairly():
    """Ten a second, and ten at once; ten guests begin and take the ten, subscribers follow.

    Whose turn it is differs by one request of each class at most from the ideal (the fairness
    bound), in either world: two. How many tokens there are at the end depends on when exactly the
    last second begins and ends: a tenth of a second is one more.
    """
    fair, token = 2, 1
    loads = [("guest", 10, 0), ("subscriber", 10, 0.2)]
    policies = quota(10, 10)
    ours = simulated(policies, 3, loads)
    theirs = real(policies, 3, loads)
    assert {code for codes in theirs.values() for code in codes} == {200}
    for name, _, _ in loads:
        assert abs(ours[name][200] - theirs[name][200]) <= fair + token
    totals = [sum(codes[200] for codes in world.values()) for world in (ours, theirs)]
    assert abs(totals[0] - totals[1]) <= 2 * token, "one at each end"


def test_a_rate_limit_admits_as_many():
    """Twenty a second, and twenty at once, for a second and a half.

    A token is admitted as soon as it is there and somebody calls, so the counts differ by what
    comes in the time that one call takes, at the beginning and at the end: one token each, where
    a call takes less than a twentieth of a second.
    """
    loads = [("all", 4, 0)]
    ours = simulated(limit(20), 1.5, loads)
    theirs = real(limit(20), 1.5, loads)
    assert set(theirs["all"]) == set(ours["all"]) == {200, 429}
    assert abs(ours["all"][200] - 50) <= 1
    assert abs(ours["all"][200] - theirs["all"][200]) <= 2
