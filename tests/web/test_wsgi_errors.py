"""`WsgiTraffic` where the application fails, or nobody reads its body to the end."""

import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from conftest import Clock
from support.shells import (
    TEXT,
    Items,
    Started,
    breaker_state,
    environ,
    in_flight,
    is_open,
    returning,
    serve,
    watching,
)
from trafficcore import Engine, WsgiTraffic


def traffic(app: Any, own: Engine, clock: Clock, **more: Any) -> WsgiTraffic:
    return WsgiTraffic(app, own, clock=clock, **more)


def test_an_exception_is_a_failure_and_is_raised_again(clock: Clock) -> None:
    own = watching()

    def app(env: Any, start_response: Any) -> list[bytes]:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        traffic(app, own, clock)(environ(), Started())
    assert in_flight(own) == 0
    assert is_open(own, clock())


@pytest.mark.parametrize("items", [(ValueError("broken"),), (b"a", ValueError("broken"))])
def test_an_exception_in_the_body_is_a_failure_and_the_body_is_closed(
    items: Any, clock: Clock
) -> None:
    own = watching()
    body = Items(*items)
    with pytest.raises(ValueError, match="broken"):
        serve(traffic(returning(body), own, clock))
    assert (in_flight(own), body.closed) == (0, 1)
    assert is_open(own, clock())


def test_a_body_that_is_none_is_a_failure(clock: Clock) -> None:
    own = watching()
    with pytest.raises(TypeError):
        serve(traffic(returning(None), own, clock))
    assert is_open(own, clock())


def test_a_body_without_start_response_is_a_failure(clock: Clock) -> None:
    own = watching()
    serve(traffic(lambda env, start_response: [b"x"], own, clock))
    assert in_flight(own) == 0
    assert is_open(own, clock())


def test_a_client_that_goes_away_in_mid_body_is_no_verdict(clock: Clock) -> None:
    own = watching()
    untouched = breaker_state(own, clock())
    items = Items(b"a", b"b")
    body = iter(traffic(returning(items), own, clock)(environ(), Started()))
    next(body)
    clock.advance(1)
    body.close()  # type: ignore[attr-defined]
    body.close()  # type: ignore[attr-defined]
    clock.now -= 1
    assert (in_flight(own), items.closed) == (0, 1)
    assert breaker_state(own, clock()) == untouched


def test_a_write_that_fails_means_that_the_client_is_gone(clock: Clock) -> None:
    own = watching()
    untouched = breaker_state(own, clock())

    def app(env: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", TEXT)(b"x")
        return []

    def start_response(*_: Any) -> Any:
        def write(data: bytes) -> None:
            raise BrokenPipeError

        return write

    with pytest.raises(BrokenPipeError):
        traffic(app, own, clock)(environ(), start_response)
    assert in_flight(own) == 0
    assert breaker_state(own, clock()) == untouched


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_comes_from_outside_is_no_verdict(error: type[BaseException], clock: Clock) -> None:
    own = watching()
    untouched = breaker_state(own, clock())

    def app(env: Any, start_response: Any) -> list[bytes]:
        raise error

    with pytest.raises(error):
        traffic(app, own, clock)(environ(), Started())
    assert in_flight(own) == 0
    assert breaker_state(own, clock()) == untouched


@pytest.mark.parametrize("how", ["close", "forget"])
def test_an_iterable_that_is_never_iterated_settles_and_is_closed(how: str, clock: Clock) -> None:
    own = watching()
    untouched = breaker_state(own, clock())
    items = Items(b"a")
    body = traffic(returning(items), own, clock)(environ(), Started())
    assert in_flight(own) == 1
    if how == "close":
        body.close()  # type: ignore[attr-defined]
    del body
    gc.collect()
    assert (in_flight(own), items.closed) == (0, 1)
    assert breaker_state(own, clock()) == untouched


def test_a_generator_that_is_never_iterated_settles(clock: Clock) -> None:
    own = watching()

    def app(env: Any, start_response: Any) -> Iterator[bytes]:
        start_response("500 Never", TEXT)
        yield b"x"

    body = traffic(app, own, clock)(environ(), Started())
    body.close()  # type: ignore[attr-defined]
    assert in_flight(own) == 0
    assert not is_open(own, clock())


@pytest.mark.parametrize(
    ("method", "status", "items"),
    [("HEAD", "500 Oops", (b"a",)), ("GET", "500 Oops", []), ("GET", "500 Oops", [b"a"])],
)
def test_a_server_that_asks_for_no_more_than_there_is_has_it_all(
    method: str, status: str, items: Any, clock: Clock
) -> None:
    """A HEAD's body need not be read; one of known length is whole with its last item."""
    own = watching()
    body = traffic(returning(items, status), own, clock)(environ(method=method), Started())
    if method == "GET":
        for _ in items:
            next(iter(body))
    body.close()  # type: ignore[attr-defined]
    assert in_flight(own) == 0
    assert is_open(own, clock())  # counted by its status, so not as a client that left


def test_a_response_without_a_body_is_whole_as_it_is(clock: Clock) -> None:
    own = watching()
    own_app = traffic(returning(Items(), "304 Not Modified"), own, clock)
    body = own_app(environ(), Started())
    body.close()  # type: ignore[attr-defined]
    counts = breaker_state(own, clock())
    assert counts != breaker_state(watching(), clock())


def test_clients_that_leave_by_the_hundred_leave_nothing_behind(clock: Clock) -> None:
    own = watching()
    untouched = breaker_state(own, clock())

    def one(env: Any, start_response: Any) -> Any:
        return returning(Items(b"a", b"b"))(env, start_response)

    app = traffic(one, own, clock)

    def leave() -> None:
        for _ in range(50):
            body = iter(app(environ(), Started()))
            next(body)
            body.close()  # type: ignore[attr-defined]

    threads = [threading.Thread(target=leave) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert in_flight(own) == 0
    assert breaker_state(own, clock()) == untouched
