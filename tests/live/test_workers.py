"""The warning that several workers count apart: when, how often, and when not."""

import logging
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from trafficcore.live import KeyedRateLimiter, RateLimiter, workers
from trafficcore.live.workers import several_workers


@pytest.fixture(autouse=True)
def untold(monkeypatch):
    monkeypatch.setattr(workers, "_told", set())


def parent(process):
    return {"multiprocessing.process": SimpleNamespace(parent_process=lambda: process)}


def arbiter(siblings):
    return {"gunicorn.arbiter": SimpleNamespace(Arbiter=SimpleNamespace(WORKERS=siblings))}


@pytest.mark.parametrize(
    ("environ", "modules", "sign"),
    [
        ({}, {}, ""),
        ({"WEB_CONCURRENCY": "4"}, {}, "WEB_CONCURRENCY is 4"),
        ({"WEB_CONCURRENCY": "1"}, {}, ""),
        ({"WEB_CONCURRENCY": "auto"}, {}, ""),
        ({"WEB_CONCURRENCY": ""}, {}, ""),
        ({}, parent(None), ""),
        ({}, parent("supervisor"), "its parent is multiprocessing's"),
        ({}, arbiter({}), ""),
        ({}, arbiter({17: "worker"}), "gunicorn has other workers"),
    ],
)
def test_signs_of_other_workers(environ, modules, sign):
    assert several_workers(environ, modules) == sign


def test_this_process_is_alone():
    assert several_workers({}) == ""


@pytest.fixture
def crowded(monkeypatch):
    monkeypatch.setenv("WEB_CONCURRENCY", "4")


def test_the_first_limit_that_counts_alone_is_told_and_no_other(crowded, caplog):
    with caplog.at_level(logging.WARNING):
        RateLimiter(1, name="api")
        RateLimiter(1)
        KeyedRateLimiter(1)
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("trafficcore", logging.WARNING)
    assert record.getMessage() == (
        "rate limit 'api' is counted in this process alone, which seems to be one of several "
        '(WEB_CONCURRENCY is 4): share="host" makes it one for all of them, share="local" says '
        "that it is meant so"
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_workers_forked_after_the_limit_was_made_are_told_by_all_but_the_first(tmp_path):
    """As gunicorn does with `--preload`; a process of its own, for hooks at a fork stay."""
    code = """
import os, sys
from types import SimpleNamespace
arbiter = SimpleNamespace(WORKERS={})
sys.modules["gunicorn.arbiter"] = SimpleNamespace(Arbiter=arbiter)
from trafficcore.live import RateLimiter
RateLimiter(1, name="api")
RateLimiter(1, name="other")
for number in range(2):
    child = os.fork()
    if not child:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    arbiter.WORKERS[child] = "worker"
    print(f"forked {number}", file=sys.stderr)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, told, second = ran.stderr.splitlines()
    assert (first, second) == ("forked 0", "forked 1")
    assert told.startswith("rate limit 'api' is counted in this process alone")


def test_a_limit_without_a_name_is_told_as_well(crowded, caplog):
    KeyedRateLimiter(1)
    assert caplog.messages[0].startswith("a rate limit is counted in this process alone")


def test_who_says_what_he_means_is_told_nothing(crowded, caplog, monkeypatch, tmp_path):
    monkeypatch.setenv("TRAFFICCORE_SHARE_DIR", str(tmp_path / "shared"))
    RateLimiter(1, share="local")
    RateLimiter(4, members=4)
    RateLimiter(1, share="host", name="api")
    KeyedRateLimiter(1, share="local")
    assert not caplog.records


def test_alone_nothing_is_told(caplog, monkeypatch):
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    RateLimiter(1)
    assert not caplog.records
