"""When a permit ends on WSGI, and what *slow* is measured to."""

import io
from collections.abc import Iterator
from typing import Any
from wsgiref.util import FileWrapper

import pytest

from conftest import Clock
from support.policies import engine
from support.shells import (
    TEXT,
    Items,
    Started,
    environ,
    in_flight,
    is_open,
    returning,
    serve,
    watching,
    wsgi_plain,
)
from trafficcore import ConfigError, Engine, WsgiTraffic


def traffic(app: Any, own: Engine, clock: Clock, **more: Any) -> WsgiTraffic:
    return WsgiTraffic(app, own, clock=clock, **more)


def test_it_is_settled_at_the_end_of_the_body_and_before_close(clock: Clock) -> None:
    own = watching()
    seen: list[int] = []

    class Slow(Items):
        def close(self) -> None:
            seen.append(in_flight(own))
            super().close()

    items = Slow(b"a", b"b")
    started = Started()
    body = iter(traffic(returning(items), own, clock)(environ(), started))
    for _ in range(2):
        next(body)
        seen.append(in_flight(own))
    with pytest.raises(StopIteration):
        next(body)
    body.close()  # type: ignore[attr-defined]
    assert seen == [1, 1, 0]
    assert items.closed == 1


def test_slow_is_measured_to_start_response(clock: Clock) -> None:
    own = watching()

    def streaming(env: Any, start_response: Any) -> Iterator[bytes]:
        clock.advance(0.5)
        start_response("200 OK", TEXT)
        yield b"a"
        clock.advance(60)
        yield b"b"

    assert serve(traffic(streaming, own, clock))[2] == b"ab"
    assert not is_open(own, clock())

    def late(env: Any, start_response: Any) -> list[bytes]:
        clock.advance(0.6)
        start_response("200 OK", TEXT)
        return [b"a"]

    serve(traffic(late, own, clock))
    assert is_open(own, clock())


def test_slow_may_be_measured_to_the_last_item(clock: Clock) -> None:
    own = watching()

    def streaming(env: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"a"
        clock.advance(0.6)

    serve(traffic(streaming, own, clock, slow="end"))
    assert is_open(own, clock())


@pytest.mark.parametrize("slow", ["start", "end"])
def test_the_status_counts_either_way(slow: str, clock: Clock) -> None:
    own = watching(slow_after=None, max_slow=None)

    def app(env: Any, start_response: Any) -> list[bytes]:
        start_response(env["PATH_INFO"][1:] + " Whatever", TEXT)
        return [b""]

    wrapped = traffic(app, own, clock, slow=slow)
    for status in (200, 302, 404, 429):
        serve(wrapped, environ(f"/{status}"))
    assert not is_open(own, clock())
    serve(wrapped, environ("/503"))
    assert is_open(own, clock())


def test_slow_is_start_or_end() -> None:
    with pytest.raises(ConfigError, match="'middle'"):
        WsgiTraffic(wsgi_plain, engine(), slow="middle")  # type: ignore[arg-type]


def test_another_start_response_with_exc_info_takes_the_firsts_place(clock: Clock) -> None:
    own = watching()
    given = (ValueError, ValueError("x"), None)

    def app(env: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", TEXT)
        start_response("500 Oops", TEXT, exc_info=given)
        return [b"sorry"]

    started = Started()
    body = traffic(app, own, clock)(environ(), started)
    assert b"".join(body) == b"sorry"
    assert (started.calls, started.status, started.exc_info) == (2, "500 Oops", given)
    assert is_open(own, clock())


def test_without_exc_info_the_server_is_called_with_two_arguments(clock: Clock) -> None:
    calls: list[Any] = []

    def start_response(*args: Any) -> Any:
        calls.append(args)
        return lambda data: None

    traffic(wsgi_plain, watching(), clock)(environ(), start_response)
    assert [len(args) for args in calls] == [2]


def test_write_works_as_of_old(clock: Clock) -> None:
    own = watching()

    def app(env: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", TEXT)
        write(b"a")
        write(b"b")
        assert in_flight(own) == 1
        return [b"c"]

    started = Started()
    body = traffic(app, own, clock)(environ(), started)
    assert started.written == [b"a", b"b"]
    assert b"".join(body) == b"c"
    assert in_flight(own) == 0


def test_the_last_byte_of_a_content_length_settles(clock: Clock) -> None:
    own = watching()
    items = Items(b"a", b"bc", b"")

    def app(env: Any, start_response: Any) -> Any:
        start_response("500 Oops", [*TEXT, ("Content-Length", "4")])(b"0")
        return items

    body = iter(traffic(app, own, clock)(environ(), Started()))
    next(body)
    assert in_flight(own) == 1
    next(body)
    assert in_flight(own) == 0
    assert is_open(own, clock())
    body.close()  # type: ignore[attr-defined]
    assert items.closed == 1


def test_the_last_item_of_a_list_settles(clock: Clock) -> None:
    own = watching()
    body = iter(traffic(returning([b"a", b"b"], "500 Oops"), own, clock)(environ(), Started()))
    assert (next(body), in_flight(own)) == (b"a", 1)
    assert (next(body), in_flight(own)) == (b"b", 0)
    assert is_open(own, clock())


def test_the_last_byte_that_is_written_settles(clock: Clock) -> None:
    own = watching()
    seen: list[int] = []

    def app(env: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [*TEXT, ("Content-Length", "2")])
        for part in (b"a", b"b"):
            write(part)
            seen.append(in_flight(own))
        return []

    serve(traffic(app, own, clock))
    assert seen == [1, 0]


@pytest.mark.parametrize("length", ["many", "-1", ""])
def test_a_content_length_that_is_none_is_the_servers_business(length: str, clock: Clock) -> None:
    own = watching()

    def app(env: Any, start_response: Any) -> Any:
        start_response("200 OK", [("content-length", length)])
        return iter([b"a", b"b"])

    assert serve(traffic(app, own, clock))[2] == b"ab"
    assert in_flight(own) == 0


def test_a_file_wrapper_of_the_server_is_read_and_closed(clock: Clock) -> None:
    own = watching()
    file = io.BytesIO(b"x" * 20_000)

    def app(env: Any, start_response: Any) -> Any:
        start_response("200 OK", TEXT)
        return env["wsgi.file_wrapper"](file)

    env = environ(**{"wsgi.file_wrapper": FileWrapper})
    assert serve(traffic(app, own, clock), env)[2] == b"x" * 20_000
    assert file.closed
    assert in_flight(own) == 0


def test_a_length_that_the_server_may_ask_for_stays_known(clock: Clock) -> None:
    own = engine()
    body = traffic(returning([b"a", b"b"]), own, clock)(environ(), Started())
    assert len(body) == 2  # type: ignore[arg-type]
    body.close()  # type: ignore[attr-defined]
    body = traffic(returning(iter([b"a"])), own, clock)(environ(), Started())
    with pytest.raises(TypeError):
        len(body)  # type: ignore[arg-type]
    body.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("made", [list, iter])
def test_a_body_goes_on_where_it_was_left(made: Any, clock: Clock) -> None:
    own = watching()
    body = traffic(returning(made([b"a", b"b", b"c"])), own, clock)(environ(), Started())
    assert next(iter(body)) == b"a"
    assert next(iter(body)) == b"b"
    assert in_flight(own) == 1
    assert list(body) == [b"c"]
    assert in_flight(own) == 0
    assert list(body) == []


def test_a_server_that_lets_go_of_a_body_has_ended_it(clock: Clock) -> None:
    own = watching()
    items = Items(b"a", b"b")
    body = iter(traffic(returning(items), own, clock)(environ(), Started()))
    assert (next(body), in_flight(own)) == (b"a", 1)
    del body
    assert (items.closed, in_flight(own)) == (1, 0)
    assert not is_open(own, clock())  # cancelled, which says nothing of the service


def test_an_item_that_is_no_item_is_the_applications_fault(clock: Clock) -> None:
    own = watching()
    body = traffic(returning([None]), own, clock)(environ(), Started())
    with pytest.raises(TypeError):
        list(body)
    assert is_open(own, clock())
