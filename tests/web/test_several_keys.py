"""Limits whose key a request may have several of: it pays for each, and none is a way around."""

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from flask import Flask
from flask import request as flask_request

from trafficcore import AsgiTraffic, ConfigError, WsgiTraffic
from trafficcore.engine import Rejection
from trafficcore.limits import Limit, client_address, cookie, first_of, header, query
from trafficcore.web.limits import LimitGate
from trafficcore.web.receipt import Receipt


def ask(gate, text="", now=0.0, **headers):
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": pairs}
    return gate.admit(scope | {"query_string": text.encode()}, "GET", "/", now)


def test_each_value_pays_and_whoever_is_empty_refuses_all():
    gate = LimitGate([Limit("2/min", by=query("k"), name="a")])
    assert len(ask(gate, "k=ada&k=bob")) == 2
    assert len(ask(gate, "k=ada")) == 1
    assert isinstance(ask(gate, "k=ada&k=eve"), Rejection)
    assert isinstance(ask(gate, "k=eve&k=ada"), Rejection)
    bound = gate["a"]
    assert [bound.left(key, 0.0)[0] for key in ("ada", "bob", "eve")] == [0, 1, 2]
    assert bound.refused == 2


def test_more_values_than_anyone_sends_share_one_bucket():
    gate = LimitGate([Limit("2/min", by=query("k"))])
    floods = ["&".join(f"k={at * 9 + more}" for more in range(5)) for at in range(4)]
    answers = [isinstance(ask(gate, flood), Rejection) for flood in floods]
    assert answers == [False, False, True, True]


@pytest.mark.parametrize("other", [header("x-key"), client_address()])
def test_the_first_key_that_is_there_may_be_several(other):
    gate = LimitGate([Limit("1/min", by=first_of(query("k"), other))])
    assert [key for _, key, _ in ask(gate, "k=ada&k=bob")] == ["0:ada", "0:bob"]
    assert isinstance(ask(gate, "k=bob"), Rejection)


def test_headers_tell_of_it_once_and_by_the_emptier():
    limits = [Limit("9/min", by=query("k"), name="a"), Limit("5/min", name="b")]
    gate = LimitGate(limits, headers="ietf")
    ask(gate, "k=ada")
    told = gate.tell(ask(gate, "k=ada&k=bob"), 0.0)
    assert dict(told)[b"ratelimit"] == b'"a";r=7;t=7, "b";r=3;t=12'


def test_a_limit_in_shadow_counts_a_request_once():
    gate = LimitGate([Limit("1/day", by=query("k"), shadow=True, name="a")])
    assert len(ask(gate, "k=ada&k=bob")) == 2
    assert [cost for *_, cost in ask(gate, "k=ada&k=bob")] == [0, 0]
    assert gate["a"].shadowed == 1


def test_each_is_corrected(clock):
    gate = LimitGate([Limit("9/min", by=query("k"), name="a")])
    receipt = Receipt().begin(ask(gate, "k=ada&k=bob", clock()), clock)
    receipt.correct(4)
    assert [gate["a"].left(key, clock())[0] for key in ("ada", "bob")] == [5, 5]
    receipt.give_back(clock())
    assert [gate["a"].left(key, clock())[0] for key in ("ada", "bob")] == [9, 9]


HIDING = ["sid=abc; j", "a b; sid=abc", 'j={"a":1}; sid=abc', 'sid="abc"', 'sid="a\\142c"']


@pytest.mark.parametrize("hidden", HIDING)
def test_a_cookie_that_the_application_reads_is_counted(hidden):
    asgi, wsgi = FastAPI(), Flask("any")

    @asgi.get("/sid")
    def read(request: Request) -> str:
        return request.cookies["sid"]

    wsgi.get("/sid")(lambda: flask_request.cookies["sid"])
    limits = [Limit("2/min", by=cookie("sid"))]
    wsgi.wsgi_app = WsgiTraffic(wsgi.wsgi_app, limits=limits)
    for client in (
        TestClient(AsgiTraffic(asgi, limits=limits)),
        wsgi.test_client(use_cookies=False),
    ):
        answers = [client.get("/sid", headers={"cookie": hidden}) for _ in range(3)]
        assert "abc" in answers[0].text
        assert [answer.status_code for answer in answers] == [200, 200, 429]


@pytest.mark.parametrize("form", ["real; k={}", "{}; k=real"])
def test_made_up_values_beside_the_real_one_gain_nothing(form):
    asgi, wsgi = FastAPI(), Flask("any")

    @asgi.get("/")
    def read(key: str) -> str:
        return key

    wsgi.get("/")(lambda: flask_request.cookies["k"] + flask_request.args["key"])
    limits = [Limit("2/min", by=cookie("k")), Limit("2/min", by=query("key"))]
    wsgi.wsgi_app = WsgiTraffic(wsgi.wsgi_app, limits=limits[:1])
    for client in (
        TestClient(AsgiTraffic(asgi, limits=limits[1:])),
        wsgi.test_client(use_cookies=False),
    ):
        answers = []
        for number in range(4):
            text = "k=" + form.format(number)
            url = "/?" + text.replace("; ", "&").replace("k=", "key=")
            answers.append(client.get(url, headers={"cookie": text}).status_code)
        assert answers == [200, 200, 429, 429]


def test_a_cost_of_nothing_is_free_and_told_of():
    limits = [
        Limit("2/min", cost=lambda facts: len(facts.query), name="a"),
        Limit("1/min", by=header("x-key"), name="b"),
    ]
    gate = LimitGate(limits, headers="ietf")
    assert [len(ask(gate, "")) for _ in range(3)] == [1] * 3
    assert dict(gate.write(ask(gate, ""), 0.0))["ratelimit"] == '"a";r=2'
    ask(gate, "", **{"x-key": "k"})
    refusal = ask(gate, "", **{"x-key": "k"})
    assert dict(refusal.headers)["ratelimit"] == '"a";r=2, "b";r=0;t=60'
    assert refusal.retry_after == pytest.approx(60)
    assert gate["a"].left("", 0.0)[0] == 2
    ask(gate, "ab")
    assert isinstance(ask(gate, "a"), Rejection)
    assert len(ask(gate, "")) == 1


@pytest.mark.parametrize("cost", [None, "1", -1, float("nan"), float("inf")])
def test_what_is_no_cost_is_told_with_the_limits_name_and_costs_nothing(cost):
    gate = LimitGate([Limit("2/h", name="a"), Limit("9/h", name="b", cost=lambda facts: cost)])
    for _ in range(3):
        with pytest.raises(ConfigError, match=r"the cost that limit 'b' asks must be .* from 0"):
            ask(gate)
    assert gate["a"].left("", 0.0)[0] == 2
