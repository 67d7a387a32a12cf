"""Headers read from where a shell keeps them: as one mapping, one by one, by two spellings."""

from functools import partial
from typing import Any

import pytest

from support.shells import environ, http_scope
from trafficcore.engine import Facts
from trafficcore.engine.facts import BOTH
from trafficcore.spec import Direction
from trafficcore.web.facts import asgi_facts, wsgi_facts
from trafficcore.web.headers import AsgiHeaders, WsgiHeaders

NAMES = ("user_type", "user-type")


def asgi(*headers: tuple[bytes, bytes]) -> Facts:
    return asgi_facts(http_scope(headers=[(b"host", b"a"), *headers]), None)


def wsgi(**keys: str) -> Facts:
    return wsgi_facts(environ(**keys), None)


@pytest.mark.parametrize("kind", [list, tuple, dict.items])
def test_asgi_headers_are_a_mapping(kind: Any) -> None:
    pairs = {b"host": b"a", b"x-latin": b"\xe9"}
    headers = AsgiHeaders(pairs.items() if kind is dict.items else kind(pairs.items()))
    assert dict(headers) == {"host": "a", "x-latin": "é"}
    assert (len(headers), "host" in headers, "x" in headers) == (2, True, False)
    assert (headers.get("host"), headers.get("x"), headers.get("x", "none")) == ("a", None, "none")
    with pytest.raises(KeyError, match="x-b"):
        headers["x-b"]


def test_a_name_in_capitals_is_found_and_one_outside_of_latin_1_is_in_no_request() -> None:
    headers = AsgiHeaders([(b"X-A", b"1"), (b"\xe9", b"2")])
    assert headers["x-a"] == "1"
    assert headers.get("é") == "2"
    assert headers.get("☃") is None
    assert set(headers) == {"x-a", "é"}


def test_names_that_differ_in_capitals_are_one_header() -> None:
    assert dict(AsgiHeaders([(b"X-A", b"1"), (b"x-a", b"2"), (b"Cookie", b"a=1")])) == {
        "x-a": "1,2",
        "cookie": "a=1",
    }
    assert AsgiHeaders([(b"Cookie", b"a=1"), (b"cookie", b"b=2")])["cookie"] == "a=1; b=2"


def test_wsgi_headers_are_a_mapping() -> None:
    headers = WsgiHeaders({"HTTP_X_A": "1", "HTTP_E": "", "CONTENT_TYPE": "t", "OTHER": "2"})
    assert dict(headers) == {"x-a": "1", "e": "", "content-type": "t"}
    assert (len(headers), "x-a" in headers, "x_a" in headers) == (3, True, False)
    with pytest.raises(KeyError, match="x_a"):
        headers["x_a"]


def test_the_type_of_the_content_stands_under_a_key_of_its_own() -> None:
    both = {"CONTENT_TYPE": "own", "HTTP_CONTENT_TYPE": "other"}
    assert WsgiHeaders(both)["content-type"] == "own"
    assert WsgiHeaders({**both, "CONTENT_TYPE": ""})["content-type"] == "other"
    assert WsgiHeaders({"CONTENT_LENGTH": ""}).get("content-length") is None


@pytest.mark.parametrize("names", [NAMES, NAMES[::-1]])
def test_a_header_by_either_of_two_names(names: tuple[str, str]) -> None:
    assert asgi((b"accept", b"*")).either(*names) is None
    assert asgi((b"user_type", b"guest")).either(*names) == "guest"
    assert asgi((b"User-Type", b"guest")).either(*names) == "guest"
    assert wsgi().either(*names) is None
    assert wsgi(HTTP_USER_TYPE="guest").either(*names) == "guest"
    for headers in ({"user_type": "guest"}, {"user-type": "guest"}):
        assert Facts(Direction.INBOUND, "a", headers=headers).either(*names) == "guest"
        later = Facts(Direction.INBOUND, "a", headers=partial(dict, headers))
        assert later.either(*names) == "guest"
    assert Facts(Direction.INBOUND, "a").either(*names) is None


def test_a_header_by_both_names_is_told_apart_from_one_that_came_twice() -> None:
    assert asgi((b"user_type", b"a"), (b"user-type", b"a")).either(*NAMES) is BOTH
    assert asgi((b"user_type", b"a"), (b"user_type", b"b")).either(*NAMES) == "a,b"
    both = {"user_type": "a", "user-type": "a"}
    assert Facts(Direction.INBOUND, "a", headers=both).either(*NAMES) is BOTH


def test_an_environ_with_a_place_of_its_own_for_a_header_is_read_there() -> None:
    assert wsgi(CONTENT_TYPE="t").either("content_type", "content-type") == "t"
    assert wsgi(CONTENT_TYPE="").either("content-type", "content_type") is None


def test_headers_made_later_are_a_mapping_made_once() -> None:
    made: list[int] = []

    def make() -> dict[str, str]:
        made.append(1)
        return {"x": "1"}

    headers = Facts(Direction.INBOUND, "a", headers=make).headers
    assert made == []
    assert dict(headers) == {"x": "1"}
    assert (len(headers), headers.get("y", "2")) == (1, "2")
    assert made == [1]
