"""Names across a fork that comes while they are looked up."""

import subprocess
import sys

FORK = """
import os, threading
from trafficcore.discovery import Answer, Dns

parent = os.getpid()
asked, never = threading.Event(), threading.Event()

def look_up(name, family, timeout):
    if os.getpid() == parent:
        asked.set()
        never.wait(60)
    return Answer(found=("10.0.0.1",), ttl=30)

names = Dns("web:80", lookup=look_up)
assert names.snapshot(0.0) is None
assert asked.wait(10)
child = os.fork()
if child == 0:
    (inquiry,) = names._inquiries.values()
    assert names.snapshot(0.0) is None  # the question on its way was the parent's
    assert inquiry.wait(10)
    (endpoint,) = names.snapshot(0.0)
    os._exit(0 if endpoint.address == "10.0.0.1:80" else 1)
_, status = os.waitpid(child, 0)
os._exit(os.waitstatus_to_exitcode(status))
"""


def test_a_child_asks_for_itself():
    done = subprocess.run([sys.executable, "-c", FORK], timeout=60, check=False)
    assert done.returncode == 0
