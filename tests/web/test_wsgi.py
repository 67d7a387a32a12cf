"""`WsgiTraffic` by hand: item by item, with a clock that stands still."""

import gc
import io
import threading
from collections.abc import Iterator
from typing import Any
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest

from conftest import Clock
from support.policies import breaker, engine, limit, quota, request
from support.shells import (
    Started,
    breaker_state,
    environ,
    eventually,
    http_scope,
    in_flight,
    inbound,
    is_open,
    run,
    serve,
    watching,
)
from trafficcore import AsgiTraffic, ConfigError, Engine, Permit, WsgiTraffic
from trafficcore.live.drivers import driver_of

TEXT = [("content-type", "text/plain")]


def plain(env: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [*TEXT, ("content-length", "2")])
    return [b"ok"]


class Items:
    """An iterable of items that counts how often it is closed."""

    def __init__(self, *items: Any) -> None:
        self.items = iter(items)
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        item = next(self.items)
        if isinstance(item, BaseException):
            raise item
        return item() if callable(item) else item

    def close(self) -> None:
        self.closed += 1


def returning(body: Any, status: str = "200 OK") -> Any:
    def app(env: Any, start_response: Any) -> Any:
        start_response(status, TEXT)
        return body

    return app


def traffic(app: Any, own: Engine, clock: Clock, **more: Any) -> WsgiTraffic:
    return WsgiTraffic(app, own, clock=clock, **more)


def test_a_request_within_the_limit_passes_and_one_above_is_refused(clock: Clock) -> None:
    own = engine(limit(2, 60))
    app = traffic(plain, own, clock)
    assert serve(app) == ("200 OK", {"content-type": "text/plain", "content-length": "2"}, b"ok")
    assert serve(app)[0] == "200 OK"
    status, headers, body = serve(app)
    assert (status, body) == ("429 Too Many Requests", b"local_rate_limited")
    assert headers["retry-after"] == "30"
    assert headers["content-length"] == "18"
    assert (inbound(own)["admitted"], inbound(own)["refused"], in_flight(own)) == (2, 1, 0)


def test_a_status_that_nobody_registered_gets_a_reason_phrase(clock: Clock) -> None:
    own = engine(limit(0, limit={"status": 498, "body": "delay break!"}))
    assert serve(traffic(plain, own, clock))[0] == "498 Client Error"


def test_a_refused_head_gets_no_body(clock: Clock) -> None:
    status, headers, body = serve(
        traffic(plain, engine(limit(0)), clock), environ(method="HEAD")
    )
    assert (status[:3], headers["content-length"], body) == ("429", "18", b"")


@pytest.mark.parametrize("quota", [0, 5])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_validator_of_pep_3333_accepts_both_sides(
    quota: int, method: str, clock: Clock
) -> None:
    def app(env: Any, start_response: Any) -> Any:
        start_response("200 OK", TEXT)
        return [] if env["REQUEST_METHOD"] == "HEAD" else iter([b"a", b"b"])

    wrapped = validator(traffic(validator(app), engine(limit(quota)), clock))  # type: ignore[arg-type]
    env = environ(method=method)
    del env["wsgi.input"], env["wsgi.errors"]
    env |= {"wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO()}
    started: list[Any] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        started.append(status)
        return lambda data: None

    body = wrapped(env, start_response)
    assert b"".join(body) in (b"ab", b"local_rate_limited", b"")
    body.close()  # type: ignore[attr-defined]
    assert started[0].startswith("200" if quota else "429")


# --- when a permit ends -------------------------------------------------------------------------


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
        WsgiTraffic(plain, engine(), slow="middle")  # type: ignore[arg-type]


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

    traffic(plain, watching(), clock)(environ(), start_response)
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


# --- when it goes wrong -------------------------------------------------------------------------


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
def test_what_comes_from_outside_is_no_verdict(
    error: type[BaseException], clock: Clock
) -> None:
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
    app = traffic(lambda env, start: returning(Items(b"a", b"b"))(env, start), own, clock)

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


# --- the application's side ---------------------------------------------------------------------


def test_the_application_reaches_its_permit(clock: Clock) -> None:
    own = watching()

    def app(env: Any, start_response: Any) -> list[bytes]:
        permit = env["trafficcore.permit"]
        assert not permit.settled
        getattr(permit, env["PATH_INFO"][1:])()
        start_response("500 Oops" if env["PATH_INFO"] == "/ignore" else "200 OK", TEXT)
        return [b""]

    wrapped = traffic(app, own, clock)
    serve(wrapped, environ("/ignore"))
    assert not is_open(own, clock())
    serve(wrapped, environ("/fail"))
    assert is_open(own, clock())


def test_one_engine_around_a_request_twice_charges_once(clock: Clock) -> None:
    own = engine(limit(2))
    twice = traffic(traffic(plain, own, clock), own, clock)
    assert [serve(twice)[0][:3] for _ in range(3)] == ["200", "200", "429"]
    assert inbound(own)["admitted"] == 2


def test_two_engines_around_a_request_each_charge_it_once(clock: Clock) -> None:
    outer, inner = engine(limit(5)), engine(limit(2))
    wrapped = traffic(traffic(traffic(plain, outer, clock), inner, clock), outer, clock)
    assert [serve(wrapped)[0][:3] for _ in range(3)] == ["200", "200", "429"]
    assert (inbound(outer)["admitted"], inbound(inner)["admitted"]) == (3, 2)
    assert in_flight(outer) == in_flight(inner) == 0


def test_an_environ_used_again_is_another_request(clock: Clock) -> None:
    env = environ()
    app = traffic(plain, engine(limit(1)), clock)
    assert [serve(app, env)[0][:3] for _ in range(2)] == ["200", "429"]


def test_behind_a_bridge_from_asgi_the_request_is_charged_once(clock: Clock) -> None:
    own = engine(limit(5))
    inner = traffic(plain, own, clock)

    async def bridge(scope: Any, receive: Any, send: Any) -> None:
        status, _, body = serve(inner, environ(**{"asgi.scope": scope}))
        await send({"type": "http.response.start", "status": int(status[:3]), "headers": []})
        await send({"type": "http.response.body", "body": body})

    assert run(AsgiTraffic(bridge, own, clock=clock), http_scope()).body == b"ok"
    assert inbound(own)["admitted"] == 1
    assert serve(inner, environ(**{"asgi.scope": {}}))[2] == b"ok"
    assert inbound(own)["admitted"] == 2


def test_request_labels_that_raise_are_an_error_before_admission(clock: Clock) -> None:
    own = engine(limit(5))

    def labels(_env: Any) -> dict[str, str]:
        raise LookupError("nobody is logged in")

    with pytest.raises(LookupError):
        serve(traffic(plain, own, clock, request_labels=labels))
    assert inbound(own)["admitted"] == in_flight(own) == 0


def test_the_breakers_own_answer_is_sent_and_counts_for_nothing(clock: Clock) -> None:
    own = engine(breaker(rule={"max_slow": 1}))

    def late(env: Any, start_response: Any) -> list[bytes]:
        clock.advance(0.6)
        return plain(env, start_response)

    app = traffic(late, own, clock)
    assert serve(app)[0] == "200 OK"
    status, headers, body = serve(app)
    assert (status, headers["retry-after"], body) == ("498 Client Error", "60", b"delay break!")


# --- waiting ------------------------------------------------------------------------------------


class Waiting:
    """Requests in threads in front of a quota of one a second, its token taken."""

    def __init__(self, clock: Clock, **more: Any) -> None:
        self.clock = clock
        self.engine = engine(quota(1, 1, **more))
        self.app = traffic(plain, self.engine, clock)
        assert isinstance(self.engine.admit(request(), clock()), Permit)
        self.answers: list[str] = []
        self.threads: list[threading.Thread] = []

    def start(self, count: int) -> None:
        for _ in range(count):
            thread = threading.Thread(target=self._one)
            thread.start()
            self.threads.append(thread)
        eventually(lambda: inbound(self.engine)["queued"] == count)

    def _one(self) -> None:
        self.answers.append(serve(self.app)[0])

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        driver_of(self.engine).kick()

    def join(self) -> None:
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()


def test_who_waits_is_called_when_his_turn_has_come(clock: Clock) -> None:
    own = Waiting(clock)
    own.start(3)
    for served in (1, 2, 3):
        own.advance(1)
        eventually(lambda served=served: len(own.answers) == served)  # type: ignore[misc]
    own.join()
    assert own.answers == ["200 OK"] * 3
    assert (inbound(own.engine)["queued"], in_flight(own.engine)) == (0, 1)


def test_who_waits_too_long_is_refused(clock: Clock) -> None:
    own = Waiting(clock, timeout=0.5)
    own.start(2)
    own.advance(0.5)
    own.join()
    assert own.answers == ["503 Service Unavailable"] * 2
    assert (inbound(own.engine)["queued"], in_flight(own.engine)) == (0, 1)
