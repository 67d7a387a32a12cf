"""Cookies and queries: whatever an application reads of them is among what a limit is kept by."""

from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl

import pytest
from django.http.cookie import parse_cookie as by_django
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import cookie_parser as by_starlette
from werkzeug.sansio.http import parse_cookie as by_werkzeug

from trafficcore.web.readings import MOST, SEVERAL, cookie_values, query_values


def by_the_library(text):
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(text).items()}
    except CookieError:
        return {}


COOKIE_PARTS = st.sampled_from(
    ["k=", "k =", "k", "=", ";", "; ", " ", "\t", '"', "\\", "\\101", '\\"', "a", "b", "{", ","]
)


@given(st.lists(COOKIE_PARTS, max_size=14).map("".join))
@example("a b; k=a")
@example('j={"a":1}; k=a')
@example("k=a; k=b")
@example('a b; x="; k=1; "; k=a; y="; k=2; "')
@example("a=1 k=a")
def test_a_cookie_as_any_framework_reads_it_is_among_its_values(text):
    values = cookie_values(text, "k")
    assert len(values) <= MOST
    if values == [SEVERAL]:
        return
    for read in (by_starlette, by_django, by_the_library):
        assert read(text).get("k", "") in {*values, ""}
    for value in by_werkzeug(text).getlist("k"):
        assert value in {*values, ""}  # "": a cookie without "=", which has no value


@given(st.binary(max_size=8))
@example(b"\xc2\xa0")  # a space in UTF-8, and half a letter in latin-1
@example(b"\x85")
def test_bytes_beyond_ascii_are_read_as_both_kinds_of_frameworks_read_them(tail):
    tail = tail.replace(b";", b"").replace(b'"', b"").replace(b"\\", b"")
    for raw in (b"k=abc" + tail, b"k" + tail.replace(b"=", b"") + b"=abc"):
        latin, utf8 = raw.decode("latin-1"), raw.decode("utf-8", "replace")
        values = {*cookie_values(latin, "k"), None}
        assert by_starlette(latin).get("k") in values
        assert by_django(utf8).get("k") in values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("k=abc", ["abc"]),
        ('k="abc"', ["abc"]),
        ("xk=abc", []),
        ("k", []),
        ("k=abc; k=abc", ["abc"]),
        ("k=abc; K=def", ["abc"]),
        ('k={"a": 1}; other', ['{"a": 1}']),
        ("k=1; k=2; k=3; k=4", ["1", "2", "3", "4"]),
        ("k=1; k=2; k=3; k=4; k=5", [SEVERAL]),
        ("", []),
    ],
)
def test_a_plain_cookie_has_one_value(text, values):
    assert cookie_values(text, "k") == values


@given(st.lists(st.sampled_from(["k=", "%6B=", "=", "&", ";", "a", "+", "%20", "%C3%A9"])))
@example(["k=", "a", "&", "k=", "b"])
def test_a_parameter_as_any_framework_reads_it_is_among_its_values(parts):
    text = "".join(parts)
    values = query_values(text, "k")
    found = [value for name, value in parse_qsl(text, keep_blank_values=True) if name == "k"]
    assert values == list(dict.fromkeys(found)) or values == [SEVERAL]
    assert (values == [SEVERAL]) == (len(set(found)) > MOST)


def test_a_raw_letter_is_read_as_latin_1_and_as_utf_8():
    raw = "k=é".encode().decode("latin-1")
    assert query_values(raw, "k") == ["Ã©", "é"]
    assert query_values("ключ=1".encode().decode("latin-1"), "ключ") == ["1"]
    assert query_values("a=1", "k") == []


def test_a_hostile_header_takes_no_time_to_speak_of():
    for text in ('k="' * 20_000, "k=a " * 20_000, "k=a;" * 20_000, "k" + " " * 60_000):
        assert len(cookie_values(text, "k")) <= MOST
