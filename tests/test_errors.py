"""Errors that leave the process, or are copied: they say there what they said here."""

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor

import pytest
import requests

from trafficcore import Engine, Reason
from trafficcore.clients import CallRefused, TrafficAdapter
from trafficcore.errors import ManifestError, Rejected
from trafficcore.live import CircuitBreaker, CircuitOpen

TWICE = [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))]


def refuse():
    """Raise in a process of the pool."""
    raise Rejected(Reason.QUEUE_TIMEOUT, source="llm", retry_after=2.5)


def refuse_by_breaker():
    breaker = CircuitBreaker(max_errors=1, name="payments")
    breaker.to("forced_open")
    breaker.call(int)


@pytest.mark.parametrize("twice", TWICE)
def test_a_refusal_says_the_same_again(twice):
    error = Rejected(Reason.QUEUE_TIMEOUT, source="llm", retry_after=2.5)
    error.add_note("for a guest")
    again = twice(error)
    assert type(again) is Rejected
    assert again.reason is Reason.QUEUE_TIMEOUT
    assert (again.source, again.retry_after, again.__notes__) == ("llm", 2.5, ["for a guest"])
    assert str(again) == str(error)
    assert again.args == error.args


@pytest.mark.parametrize("twice", TWICE)
def test_a_breakers_refusal_leaves_its_breaker_behind(twice, clock):
    class Local(Exception):
        """Cannot be pickled by its name."""

    breaker = CircuitBreaker(max_errors=1, clock=clock, name="payments")
    with pytest.raises(Local), breaker:
        raise Local("no route")
    with pytest.raises(CircuitOpen) as caught:
        breaker.call(int)
    error = caught.value
    again = twice(error)
    assert type(again) is CircuitOpen
    assert again.breaker is None
    assert again.reason is Reason.CIRCUIT_OPEN
    assert (again.source, again.why) == ("payments", "error_count >= 1")
    assert again.retry_after == error.retry_after == 60
    assert again.last_error == "Local: no route"
    assert str(again) == str(error)
    assert str(twice(again)) == str(error)


@pytest.mark.parametrize("twice", TWICE)
def test_a_refused_call_of_requests_leaves_its_request_behind(twice):
    session = requests.Session()
    breaker = CircuitBreaker(max_errors=1)
    breaker.to("forced_open")
    session.mount("http://", TrafficAdapter(breaker=breaker, raise_on_refusal=True))
    with session, pytest.raises(CallRefused) as caught:
        session.post("http://api/", data=iter(["a body that cannot be pickled"]))
    again = twice(caught.value)
    assert type(again) is CallRefused
    assert again.request is None
    assert again.reason is Reason.CIRCUIT_OPEN
    assert str(again) == str(caught.value) != ""


@pytest.mark.parametrize("twice", TWICE)
def test_a_manifests_faults_are_all_there_again(twice, tmp_path):
    (tmp_path / "a.yaml").write_text("kind: [", "utf-8")
    with pytest.raises(ManifestError) as caught:
        Engine.load(tmp_path)
    again = twice(caught.value)
    assert again.problems == caught.value.problems
    assert str(again) == str(caught.value)


def test_a_refusal_in_another_process_is_raised_here_and_the_pool_goes_on():
    with ProcessPoolExecutor(1) as pool:
        with pytest.raises(Rejected, match="llm"):
            pool.submit(refuse).result()
        with pytest.raises(CircuitOpen, match="payments"):
            pool.submit(refuse_by_breaker).result()
        assert pool.submit(int).result() == 0
