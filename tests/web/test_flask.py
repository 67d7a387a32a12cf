"""`WsgiTraffic` under Flask, in process."""

import threading
from collections.abc import Iterator
from typing import Any

from support.policies import engine, limit
from support.shells import (
    in_flight,
    inbound,
    is_open,
    watching,
)
from trafficcore import Engine, WsgiTraffic
from trafficcore.spec import HeaderMatch, Op


def flask_app(own: Engine, seen: list[int]) -> Any:
    from flask import Flask, Response, request, send_file

    app = Flask(__name__)

    @app.get("/")
    def hello() -> str:
        return "hello"

    @app.get("/judge")
    def judge() -> str:
        request.environ["trafficcore.permit"].fail()
        return "looks fine"

    @app.get("/broken")
    def broken() -> str:
        raise ValueError("broken")

    @app.get("/stream")
    def stream() -> Response:
        def parts() -> Iterator[bytes]:
            for part in (b"a", b"b", b"c"):
                seen.append(in_flight(own))
                yield part

        response = Response(parts())
        response.call_on_close(lambda: seen.append(in_flight(own)))
        return response

    @app.get("/file")
    def file() -> Response:
        return send_file(__file__)

    @app.get("/ünï/<name>")
    def name(name: str) -> str:
        return name

    app.wsgi_app = WsgiTraffic(app.wsgi_app, own)  # type: ignore[method-assign]
    return app


def test_flask_passes_and_is_refused() -> None:
    own = engine(limit(2))
    http = flask_app(own, []).test_client()
    answers = [http.get("/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].text == "local_rate_limited"
    assert in_flight(own) == 0


def test_a_response_of_flask_that_a_test_never_reads_counts_all_the_same() -> None:
    own = watching()
    http = flask_app(own, []).test_client()
    unread = [http.get("/"), http.get("/judge")]
    assert in_flight(own) == 0
    assert http.get("/").status_code == 498
    assert all(response.status_code == 200 for response in unread)


def test_flask_overrules_its_status() -> None:
    own = watching()
    http = flask_app(own, []).test_client()
    assert http.get("/judge").text == "looks fine"
    assert http.get("/").status_code == 498


def test_an_error_of_flask_is_a_failure() -> None:
    own = watching()
    http = flask_app(own, []).test_client()
    assert http.get("/broken").status_code == 500
    assert http.get("/").status_code == 498


def test_a_stream_of_flask_is_in_flight_to_its_end_and_what_runs_at_close_is_not() -> None:
    own = watching()
    seen: list[int] = []
    http = flask_app(own, seen).test_client()
    assert http.get("/stream").data == b"abc"
    assert seen == [1, 1, 1, 0]


def test_a_client_of_flask_that_goes_away_is_no_verdict() -> None:
    own = watching()
    seen: list[int] = []
    http = flask_app(own, seen).test_client()
    response = http.get("/stream", buffered=False)
    next(response.response)  # type: ignore[call-overload]
    assert in_flight(own) == 1
    response.close()
    assert in_flight(own) == 0
    assert not is_open(own, 0)


def test_a_file_of_flask_arrives_whole() -> None:
    own = engine(limit(5))
    http = flask_app(own, []).test_client()
    with http.get("/file") as response:
        assert b"A file" in response.data or b"def " in response.data
    assert in_flight(own) == 0


def test_a_rule_sees_the_path_that_flask_sees() -> None:
    own = engine(limit(0, headers=(HeaderMatch(":path", Op.PREFIX, "/ünï/"),)))
    http = flask_app(own, []).test_client()
    assert http.get("/%C3%BCn%C3%AF/x").status_code == 429
    assert http.get("/").status_code == 200


def test_flask_in_threads_admits_exactly_the_limit() -> None:
    own = engine(limit(40, 3600))
    app = flask_app(own, [])
    statuses: list[int] = []

    def ask() -> None:
        http = app.test_client()
        statuses.extend(http.get("/").status_code for _ in range(15))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 40 + [429] * 80
    assert (inbound(own)["admitted"], in_flight(own)) == (40, 0)
