"""Ten guests and ten subscribers in closed loops over real HTTP, behind uvicorn and gunicorn.

`TRAFFICCORE_LONG=1` lets them call for 30 s instead of 5.
"""

import contextlib
import os
import threading
import time
from http.client import HTTPConnection

import pytest

from support.processes import serving

pytestmark = pytest.mark.sockets

SECONDS = 30 if os.environ.get("TRAFFICCORE_LONG") else 5
CLIENTS = 10
SERVERS = {
    "uvicorn": ["uvicorn", "priority_app:app", "--port", "{port}", "--log-level", "warning"],
    "gunicorn": ["gunicorn", "priority_app:wsgi", "-w", "1", "--threads", "24",
                 "-b", "127.0.0.1:{port}"],
}  # fmt: skip


def client(address, name, end, answers):
    """Call, wait for the answer, call again; note when each came."""
    with contextlib.closing(HTTPConnection(*address, timeout=60)) as connection:
        while time.monotonic() < end:
            # with a dash: gunicorn drops a header with an underscore; both are the label
            connection.request("GET", "/calls", headers={"user-type": name})
            answer = connection.getresponse()
            answer.read()
            answers.append((time.monotonic(), name, answer.status))


@pytest.mark.parametrize("server", SERVERS)
def test_subscribers_get_four_for_each_guests_one(tmp_path, server):
    pytest.importorskip(server)
    answers = []
    with serving(tmp_path, SERVERS[server], 1) as (address, _):
        begun = time.monotonic()
        end = begun + SECONDS + 2
        crew = [
            threading.Thread(target=client, args=(address, name, end, answers))
            for name in ("guest", "subscriber")
            for _ in range(CLIENTS)
        ]
        for member in crew:
            member.start()
        for member in crew:
            member.join(90)
        assert not any(member.is_alive() for member in crew)
    assert {status for _, _, status in answers} == {200}
    # by then the first burst is over and all but those just answered wait
    seen = [name for at, name, _ in answers if begun + 1.5 <= at < begun + 1.5 + SECONDS]
    guests, subscribers = seen.count("guest"), seen.count("subscriber")
    assert abs(len(seen) - 10 * SECONDS) <= 3
    # one request of each, and at both ends those that are just being answered
    assert abs(subscribers - 4 * guests) <= 5 + 8
