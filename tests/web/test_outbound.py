"""What guards calls without a manifest: breakers by host, limits, timeouts; in every client."""

import pickle
import threading
from importlib import import_module

import pytest
from requests.exceptions import ConnectTimeout
from urllib3.util import Timeout

from support.clients import KINDS, Script, client
from support.exactness import assert_atomic
from support.outbound import HOST, URL, engine, limit, outbound, quota
from trafficcore import CircuitBreaker, Rejected
from trafficcore.engine import Facts, Rejection
from trafficcore.engine.guard import locked
from trafficcore.errors import ConfigError
from trafficcore.limits import Limit, header
from trafficcore.live import Breakers
from trafficcore.live.drivers import driver_of
from trafficcore.outcome import Outcome, Reason
from trafficcore.spec import Direction, Retries
from trafficcore.web.keys import cookie, first_of, query
from trafficcore.web.outbound import Outbound, OutboundPermit
from trafficcore.web.outbound_request import OutboundRequest, facts_of
from trafficcore.web.requests import TrafficAdapter
from trafficcore.web.retry_after import read_retry_after
from trafficcore.web.timeouts import Timeouts, read_timeouts

API, OTHER = "http://api.example/", "http://other.example/"


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def made(kind, script, clock, gate=None, **settings):
    return client(kind, script, gate, clock=clock, sleep=clock.advance, **settings)


def call_all(one, count, url=API):
    statuses = []
    for _ in range(count):
        try:
            statuses.append(one.call("GET", url).status_code)
        except one.errors:
            statuses.append("error")
    return statuses


def test_without_a_word_there_is_a_breaker_a_host(kind, clock):
    script = Script(500)
    one = made(kind, script, clock)
    assert call_all(one, 12) == [500] * 10 + [503, 503]
    assert call_all(one, 1, OTHER) == [500]
    shown = one.shell.snapshot()["breakers"]["breakers"]
    assert {host: breaker["state"] for host, breaker in shown.items()} == {
        "api.example": "open",
        "other.example": "closed",
    }


@pytest.mark.parametrize("fault", ["connect", "timeout", "reset"])
def test_faults_count_and_a_hang_does(kind, clock, fault):
    one = made(kind, Script(fault), clock)
    assert call_all(one, 11) == ["error"] * 10 + [503]


def test_what_the_caller_did_wrong_is_no_error_of_the_host(kind, clock):
    one = made(kind, Script(404), clock)
    assert call_all(one, 12) == [404] * 12


def test_the_breaker_may_be_of_your_own_or_none(kind, clock):
    mine = CircuitBreaker(consecutive_errors=2, name="all", clock=clock)
    one = made(kind, Script(500), clock, breaker=mine)
    assert call_all(one, 1) + call_all(one, 2, OTHER) == [500, 500, 503]
    assert one.shell.snapshot()["breakers"]["name"] == "all"
    one = made(kind, Script(500), clock, breaker=None)
    assert call_all(one, 12) == [500] * 12
    assert one.shell.snapshot()["breakers"] is None
    own = Breakers(named={"api.example": {"consecutive_errors": 1}}, clock=clock)
    one = made(kind, Script(500), clock, breaker=own)
    assert call_all(one, 2) + call_all(one, 2, OTHER) == [500, 503, 500, 500]
    with pytest.raises(ConfigError, match=r"breaker must be .* not 'yes'"):
        made(kind, Script(), clock, breaker="yes")


def test_a_slow_answer_is_slow_at_its_start(kind, clock):
    def slow(_):
        clock.advance(2)
        return 200

    breakers = Breakers(slow_after=1, max_slow=2, clock=clock)
    one = made(kind, Script(slow), clock, breaker=breakers)
    assert call_all(one, 3) == [200, 200, 503]


def test_after_a_while_the_host_is_tried_again(kind, clock):
    script = Script(500, 500, 200)
    one = made(kind, script, clock, breaker=Breakers(consecutive_errors=2, clock=clock))
    assert call_all(one, 3) == [500, 500, 503]
    clock.advance(60)
    assert call_all(one, 2) == [200, 200]


def test_a_rate_is_one_for_each_host(kind, clock):
    one = made(kind, Script(), clock, limit="2/min")
    assert call_all(one, 3) + call_all(one, 3, OTHER) == [200, 200, 429] * 2
    one = made(kind, Script(), clock, limit=["100/min", Limit("3/min", name="all")])
    assert call_all(one, 2) + call_all(one, 2, OTHER) == [200, 200, 200, 429]
    names = [shown["name"] for shown in one.shell.snapshot()["limits"]]
    assert names == ["100/min", "all"]


@pytest.mark.parametrize(
    ("by", "key"),
    [
        (header("x-key"), {"headers": {"X-Key": "a"}}),
        (cookie("who"), {"headers": {"Cookie": "who=a"}}),
        (lambda facts: facts.headers.get("x-key"), {"headers": {"X-Key": "a"}}),
        (
            first_of(query("page"), lambda facts: facts.headers.get("x-key")),
            {"headers": {"x-key": "a"}},
        ),
    ],
)
def test_limits_read_their_keys_from_calls(kind, clock, by, key):
    one = made(kind, Script(), clock, limit=Limit("1/min", by=by))
    statuses = [one.call("GET", API, **how).status_code for how in (key, key, {})]
    assert statuses == [200, 429, 200]


def test_a_limit_by_query_and_on_some_requests(kind, clock):
    one = made(kind, Script(), clock, limit=Limit("1/min", by=query("user"), on="GET /v1/*"))
    paths = ("v1/a?user=1", "v1/a?user=1", "v1/a?user=2", "v2/a?user=1")
    assert [one.call("GET", API + path).status_code for path in paths] == [200, 429, 200, 200]


def test_an_open_breaker_gives_back_what_the_limit_took(kind, clock):
    limits = Limit("3/min", name="all")
    script = Script(500)
    one = made(
        kind, script, clock, limit=limits, breaker=Breakers(consecutive_errors=1, clock=clock)
    )
    assert call_all(one, 4) == [500, 503, 503, 503]
    (shown,) = one.shell.snapshot()["limits"]
    assert shown["tokens"] == pytest.approx(2)


def test_a_refusal_is_raised_where_that_is_asked_for(kind, clock):
    one = made(
        kind,
        Script(500),
        clock,
        raise_on_refusal=True,
        breaker=Breakers(consecutive_errors=1, clock=clock),
    )
    one.call("GET", API)
    with pytest.raises(Rejected, match=r"circuit_open by api.example; retry in 60 s") as raised:
        one.call("GET", API)
    assert raised.value.reason is Reason.CIRCUIT_OPEN
    assert raised.value.source == "api.example"
    if kind == "requests":
        assert isinstance(raised.value, one.errors)
        assert raised.value.request.url == API


def test_there_are_timeouts_where_the_call_says_nothing(clock):
    script = Script()
    one = made("requests", script, clock)
    one.call("GET", API)
    one.call("GET", API, timeout=2)
    one.call("GET", API, timeout=(1, None))
    made("requests", script, clock, timeout=(2, 7)).call("GET", API)
    made("requests", script, clock, timeout=None).call("GET", API)
    assert [seen["waits"] for seen in script.tries] == [
        (5, 30),
        (2, 2),
        (1, None),
        (2, 7),
        (None, None),
    ]


def test_a_timeout_that_cannot_be_leaves_no_call_behind(clock):
    gate = engine(limit(5))
    one = made("requests", Script(), clock, gate, retries=1)
    for odd in (0, (1, 2, 3), "soon"):
        with pytest.raises(ValueError, match="timeout"):
            one.call("GET", URL, timeout=odd)
    assert outbound(gate)["admitted"] == outbound(gate)["in_flight"] == 0


def test_timeouts_of_urllib3_are_taken_too(clock):
    script = Script()
    one = made("requests", script, clock)
    for own in (Timeout(connect=1, read=2), Timeout(total=3), Timeout(connect=1)):
        one.call("GET", API, timeout=own)
    one = made("requests", script, clock, retries=Retries(1, per_try_timeout=2))
    one.call("GET", API, timeout=Timeout(total=3))
    one.call("GET", API, timeout=Timeout(connect=1, read=9))
    assert [seen["waits"] for seen in script.tries] == [(1, 2), (3, 3), (1, None), (2, 2), (1, 2)]


@pytest.mark.parametrize("kind", ["httpx2", "httpx"])
def test_a_request_without_a_client_has_timeouts_too(kind, clock):
    script = Script()
    one = made(kind, script, clock, timeout=7)
    one.shell.handle_request(one.lib.Request("GET", API))
    one.call("GET", API, timeout=None)
    assert [seen["waits"] for seen in script.tries] == [(7, 7), (None, None)]


def test_timeouts_are_read_in_their_forms():
    assert read_timeouts(3) == Timeouts(3, 3)
    assert read_timeouts((1, None)) == Timeouts(1, None)
    assert read_timeouts(None).none
    assert Timeouts(5, None).within(2) == Timeouts(2, 2)
    for odd, words in (
        (0, "connect timeout must be above 0 s, not 0"),
        ("x", "not 'x'"),
        ([1, 2], "not"),
        ((1, -1), "read"),
    ):
        with pytest.raises(ConfigError, match=words):
            read_timeouts(odd)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 37),
        ("Sun, 06 Nov 1994 08:48:00 GMT", 0),
        ("99999999999999", float("inf")),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("Sun, 06 Nov 99999999999 08:49:37 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text, seconds):
    assert read_retry_after(text, 784111740) == seconds


# -- the permit ----------------------------------------------------------------------------------


def facts(host="api.example"):
    return Facts(Direction.OUTBOUND, host)


def test_a_permit_settles_once_whatever_comes_together(clock):
    breaker = CircuitBreaker(consecutive_errors=3, clock=clock)
    guard = Outbound(breaker, None, clock)
    permit = guard.admit(facts(), clock())
    for outcome in (Outcome.FAILURE, Outcome.FAILURE, None, Outcome.CANCELLED):
        permit.settle(outcome, clock(), 500)
        assert permit.settled
    permit.give_back(clock())
    assert breaker.snapshot()["errors"] == 1


def test_what_an_end_means(clock):
    breaker = CircuitBreaker(max_errors=100, clock=clock)
    guard = Outbound(breaker, None, clock)

    def end(outcome, status=0, judge=None):
        permit = guard.admit(facts(), clock())
        if judge:
            getattr(permit, judge)()
        permit.settle(outcome, clock(), status)
        shown = breaker.snapshot()
        breaker.reset()
        return shown["total"], shown["errors"]

    assert end(None, 200) == (1, 0)
    assert end(None, 503) == (1, 1)
    assert end(Outcome.FAILURE, 504) == (1, 1)
    assert end(Outcome.IGNORED) == (0, 0)
    assert end(Outcome.CANCELLED) == (0, 0)
    assert end(None, 503, "ignore") == (0, 0)
    assert end(None, 200, "fail") == (1, 1)


@pytest.mark.parametrize("name", OutboundPermit.ATOMIC)
def test_what_is_called_atomic_is(name):
    assert_atomic(getattr(OutboundPermit, name), {"_owner"})


def test_the_class_without_a_gil_is_the_same(clock):
    permit = locked(OutboundPermit)(Outbound(None, None, clock), None, 0, (), clock())
    permit.settle(None, clock())
    assert permit.settled


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "requests"])
def test_a_call_that_found_no_connection_free_was_never_made(kind, clock):
    error = import_module(kind.partition("-")[0]).PoolTimeout("busy")
    own = CircuitBreaker(consecutive_errors=1, clock=clock)
    one = made(kind, Script(error, 200), clock, breaker=own, limit="1/min")
    with pytest.raises(one.errors):
        one.call("GET", API)
    assert own.snapshot()["total"] == 0
    assert one.call("GET", API).status_code == 200  # the token came back
    assert one.call("GET", API).status_code == 429


def test_an_adapter_is_not_for_another_process():
    with pytest.raises(TypeError, match="counts for its own process"):
        pickle.dumps(TrafficAdapter())


def test_a_call_as_limits_see_it():
    request = OutboundRequest(Facts(Direction.OUTBOUND, "api", query="a=1", headers={"x": "y"}))
    assert dict(request) == {"headers": [(b"x", b"y")], "query_string": b"a=1"}
    assert len(request) == 2
    assert facts_of(request, None) is request.facts
    with pytest.raises(KeyError):
        request["client"]


@pytest.mark.parametrize("kind", ["requests", "httpx2", "httpx"])
def test_a_call_and_its_next_try_wait_for_their_turns_in_their_thread(kind, clock):
    gate = engine(quota(rate=1))
    script = Script(200, 503, 200)
    one = made(kind, script, clock, gate, retries=1)
    assert one.call("GET", URL).status_code == 200
    answers = []
    thread = threading.Thread(target=lambda: answers.append(one.call("GET", URL).status_code))
    thread.start()
    for made_so_far in (1, 2):
        while not outbound(gate)["queued"]:
            thread.join(0.001)
        assert len(script.tries) == made_so_far
        clock.advance(1)
        driver_of(gate).kick()
    thread.join(10)
    assert answers == [200]
    assert len(script.tries) == 3
    assert outbound(gate)["queued"] == outbound(gate)["in_flight"] == 0


def test_a_turn_that_comes_too_late_is_a_timeout_of_the_connection(clock):
    gate = engine(quota(rate=1))
    one = made("requests", Script(), clock, gate, timeout=0.02)
    assert one.call("GET", URL).status_code == 200
    with pytest.raises(ConnectTimeout, match=f"no turn in the queue of {HOST} within 0.02 s"):
        one.call("GET", URL)
    assert outbound(gate)["queued"] == 0


def test_an_engine_refuses_by_its_manifests_in_requests_too(clock):
    gate = engine(limit(1, 30, headers=(("x-why", "limit"),)))
    one = made("requests", Script(), clock, gate)
    assert one.call("GET", URL).status_code == 200
    answer = one.call("HEAD", URL)
    assert isinstance(one.permit(answer), Rejection)
    assert (answer.status_code, answer.reason, answer.content) == (429, "Too Many Requests", b"")
    assert answer.headers["x-why"] == "limit"
    assert answer.headers["retry-after"] == "30"
    assert answer.url == URL
    assert answer.elapsed is not None
    with pytest.raises(Rejected, match=r"rate_limited by Test default/rule \(policy.yaml:7\)"):
        made("requests", Script(), clock, gate, raise_on_refusal=True).call("GET", URL)
    assert outbound(gate)["in_flight"] == 0
    assert HOST in URL
