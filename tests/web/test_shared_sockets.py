"""One limit for all workers of a real server: uvicorn's, which are spawned, and gunicorn's forked.

`TRAFFICCORE_LONG=1` holds the steady rate for 20 s instead of 5.
"""

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest

from support.processes import ask, serving

pytestmark = [
    pytest.mark.sockets,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fcntl"),
]

LONG = 20 if os.environ.get("TRAFFICCORE_LONG") else 5
THREADS = 8


def load(address, path, requests=None, seconds=None, after=lambda *_: None):
    """Ask from several threads; return how often each answer came, by whom, and how long it took.

    A connection that breaks counts as 0. `after` is called with each answer, its worker, and when
    it was asked for.
    """
    stop = threading.Event()

    def work(_):
        answers = Counter()
        asked = 0
        while not stop.is_set() and (requests is None or asked < requests // THREADS):
            connection = HTTPConnection(*address, timeout=30)
            with contextlib.closing(connection):
                for _ in range(5):  # then another worker may be the one to accept
                    asked += 1
                    begun = time.monotonic()
                    code, worker = ask(connection, path)
                    answers[code, worker] += 1
                    if not worker:
                        break
                    after(code, worker, begun)
        return answers

    begun = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        running = [pool.submit(work, number) for number in range(THREADS)]
        if seconds is not None:
            stop.wait(seconds)
            stop.set()
        answers = sum((each.result() for each in running), Counter())
    took = time.monotonic() - begun
    codes, workers = Counter(), set()
    for (code, worker), count in answers.items():
        codes[code] += count
        workers |= {worker} - {0}
    return codes, workers, took


@pytest.fixture(scope="module")
def uvicorn(tmp_path_factory):
    command = [
        "uvicorn", "shared_app:app", "--workers", "4", "--port", "{port}", "--lifespan", "off",
        "--no-access-log", "--log-level", "warning",
    ]  # fmt: skip
    with serving(tmp_path_factory.mktemp("uvicorn"), command, 4) as (address, log):
        yield address, log


def test_four_workers_admit_a_hundred_and_not_one_more(uvicorn):
    address, _ = uvicorn
    codes, workers, took = load(address, "/hour", requests=2000)
    assert codes == {200: 100 + int(took / 36), 429: 1900 - int(took / 36)}
    assert len(workers) == 4


def test_four_workers_admit_what_the_rate_says_and_all_of_it(uvicorn):
    """Between two refusals, when the bucket is empty, there is no burst to hide an error in."""
    address, _ = uvicorn
    answers = []

    def note(code, _, begun):
        answers.append((begun, time.monotonic(), code))

    codes, workers, took = load(address, "/second", seconds=LONG, after=note)
    assert codes[200] <= 100 + 200 * took
    assert len(workers) == 4
    refusals = [(begun, ended) for begun, ended, code in answers if code == 429]
    first = min(refusals[:200], key=lambda each: each[1] - each[0])  # when it was is known best
    last = min(refusals[-200:], key=lambda each: each[1] - each[0])
    granted = [(begun, ended) for begun, ended, code in answers if code == 200]
    surely = sum(begun > first[1] and ended < last[0] for begun, ended in granted)
    perhaps = sum(ended > first[0] and begun < last[1] for begun, ended in granted)
    assert surely <= 200 * (last[1] - first[0]) + 1
    assert perhaps >= 200 * (last[0] - first[1]) - 1
    assert first[0] + LONG / 2 < last[0]
    expected = 200 * (last[1] - first[1])
    assert (surely + perhaps) / 2 == pytest.approx(expected, rel=0.01)


def test_a_worker_that_is_stopped_for_a_while_holds_up_no_other_and_lets_no_more_in(uvicorn):
    address, _ = uvicorn
    answers = []
    under_way = threading.Event()

    def note(_, worker, begun):
        answers.append((begun, time.monotonic(), worker))
        if len(answers) == 100:
            under_way.set()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(load, address, "/stopped", seconds=3, after=note)
        assert under_way.wait(30)
        stopped = answers[-1][2]
        os.kill(stopped, signal.SIGSTOP)
        try:
            since = time.monotonic()
            threading.Event().wait(1.5)
            until = time.monotonic()
        finally:
            os.kill(stopped, signal.SIGCONT)
        codes, workers, took = running.result()
    meanwhile = {worker for begun, ended, worker in answers if since < begun and ended < until}
    assert meanwhile
    assert stopped not in meanwhile
    assert stopped in {worker for begun, _, worker in answers if begun > until}
    assert len(workers) == 4
    assert codes[0] == 0
    assert 200 <= codes[200] <= 100 + 200 * took


def test_a_worker_killed_and_started_anew_changes_nothing(uvicorn):
    address, _ = uvicorn
    killed = []

    def kill(_code, worker, _begun):
        if len(killed) < 3 and worker not in killed:
            killed.append(worker)
            os.kill(worker, signal.SIGKILL)

    codes, workers, _ = load(address, "/killed", requests=400, after=kill)
    more, later, _ = load(address, "/killed", requests=400)
    assert len(killed) == 3
    admitted = codes[200] + more[200]
    lost = codes[0] + more[0]  # let in, perhaps, and never answered
    assert 100 - lost <= admitted <= 100
    assert (workers | later) - set(killed)


def test_a_limit_that_counts_in_each_worker_is_told_once_by_each(uvicorn):
    _, log = uvicorn
    told = "rate limit 'alone' is counted in this process alone, which seems to be one of several"
    assert log.read_text().count(f"{told} (its parent is multiprocessing's)") >= 4


@pytest.mark.parametrize("preload", [False, True])
def test_forked_workers_admit_a_hundred_and_not_one_more(tmp_path, preload):
    pytest.importorskip("gunicorn")
    command = ["gunicorn", "shared_app:wsgi", "-w", "4", "-b", "127.0.0.1:{port}"]
    with serving(tmp_path, command + ["--preload"] * preload, 4) as (address, log):
        codes, workers, took = load(address, "/hour", requests=800)
    assert codes == {200: 100 + int(took / 36), 429: 700 - int(took / 36)}
    assert len(workers) == 4
    # the first of them knows of no others
    assert log.read_text().count("(gunicorn has other workers)") == 3
