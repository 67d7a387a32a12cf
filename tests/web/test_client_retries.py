"""Calls that are tried again, by every client: what is sent, how often, when, where; its books."""

import pytest

from support.clients import KINDS, Script, client
from support.outbound import HOST, URL, breaker, ejected, ejection, engine, limit, outbound
from trafficcore.engine import Rejection
from trafficcore.errors import ConfigError
from trafficcore.live import Breakers
from trafficcore.spec import Retries, RetryCaps

A, B, C = "10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.3:8080"
API = "http://api.example/orders?page=2"


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def made(kind, script, clock, gate=None, **settings):
    settings.setdefault("retries", Retries(2))
    return client(kind, script, gate, clock=clock, sleep=clock.advance, **settings)


def counts(shell, host="api.example"):
    shown = shell.snapshot()["retries"][host]
    assert (shown["active"], shown["retries"]) == (0, 0)
    return {name: count for name, count in shown.items() if count}


def test_a_bad_gateway_is_tried_again_and_its_successor_is_the_answer(kind, clock):
    script = Script(502, 503, 200)
    one = made(kind, script, clock)
    answer = one.call("GET", API)
    assert answer.status_code == 200
    assert answer.content == b"body"
    assert str(answer.url) == API
    assert len(script.tries) == 3
    assert script.closed == 3
    assert {seen["url"] for seen in script.tries} == {"/orders?page=2"}
    assert counts(one.shell) == {"retried": 2, "success": 1}
    assert 100 <= clock() < 100.075


def test_when_attempts_have_run_out_the_last_answer_or_error_stands(kind, clock):
    one = made(kind, Script(502, 503, 504, 200), clock)
    assert one.call("GET", API).status_code == 504
    assert counts(one.shell) == {"retried": 2, "limit_exceeded": 1}
    script = Script(503, "reset", "timeout")
    other = made(kind, script, clock)
    with pytest.raises(other.errors):
        other.call("GET", API)
    assert len(script.tries) == 3
    assert counts(other.shell) == {"retried": 2, "limit_exceeded": 1}


@pytest.mark.parametrize("fault", ["connect", "connect-timeout", "timeout", "reset"])
def test_a_fault_is_tried_again(kind, clock, fault):
    script = Script(fault, 200)
    assert made(kind, script, clock).call("GET", API).status_code == 200
    assert len(script.tries) == 2


@pytest.mark.parametrize(
    ("entry", "method", "headers", "tries"),
    [
        (503, "POST", {}, 1),
        (503, "PATCH", {}, 1),
        ("reset", "POST", {}, 1),
        ("timeout", "POST", {}, 1),
        ("connect", "POST", {}, 2),
        ("connect-timeout", "POST", {}, 2),
        (503, "POST", {"idempotency-key": "7"}, 2),
        (503, "PUT", {}, 2),
        (503, "DELETE", {}, 2),
        (404, "GET", {}, 1),
        (500, "GET", {}, 1),
        ((503, {"x-envoy-overloaded": "true"}), "GET", {}, 1),
        ((503, {"x-envoy-ratelimited": "true"}), "GET", {}, 1),
    ],
)
def test_what_is_sent_twice(kind, clock, entry, method, headers, tries):
    script = Script(entry, 200)
    one = made(kind, script, clock)
    try:
        one.call(method, API, headers=headers, content=b"data")
    except one.errors:
        assert tries == 1
    assert len(script.tries) == tries
    assert script.tries[-1]["content"] == b"data"


def test_a_method_is_sent_twice_where_the_user_says_so(kind, clock):
    script = Script(503, 200)
    one = made(kind, script, clock, retries=Retries(1, methods="*"))
    assert one.call("POST", API, content=b"data").status_code == 200
    assert [seen["content"] for seen in script.tries] == [b"data", b"data"]


def test_a_streamed_upload_is_replayed_only_if_nobody_has_asked_for_it(kind, clock):
    script = Script("connect", 503, 200)
    one = made(kind, script, clock, retries=Retries(5, methods="*"))
    assert one.call("POST", API, content=iter([b"da", b"ta"])).status_code == 503
    assert len(script.tries) == 2
    assert script.tries[1]["content"] == b"data"
    assert counts(one.shell) == {"retried": 1, "unsafe": 1}


def test_retry_after_is_waited_for_or_the_answer_is_handed_on(kind, clock):
    script = Script((503, {"retry-after": "3"}), 200)
    one = made(kind, script, clock)
    assert one.call("GET", API).status_code == 200
    assert 103 <= clock() < 103.03
    script = Script((503, {"retry-after": "60"}), 200)
    one = made(kind, script, clock)
    assert one.call("GET", API).status_code == 503
    assert counts(one.shell) == {"late": 1}


def test_the_whole_call_has_its_time_and_each_try_no_more_than_what_is_left(kind, clock):
    def slow(_):
        clock.advance(2)
        return 503

    script = Script(slow)
    policy = Retries(9, timeout=5, per_try_timeout=4, base_interval=0.001)
    one = made(kind, script, clock, retries=policy, timeout=30)
    with pytest.raises(one.errors):  # the third began in time, and its answer came too late
        one.call("GET", API, timeout=10)
    assert len(script.tries) == 3
    first, second, third = (seen["waits"] for seen in script.tries)
    assert first == (4, 4)
    assert second == pytest.approx((3, 3), abs=0.01)
    assert third == pytest.approx((1, 1), abs=0.01)
    assert counts(one.shell) == {"retried": 2, "late": 1}


def test_each_try_is_counted_by_the_breaker_of_its_host(kind, clock):
    breakers = Breakers(consecutive_errors=3, open_for=60, clock=clock)
    script = Script(503)
    one = made(kind, script, clock, breaker=breakers)
    answer = one.call("GET", API)
    assert answer.status_code == 503
    assert len(script.tries) == 3
    refused = one.call("GET", API)
    assert refused.status_code == 503
    assert isinstance(one.permit(refused), Rejection)
    assert refused.headers["x-envoy-overloaded"] == "true"
    assert refused.headers["retry-after"] == "60"
    assert len(script.tries) == 3
    assert one.call("GET", "http://other.example/").status_code == 503
    assert len(script.tries) == 6


def test_a_breaker_that_opens_in_between_ends_the_tries_with_the_answer_there_is(kind, clock):
    script = Script(503)
    one = made(kind, script, clock, breaker=Breakers(consecutive_errors=2, clock=clock))
    answer = one.call("GET", API)
    assert answer.status_code == 503
    assert answer.content == b"body"
    assert len(script.tries) == 2
    assert counts(one.shell) == {"retried": 2, "refused": 1}
    script = Script("reset")
    one = made(kind, script, clock, breaker=Breakers(consecutive_errors=1, clock=clock))
    with pytest.raises(one.errors):
        one.call("GET", API)
    assert len(script.tries) == 1


def test_each_try_pays_the_limit(kind, clock):
    script = Script(503)
    one = made(kind, script, clock, limit="2/min")
    assert one.call("GET", API).content == b"body"
    assert len(script.tries) == 2
    refused = one.call("GET", API)
    assert refused.status_code == 429
    assert refused.headers["x-envoy-ratelimited"] == "true"


def test_the_budget_holds_while_many_calls_fail(kind, clock):
    script = Script(503)
    policy = Retries(3, caps=RetryCaps(budget_percent=20, min_retry_concurrency=0))
    one = made(kind, script, clock, retries=policy, breaker=None)
    assert one.call("GET", API).status_code == 503
    assert len(script.tries) == 1
    assert counts(one.shell) == {"overflow": 1}


def test_retries_may_be_a_number_and_nothing_else(kind, clock):
    script = Script(503, 200)
    assert made(kind, script, clock, retries=1).call("GET", API).status_code == 200
    with pytest.raises(ConfigError, match=r"retries must be Retries\(2\) or a number, not 'two'"):
        made(kind, script, clock, retries="two")


# -- with an engine ------------------------------------------------------------------------------


def test_another_endpoint_is_tried_and_the_names_stay(kind, clock):
    gate = engine(ejection(consecutive_5xx=5), endpoints=[A, B, C])
    script = Script("connect", 503, 200)
    one = made(kind, script, clock, gate)
    answer = one.call("GET", f"https://{HOST}/x")
    assert answer.status_code == 200
    assert {seen["address"] for seen in script.tries} == {A, B, C}
    assert {seen["host"] for seen in script.tries} == {HOST}
    assert {seen["name"] for seen in script.tries} == {HOST}
    assert str(answer.url) == f"https://{HOST}/x"
    assert str(answer.request.url) == f"https://{HOST}/x"
    assert outbound(gate)["in_flight"] == 0
    assert outbound(gate)["admitted"] == 3
    (cluster,) = gate.snapshot(clock())["clusters"]
    assert [endpoint["active"] for endpoint in cluster["endpoints"]] == [0, 0, 0]


def test_where_there_is_no_other_the_same_is_tried(kind, clock):
    script = Script(503, 200)
    one = made(kind, script, clock, engine(endpoints=[A]))
    assert one.call("GET", URL).status_code == 200
    assert [seen["address"] for seen in script.tries] == [A, A]


def test_every_try_is_a_verdict_on_its_own_endpoint(kind, clock):
    gate = engine(ejection(consecutive_5xx=1), endpoints=[A, B])
    script = Script(503, 200)
    assert made(kind, script, clock, gate).call("GET", URL).status_code == 200
    assert ejected(gate, clock()) == {script.tries[0]["address"]}


def test_failures_to_connect_are_of_local_origin(kind, clock):
    gate = engine(
        ejection(
            consecutive_5xx=1,
            split_local_origin=True,
            consecutive_local_origin_failures=2,
            interval=600,
        ),
        endpoints=[A],
    )
    script = Script("connect", "connect", 200)
    one = made(kind, script, clock, gate)
    with pytest.raises(one.errors):  # it is out by then, and there is no other
        one.call("GET", URL)
    assert len(script.tries) == 2
    assert ejected(gate, clock()) == {A}


def test_a_breaker_of_a_manifest_ends_the_tries(kind, clock):
    gate = engine(breaker(error_percent=50, min_requests=2, open_for=60), limit(50))
    script = Script(503)
    one = made(kind, script, clock, gate)
    assert one.call("GET", URL).content == b"body"
    assert len(script.tries) == 2
    assert one.call("GET", URL).status_code == 498
    assert outbound(gate)["in_flight"] == 0


def test_breaker_and_limit_are_not_for_an_engine(kind, clock):
    for settings in ({"breaker": None}, {"limit": "1/s"}):
        with pytest.raises(ConfigError, match="are for calls without an engine"):
            made(kind, Script(), clock, engine(), **settings)


@pytest.mark.parametrize(
    ("headers", "free"),
    [({"content-length": "4"}, 1), ({"content-length": "65537"}, 0), ({}, 0)],
    ids=["small", "large", "of any length"],
)
def test_a_small_answer_leaves_its_connection_to_others_before_the_wait(kind, headers, free, clock):
    def wait(seconds):
        closed.append(script.closed)
        clock.advance(seconds)

    closed = []
    script = Script((503, headers), 200)
    one = client(kind, script, None, clock=clock, sleep=wait, retries=Retries(1))
    assert one.call("GET", API).status_code == 200
    assert closed == [free]
    assert script.closed == 2


def test_a_small_answer_is_there_in_full_where_the_next_try_is_refused(kind, clock):
    script = Script((503, {"content-length": "4", "x-why": "full"}))
    one = made(kind, script, clock, limit="1/min")
    answer = one.call("GET", API)
    assert (answer.status_code, answer.headers["x-why"]) == (503, "full")
    assert answer.content == b"body"
    assert counts(one.shell) == {"retried": 1, "refused": 1}


def test_a_small_answer_that_breaks_is_tried_again_or_is_that_error(kind, clock):
    def broken():
        script.during = lambda: None
        raise ConnectionResetError("cut")

    script = Script((503, {"content-length": "4"}), 200)
    script.during = broken
    assert made(kind, script, clock).call("GET", API).status_code == 200
    script = Script((503, {"content-length": "4"}), 200)
    script.during = broken
    one = made(kind, script, clock, limit="1/min")
    with pytest.raises((one.errors, ConnectionResetError)):
        one.call("GET", API)
    assert counts(one.shell) == {"retried": 1, "refused": 1}
