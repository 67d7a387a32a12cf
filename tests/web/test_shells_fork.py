"""Built before a fork and used after it: limits, waiting and counts work in the child."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

#: Runs in a process of its own: a fork of pytest would take its threads' locks along.
PROGRAM = """
import asyncio, os, sys, threading, time
sys.path.insert(0, {tests!r})
from support.policies import engine, limit, quota, request
from support.shells import call, environ, eventually, in_flight, inbound, plain, serve
from trafficcore import AsgiTraffic, SnapshotApp, WsgiTraffic

def wsgi_plain(env, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"ok"]

own = engine(quota(1, 5), limit(100, 3600))
apps = {{"asgi": AsgiTraffic(plain, own), "wsgi": WsgiTraffic(wsgi_plain, own, threads=8)}}

def ask(shell):
    if shell == "asgi":
        return asyncio.run(call(apps["asgi"])).status
    return int(serve(apps["wsgi"])[0][:3])

def check(shell):
    for _ in range(3):      # the first may find a token, the others wait for theirs
        assert ask(shell) == 200
    assert in_flight(own) == 0, inbound(own)
    assert inbound(own)["queued"] == 0, inbound(own)

def in_child(shell):
    pid = os.fork()
    if pid == 0:
        try:
            check(shell)
            body = serve(SnapshotApp(own).wsgi)[2]
            assert f'"process": {{os.getpid()}}'.encode() in body
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return pid

waiting = {waiting!r}
threads = []
if waiting:                 # the driver's thread runs, and somebody waits, while the fork happens
    assert ask("wsgi") == 200
    threads = [threading.Thread(target=ask, args=("wsgi",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    eventually(lambda: inbound(own)["queued"] >= 1)
pids = [in_child({shell!r}) for _ in range(2)]
for pid in pids:
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
for thread in threads:
    thread.join(10)
    assert not thread.is_alive()
check({shell!r})            # and the parent goes on as before
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("waiting", [False, True])
@pytest.mark.parametrize("shell", ["asgi", "wsgi"])
def test_built_before_a_fork_and_used_after_it(shell: str, waiting: bool) -> None:
    program = PROGRAM.format(tests=str(TESTS), shell=shell, waiting=waiting)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
