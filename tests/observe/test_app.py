"""The snapshot as JSON, on ASGI and on WSGI."""

import asyncio
import os
from enum import Enum
from fractions import Fraction
from io import BytesIO, StringIO
from math import inf, nan
from typing import Any
from wsgiref.validate import validator

import pytest

from conftest import Clock
from support.policies import breaker, destination, engine, limit, quota, request
from support.shells import Peer, call, environ, http_scope, read_json, run, serve, websocket_scope
from trafficcore import Engine, SnapshotApp
from trafficcore.observe.app import plain


def busy(clock: Clock) -> Engine:
    own = engine(limit(100), breaker(), quota(1, 1), destination())
    for _ in range(3):
        own.admit(request(), clock())
    return own


class Asked:
    def __init__(self, shell: str, app: SnapshotApp) -> None:
        self.shell = shell
        self.app = app

    def __call__(self, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        if self.shell == "asgi":
            peer = run(self.app, http_scope("/anywhere", method))
            return peer.status, peer.headers, peer.body
        env = environ("/anywhere", method)
        env |= {"wsgi.input": BytesIO(), "wsgi.errors": StringIO()}
        status, headers, body = serve(validator(self.app.wsgi), env)
        return int(status[:3]), headers, body


@pytest.fixture(params=["asgi", "wsgi"])
def shell(request: Any) -> str:
    return request.param


def test_it_shows_the_whole_snapshot_and_the_process(shell: str, clock: Clock) -> None:
    own = busy(clock)
    status, headers, body = Asked(shell, SnapshotApp(own, clock=clock))()
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == str(len(body))
    assert headers["cache-control"] == "no-store"
    seen = read_json(body)
    assert seen.pop("process") == os.getpid()
    assert set(seen) == set(own.snapshot(clock()))
    assert seen["traffic"]["inbound"] == own.snapshot(clock())["traffic"]["inbound"]
    assert seen["traffic"]["inbound"]["queued"] == 2
    assert [rule["kind"] for rule in seen["rules"]] == [
        rule["kind"] for rule in own.snapshot(clock())["rules"]
    ]


def test_a_head_is_told_of_the_body_it_does_not_get(shell: str, clock: Clock) -> None:
    ask = Asked(shell, SnapshotApp(busy(clock), clock=clock))
    status, headers, body = ask("HEAD")
    assert (status, body) == (200, b"")
    assert headers == ask("GET")[1]


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS"])
def test_nothing_can_be_done_to_it(shell: str, method: str, clock: Clock) -> None:
    status, headers, body = Asked(shell, SnapshotApp(busy(clock), clock=clock))(method)
    assert (status, headers["allow"], body) == (405, "GET, HEAD", b"")


def test_looking_is_no_traffic(shell: str, clock: Clock) -> None:
    own = busy(clock)
    before = own.snapshot(clock())
    Asked(shell, SnapshotApp(own, clock=clock))()
    assert own.snapshot(clock()) == before


def test_a_websocket_is_closed_and_a_lifespan_left_alone(clock: Clock) -> None:
    app = SnapshotApp(engine(), clock=clock)
    assert run(app, websocket_scope()).sent == [{"type": "websocket.close", "code": 1000}]
    assert asyncio.run(call(app, {"type": "lifespan"}, Peer())).sent == []


def test_it_mounts_under_starlette(clock: Clock) -> None:
    from starlette.applications import Starlette
    from starlette.routing import Mount
    from starlette.testclient import TestClient

    app = Starlette(routes=[Mount("/__traffic", SnapshotApp(engine(limit(2)), clock=clock))])
    with TestClient(app) as http:
        assert http.get("/__traffic/snapshot.json").json()["process"] == os.getpid()


def test_it_mounts_under_flask(clock: Clock) -> None:
    from flask import Flask
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    app = Flask("x")
    snapshot = SnapshotApp(engine(limit(2)), clock=clock)
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/traffic": snapshot.wsgi})  # type: ignore[method-assign]
    answer = app.test_client().get("/traffic/snapshot.json")
    assert answer.get_json()["process"] == os.getpid()


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (inf, None),
        (-inf, None),
        (nan, None),
        (1.5, 1.5),
        (True, True),
        (None, None),
        (Colour.RED, "red"),
        ((1, {2: inf}), [1, {"2": None}]),
        (frozenset(("a",)), ["a"]),
        (Fraction(1, 2), "1/2"),
    ],
)
def test_only_what_json_can_say_is_said(value: Any, shown: Any) -> None:
    result = plain(value)
    assert result == shown
    assert type(result) is type(shown)
