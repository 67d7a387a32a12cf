"""What a request has paid: what is left of it, corrections, and debts that headers tell of."""

import asyncio
from math import inf, nan

import pytest

from support.shells import call, http_scope, respond, wsgi_plain
from support.shells import environ as wsgi_environ
from trafficcore import AsgiTraffic, ConfigError, WsgiTraffic
from trafficcore.limits import Limit, header
from trafficcore.web.limits import LimitGate
from trafficcore.web.receipt import LIMITS, Receipt, receipt_of

SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": [(b"x-key", b"a")]}


def paid(clock, *limits, headers="ietf"):
    gate = LimitGate(limits, headers=headers)
    return gate, Receipt().begin(gate.admit(SCOPE, "GET", "/", clock()), clock)


def test_what_remains_is_that_of_the_tightest_limit_or_of_one_by_name(clock):
    _, receipt = paid(clock, Limit("10/min", name="wide"), Limit("3/min", name="narrow"))
    assert receipt.remaining() == 2
    assert receipt.remaining("wide") == 9
    assert receipt.remaining("other") is None
    assert Receipt().begin((), clock).remaining() is None


@pytest.mark.parametrize("by", [None, header("x-key")])
def test_more_is_a_debt_and_less_comes_back(clock, by):
    gate, receipt = paid(clock, Limit("60/min", name="a", cost=10, by=by))
    key = "" if by is None else "a"
    receipt.correct(4)
    assert receipt.remaining() == 56
    receipt.correct(4)
    assert receipt.remaining() == 56
    receipt.correct(100)
    assert receipt.remaining() == 0
    (row,) = [value for name, value in gate.write(receipt.met, clock()) if name == "ratelimit"]
    assert row == '"a";r=0;t=41'  # the 40 that are owed, and one
    assert gate["a"].earliest(key, clock(), 10) == pytest.approx(clock() + 50, abs=1e-3)
    receipt.correct(0)
    assert receipt.remaining() == 60


def test_fractions_and_what_never_fills_again(clock):
    gate, receipt = paid(clock, Limit(0, 5, name="credit"))
    receipt.correct(2.5)
    assert receipt.remaining() == 2
    receipt.correct(7)
    assert receipt.remaining() == 0
    assert dict(gate.write(receipt.met, clock()))["ratelimit"] == '"credit";r=0'


def test_of_several_one_must_be_named(clock):
    gate, receipt = paid(clock, Limit("10/min", name="calls"), Limit("99/min", name="tokens"))
    with pytest.raises(ConfigError, match="one of the limits met: 'calls', 'tokens'"):
        receipt.correct(5)
    receipt.correct(5, "tokens")
    receipt.correct(5, "unmet")
    assert [gate[name].left("", clock())[0] for name in ("calls", "tokens")] == [9, 94]


@pytest.mark.parametrize("actual", [-1, nan, inf, "3"])
def test_what_is_no_cost_is_told(clock, actual):
    _, receipt = paid(clock, Limit("10/min", name="a"))
    with pytest.raises(ConfigError, match="actual must be a finite number from 0"):
        receipt.correct(actual)
    assert receipt.remaining() == 9


def test_what_is_given_back_is_given_back_once_and_as_corrected(clock):
    gate, receipt = paid(clock, Limit("10/min", name="a"))
    receipt.correct(4)
    gate.admit(SCOPE, "GET", "/", clock())  # and five more of others
    gate["a"].correct("", 0, 4, clock())
    assert receipt.remaining() == 1
    receipt.give_back(clock())
    receipt.give_back(clock())
    assert receipt.remaining() == 5


def test_a_request_has_one_receipt(clock):
    request = {}
    receipt = receipt_of(request, clock)
    assert receipt_of(request, clock) is receipt is request[LIMITS]


def nested(kind, app, clock, inner, outer):
    shell = AsgiTraffic if kind == "asgi" else WsgiTraffic
    first = shell(app, limits=[inner], headers="ietf", clock=clock)
    return shell(first, limits=[outer], headers="ietf", clock=clock)


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_shells_inside_each_other_are_one_verdict_and_one_set_of_headers(kind, clock):
    inner, outer = Limit("1/min", name="inner"), Limit("5/min", name="outer")
    told = []

    async def asgi(scope, receive, send):
        await respond(send)

    if kind == "asgi":
        app = nested(kind, asgi, clock, inner, outer)
        for _ in range(2):
            peer = asyncio.run(call(app, http_scope()))
            told.append((peer.status, peer.sent[0]["headers"]))
        told = [(status, [(n.decode(), v.decode()) for n, v in rows]) for status, rows in told]
    else:
        app = nested(kind, wsgi_plain, clock, inner, outer)

        def start(status, rows, exc_info=None):
            told.append((int(status[:3]), rows))

        for _ in range(2):
            b"".join(app(wsgi_environ(), start))
    assert [status for status, _ in told] == [200, 429]
    first, second = ([v for n, v in rows if n == "ratelimit"] for _, rows in told)
    assert first == ['"outer";r=4;t=12, "inner";r=0;t=60']
    assert second == ['"inner";r=0;t=60']
    assert app.limits["outer"].left("", clock())[0] == 4
