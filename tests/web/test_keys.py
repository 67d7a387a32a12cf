"""What limits are kept by, read from both kinds of requests alike."""

import pytest

from support.shells import http_scope, run, serve
from trafficcore import AsgiTraffic, WsgiTraffic
from trafficcore.errors import ConfigError
from trafficcore.limits import (
    Limit,
    client_address,
    cookie,
    first_of,
    header,
    path_parameter,
    query,
)
from trafficcore.web.keys import reader


def scope(headers=(), **more):
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    base = {"type": "http", "path": "/", "headers": pairs, "query_string": b"", "method": "GET"}
    return base | {"client": ("203.0.113.9", 1)} | more


def environ(headers=(), **more):
    named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers}
    return {"REMOTE_ADDR": "203.0.113.9", "PATH_INFO": "/", "QUERY_STRING": ""} | named | more


def both(by, headers=(), asgi=None, wsgi=None):
    found = {
        reader(by)(scope(headers, **(asgi or {}))),
        reader(by, wsgi=True)(environ(headers, **(wsgi or {}))),
    }
    assert len(found) == 1
    return found.pop()


def test_a_header_or_none():
    assert both(header("X-API-Key"), [("x-api-key", "abc")]) == "abc"
    assert both(header("x-api-key")) is None


@pytest.mark.parametrize("name", ["content-type", "Content-Length"])
def test_a_header_that_wsgi_keeps_under_a_name_of_its_own(name):
    bare = name.upper().replace("-", "_")
    assert both(header(name), [(name.lower(), "7")], wsgi={bare: "7"}) == "7"
    assert both(header(name), wsgi={bare: ""}) is None
    long = "a" * 200
    assert both(header(name), [(name.lower(), long)], wsgi={bare: long}).startswith("blake2b:")


def test_the_clients_address():
    assert both(client_address()) == "203.0.113.9"
    assert both(client_address(), [("x-forwarded-for", "1.2.3.4")]) == "203.0.113.9"
    trusted = client_address(["203.0.113.0/24"])
    assert both(trusted, [("x-forwarded-for", "6.6.6.6, 198.51.100.7")]) == "198.51.100.7"
    assert both(trusted) == "203.0.113.9"
    forwarded = client_address(["203.0.113.0/24"], header="Forwarded")
    headers = [("forwarded", "for=198.51.100.7"), ("x-forwarded-for", "6.6.6.6")]
    assert both(forwarded, headers) == "198.51.100.7"


def test_a_peer_without_an_address_is_one_client():
    assert both(client_address(), asgi={"client": None}, wsgi={"REMOTE_ADDR": ""}) == "unknown"
    v6 = "2001:db8::5"
    found = both(client_address(), asgi={"client": (v6, 1)}, wsgi={"REMOTE_ADDR": v6})
    assert found == "2001:db8::/64"


def test_behind_a_proxy_at_a_unix_socket_each_client_is_its_own():
    by = client_address(["unix"])
    nobody = {"asgi": {"client": None}, "wsgi": {"REMOTE_ADDR": ""}}
    assert both(by, [("x-forwarded-for", "198.51.100.7")], **nobody) == "198.51.100.7"
    assert both(by, **nobody) == "unknown"
    assert both(by, [("x-forwarded-for", "198.51.100.7")]) == "203.0.113.9"


def test_only_headers_that_proxies_write_are_believed():
    with pytest.raises(ConfigError, match="x-forwarded-for, forwarded, not 'x-real-ip'"):
        client_address(["10.0.0.0/8"], header="x-real-ip")


def test_cookies_and_queries():
    assert both(cookie("sid"), [("cookie", "a=b; sid=42")]) == "42"
    assert both(cookie("sid"), [("cookie", "other=1; xsid=2")]) is None
    assert both(cookie("sid")) is None
    lines = scope([("cookie", "a=b"), ("cookie", "sid=42")])
    assert reader(cookie("sid"))(lines) == "42"
    text = "a=1&key=x%20y&other=z"
    assert (
        both(query("key"), asgi={"query_string": text.encode()}, wsgi={"QUERY_STRING": text})
        == "x y"
    )
    assert both(query("key")) is None
    text = "key=a&key=b"
    found = both(query("key"), asgi={"query_string": text.encode()}, wsgi={"QUERY_STRING": text})
    assert found == ("a", "b")
    assert both(cookie("sid"), [("cookie", "sid=a; sid=b")]) == ("a", "b")


def test_a_path_parameter_is_there_once_routed():
    by = path_parameter("user")
    routed = ((), {"user": 7})
    assert both(by, asgi={"path_params": {"user": 7}}, wsgi={"wsgiorg.routing_args": routed}) == "7"
    none = {"asgi": {"path_params": {}}, "wsgi": {"wsgiorg.routing_args": ((), {})}}
    assert both(by, **none) is None


@pytest.mark.parametrize("shell", [AsgiTraffic, WsgiTraffic])
def test_a_path_parameter_in_front_of_every_route_is_told(shell):
    for by in (path_parameter("user"), first_of(path_parameter("user"), client_address())):
        front = shell(None, limits=[Limit("1/min", by=by)])
        with pytest.raises(ConfigError, match=r"path_parameter\('user'\) is for limits on a route"):
            run(front, http_scope()) if shell is AsgiTraffic else serve(front)


def test_the_first_key_that_is_there_and_never_anothers_bucket():
    by = first_of(header("x-api-key"), client_address())
    assert both(by, [("x-api-key", "203.0.113.9")]) == "0:203.0.113.9"
    assert both(by) == "1:203.0.113.9"
    assert both(first_of(header("a"), header("b"))) is None


def test_a_function_gets_facts():
    assert both(lambda facts: f"{facts.method} {facts.headers.get('x')}", [("x", "1")]) == "GET 1"


@pytest.mark.parametrize("length", [128, 129, 60_000])
def test_a_long_key_is_short_where_it_is_kept_and_still_a_key_of_its_own(length):
    keys = []
    for end in "ab":
        text = "k" * (length - 1) + end
        asgi = {"query_string": f"k={text}".encode(), "path_params": {"k": text}}
        wsgi = {"QUERY_STRING": f"k={text}", "wsgiorg.routing_args": ((), {"k": text})}
        found = {
            both(header("x-key"), [("x-key", text)]),
            both(cookie("k"), [("cookie", f"k={text}")]),
            both(query("k"), asgi=asgi, wsgi=wsgi),
            both(path_parameter("k"), asgi=asgi, wsgi=wsgi),
            both(lambda facts: facts.headers["x-key"], [("x-key", text)]),
        }
        assert len(found) == 1
        keys.append(found.pop())
    assert keys[0] != keys[1]
    assert all(len(key) <= 128 for key in keys)
    assert (len(keys[0]) == 128) is (length == 128)


def test_a_function_may_keep_users_by_number():
    assert both(lambda facts: 7) == "7"
    assert both(lambda facts: None) is None


def test_first_of_none_is_told():
    with pytest.raises(ConfigError, match="first_of\\(\\) needs a key"):
        first_of()


def test_what_is_no_key_is_told():
    with pytest.raises(ConfigError, match="by must be a key such as header"):
        reader("x-api-key")
