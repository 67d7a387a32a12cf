"""Rejections as HTTP."""

from math import inf
from typing import Any

import pytest

from trafficcore import Reason, Rejection
from trafficcore.limits import Limit
from trafficcore.web.limits import LimitGate
from trafficcore.web.refuse import answer, is_grpc, reason_phrase


def rejection(
    status: int = 429,
    headers: tuple[tuple[str, str], ...] = (),
    body: str = "local_rate_limited",
    wait: float | None = None,
) -> Rejection:
    retry_at = None if wait is None else 50 + wait
    return Rejection(Reason.RATE_LIMITED, status, headers, body, None, 50, retry_at)


def headers_of(refused: Rejection, **more: Any) -> dict[str, str]:
    names = [name.lower() for name, _ in answer(refused, **more).headers]
    assert len(names) == len(set(names))
    return {name.lower(): value for name, value in answer(refused, **more).headers}


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (200, "OK"),
        (429, "Too Many Requests"),
        (498, "Client Error"),
        (499, "Client Error"),
        (520, "Server Error"),
        (299, "Success"),
        (390, "Redirection"),
        (777, "Unknown"),
        (99, "Unknown"),
    ],
)
def test_every_status_has_a_reason_phrase(status: int, phrase: str) -> None:
    assert reason_phrase(status) == phrase


@pytest.mark.parametrize(
    ("wait", "header"),
    [
        (0, "1"),
        (0.2, "1"),
        (1, "1"),
        (1.0005, "2"),
        (2.0009, "3"),
        (1.01, "2"),
        (29.9999999, "30"),
        (30.0000001, "30"),
        (59.5, "60"),
    ],
)
def test_a_known_wait_is_told_in_whole_seconds_rounded_up(wait: float, header: str) -> None:
    assert headers_of(rejection(wait=wait))["retry-after"] == header


@pytest.mark.parametrize("wait", [0.25, 2, 2.000002, 2.0009, 59.999999])
def test_it_is_not_before_what_headers_say_and_then_a_token_is_there(wait: float) -> None:
    gate = LimitGate([Limit(1 / 60, capacity=1, name="a")], headers="ietf")
    request = {"type": "http", "method": "GET", "path": "/", "headers": []}
    assert not isinstance(gate.admit(request, "GET", "/", 0), Rejection)
    refused = gate.admit(request, "GET", "/", 60 - wait)
    assert isinstance(refused, Rejection)
    told = headers_of(refused)
    assert told["ratelimit"] == f'"a";r=0;t={told["retry-after"]}'
    later = 60 - wait + int(told["retry-after"])
    assert not isinstance(gate.admit(request, "GET", "/", later), Rejection)


def test_a_refusal_of_grpc_tells_the_wait_as_well() -> None:
    assert headers_of(rejection(wait=2.5), grpc=True)["retry-after"] == "3"
    assert "retry-after" not in headers_of(rejection(), grpc=True)
    own = rejection(headers=(("Retry-After", "7"),), wait=30)
    assert headers_of(own, grpc=True)["retry-after"] == "7"


@pytest.mark.parametrize(
    ("content_type", "grpc"),
    [
        ("application/grpc", True),
        ("application/grpc+proto", True),
        ("application/grpc-web", False),
        ("application/grpc-web+proto", False),
        ("application/grpcfoo", False),
        ("application/json", False),
        ("", False),
        (None, False),
    ],
)
def test_grpc_is_told_by_its_content_type_and_grpc_web_is_another(
    content_type: str | None, grpc: bool
) -> None:
    assert is_grpc(content_type) is grpc


@pytest.mark.parametrize("wait", [None, inf])
def test_an_unknown_wait_is_not_told(wait: float | None) -> None:
    assert "retry-after" not in headers_of(rejection(wait=wait))


def test_a_retry_after_of_the_manifest_stands() -> None:
    own = headers_of(rejection(headers=(("Retry-After", "7"),), wait=30))
    assert own["retry-after"] == "7"


def test_the_manifests_headers_are_sent_as_written() -> None:
    refused = rejection(498, (("X-Envoy-Overload", "true"), ("x-a", "b")), "delay break!")
    status, reason, headers, body = answer(refused)
    assert (status, reason, body) == (498, "Client Error", b"delay break!")
    assert headers == [
        ("X-Envoy-Overload", "true"),
        ("x-a", "b"),
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", "12"),
    ]


def test_a_content_type_of_the_manifest_stands() -> None:
    own = headers_of(rejection(headers=(("Content-Type", "application/json"),), body="{}"))
    assert own["content-type"] == "application/json"


def test_what_belongs_to_the_connection_is_never_sent() -> None:
    names = ("Connection", "Transfer-Encoding", "Content-Length", "Keep-Alive", "Upgrade", "TE")
    own = headers_of(rejection(headers=tuple((name, "9999") for name in names)))
    assert set(own) == {"content-type", "content-length"}
    assert own["content-length"] == "18"


def test_a_head_is_told_of_the_body_it_does_not_get() -> None:
    refused = rejection()
    assert answer(refused, head=True).body == b""
    assert headers_of(refused, head=True)["content-length"] == "18"


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none_and_says_nothing_of_one(status: int) -> None:
    refused = rejection(status, (("content-type", "text/html"),), "text")
    assert answer(refused).body == b""
    assert not {"content-type", "content-length"} & set(headers_of(refused))


def test_a_body_is_utf_8_and_measured_in_bytes() -> None:
    refused = rejection(body="zu viel ✋")
    assert answer(refused).body == "zu viel ✋".encode()
    assert headers_of(refused)["content-length"] == "11"


def test_a_header_value_stays_on_its_line() -> None:
    own = headers_of(rejection(headers=(("x-a", "b\r\nset-cookie: c\0"),)))
    assert own["x-a"] == "b  set-cookie: c"


def test_a_header_value_that_is_not_latin_1_goes_as_utf_8() -> None:
    own = headers_of(rejection(headers=(("x-a", "é"), ("x-b", "✋"))))
    assert own["x-a"] == "é"
    assert own["x-b"].encode("latin-1").decode() == "✋"
