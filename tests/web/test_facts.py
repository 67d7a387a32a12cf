"""What the rules get to see of a request."""

from typing import Any

import pytest

from support.shells import environ, http_scope, websocket_scope
from trafficcore.spec import Direction
from trafficcore.web.facts import asgi_facts, wsgi_facts


def test_an_asgi_request_is_inbound_and_read_in_full() -> None:
    scope = http_scope(
        "/a b", "POST", query_string=b"x=%20&y", scheme="https", headers=[(b"host", b"Web:8080")]
    )
    facts = asgi_facts(scope, None)
    assert facts.direction is Direction.INBOUND
    assert (facts.host, facts.path, facts.method) == ("Web:8080", "/a b", "POST")
    assert (facts.query, facts.scheme, facts.address) == ("x=%20&y", "https", "10.0.0.1")
    assert facts.labels is None


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        ([(b"accept", b"*"), (b"host", b"a")], "a"),
        ([(b":authority", b"b")], "b"),
        ([], "127.0.0.1"),
    ],
)
def test_the_host_is_the_header_or_the_authority_or_the_servers(headers: Any, host: str) -> None:
    assert asgi_facts(http_scope(headers=headers), None).host == host


def test_headers_are_lower_case_and_repeated_ones_are_joined() -> None:
    headers = [
        (b"host", b"a"),
        (b"X-A", b"1"),
        (b"x-a", b"2"),
        (b"cookie", b"a=1"),
        (b"cookie", b"b=2"),
        (b"x-latin", b"\xe9"),
    ]
    facts = asgi_facts(http_scope(headers=headers), None)
    assert facts.headers == {"host": "a", "x-a": "1,2", "cookie": "a=1; b=2", "x-latin": "é"}


def test_headers_are_not_decoded_before_a_rule_asks() -> None:
    class Raw(list[Any]):
        reads = 0

        def __iter__(self) -> Any:
            self.reads += 1
            return super().__iter__()

    raw = Raw([(b"host", b"a"), (b"x-a", b"1")])
    facts = asgi_facts(http_scope(headers=raw), None)
    assert raw.reads == 1  # the search for the host
    assert facts.header("x-a") == "1"
    assert facts.header("x-b") is None
    assert raw.reads == 2


@pytest.mark.parametrize(
    ("root", "path", "seen"),
    [
        ("", "/x", "/x"),
        ("", "", "/"),
        ("/app", "/app/x", "/app/x"),  # Starlette, uvicorn: the path has its mount point
        ("/app", "/app", "/app"),
        ("/app", "/x", "/app/x"),  # hypercorn and older mounts: it has not
        ("/app", "/apple", "/app/apple"),
        ("/app/", "/app/x", "/app/x"),
        ("/", "/x", "/x"),
    ],
)
def test_the_path_is_the_whole_one_whoever_mounts(root: str, path: str, seen: str) -> None:
    assert asgi_facts(http_scope(path, root_path=root), None).path == seen


def test_a_websocket_is_a_get_as_it_is_on_the_wire() -> None:
    facts = asgi_facts(websocket_scope("/ws", scheme="ws"), None)
    assert (facts.method, facts.scheme, facts.path) == ("GET", "http", "/ws")
    assert asgi_facts({**websocket_scope(), "scheme": "wss"}, None).scheme == "https"


def test_a_peer_without_an_address_has_none() -> None:
    assert asgi_facts(http_scope(client=None), None).address == ""


def test_the_least_a_scope_may_hold_is_enough() -> None:
    facts = asgi_facts({"type": "websocket", "path": "/", "headers": []}, None)
    assert (facts.host, facts.query, facts.scheme) == ("", "", "http")


def test_labels_are_made_from_the_request_itself() -> None:
    scope = http_scope(user="ada")
    assert asgi_facts(scope, lambda it: {"tier": it["user"]}).labels == {"tier": "ada"}
    assert wsgi_facts(environ(USER="bo"), lambda it: {"tier": it["USER"]}).labels == {"tier": "bo"}
    assert asgi_facts(scope, lambda _: None).labels is None


def test_a_wsgi_request_is_inbound_and_read_in_full() -> None:
    env = environ(
        "/x",
        "PUT",
        QUERY_STRING="a=1",
        HTTP_X_A="1",
        HTTP_USER_TYPE="guest",
        CONTENT_TYPE="text/plain",
        CONTENT_LENGTH="3",
    )
    facts = wsgi_facts(env, None)
    assert facts.direction is Direction.INBOUND
    assert (facts.host, facts.path, facts.method) == (env["HTTP_HOST"], "/x", "PUT")
    assert (facts.query, facts.scheme, facts.address) == ("a=1", "http", "10.0.0.1")
    assert facts.headers == {
        "host": env["HTTP_HOST"],
        "x-a": "1",
        "user-type": "guest",
        "content-type": "text/plain",
        "content-length": "3",
    }


def test_an_empty_content_header_of_wsgi_is_no_header() -> None:
    facts = wsgi_facts(environ(CONTENT_TYPE="", CONTENT_LENGTH=""), None)
    assert set(facts.headers) == {"host"}


def test_without_a_host_header_wsgi_names_the_server() -> None:
    assert wsgi_facts(environ(HTTP_HOST=""), None).host == "localhost"


@pytest.mark.parametrize(
    ("script", "info", "seen"),
    [
        ("", "/x", "/x"),
        ("", "", "/"),
        ("/app", "/x", "/app/x"),
        ("/app", "", "/app"),
        ("/app/", "/x", "/app/x"),
        ("", "/caf\xc3\xa9", "/café"),  # UTF-8 bytes in the guise of latin-1
        ("", "/\xff", "/�"),
    ],
)
def test_a_wsgi_path_is_whole_and_read_as_routers_read_it(
    script: str, info: str, seen: str
) -> None:
    assert wsgi_facts(environ(info, SCRIPT_NAME=script), None).path == seen


@pytest.mark.parametrize("info", ["/caf\xc3\xa9", "/\xff", "/plain"])
def test_a_wsgi_path_is_the_one_that_werkzeug_and_django_have(info: str) -> None:
    from django.core.handlers.wsgi import get_path_info
    from werkzeug.wrappers import Request

    env = environ(info)
    seen = wsgi_facts(env, None).path
    assert seen == Request(env).path
    if "\xff" not in info:  # Django keeps broken bytes percent-encoded; nothing matches them
        assert seen == get_path_info(env)


def test_the_callers_patience_is_read_from_its_headers():
    scope = {"type": "http", "path": "/", "headers": [(b"host", b"web"), (b"grpc-timeout", b"2S")]}
    assert asgi_facts(scope, None).timeout == 2
    environ = {"HTTP_HOST": "web", "HTTP_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS": "1500"}
    assert wsgi_facts(environ, None).timeout == 1.5
    assert wsgi_facts({"HTTP_HOST": "web"}, None).timeout is None
