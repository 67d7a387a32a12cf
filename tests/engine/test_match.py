"""Matchers compiled to predicates: headers, pseudo headers, query, address."""

from collections.abc import Mapping

import pytest

from trafficcore.engine.facts import Facts
from trafficcore.engine.match import compile_header, compile_request, on_path
from trafficcore.errors import ConfigError
from trafficcore.spec import AddressMatch, Direction, HeaderMatch, Op, QueryMatch, RequestMatch


def facts(path: str = "/a", query: str = "", address: str = "", **headers: str) -> Facts:
    return Facts(
        Direction.INBOUND, "web", path, "POST", query=query, headers=headers, address=address
    )


@pytest.mark.parametrize(
    ("op", "value", "text", "holds"),
    [
        (Op.EXACT, "abc", "abc", True),
        (Op.EXACT, "abc", "abcd", False),
        (Op.PREFIX, "ab", "abc", True),
        (Op.PREFIX, "b", "abc", False),
        (Op.SUFFIX, "bc", "abc", True),
        (Op.SUFFIX, "b", "abc", False),
        (Op.CONTAINS, "b", "abc", True),
        (Op.CONTAINS, "x", "abc", False),
        (Op.REGEX, "a.c", "abc", True),
        (Op.REGEX, "b", "abc", False),  # the whole value, as in Envoy
        (Op.REGEX, "abc", "abc\n", False),
        (Op.PRESENT, "true", "", True),
        (Op.PRESENT, "false", "x", False),
    ],
)
def test_a_header_is_compared(op: Op, value: str, text: str, holds: bool) -> None:
    assert compile_header(HeaderMatch("x", op, value))(facts(x=text)) is holds
    assert compile_header(HeaderMatch("x", op, value, invert=True))(facts(x=text)) is not holds


@pytest.mark.parametrize("op", list(Op))
def test_an_absent_header_satisfies_only_absence_and_inversion(op: Op) -> None:
    assert not compile_header(HeaderMatch("x", op, "v"))(facts())
    assert compile_header(HeaderMatch("x", op, "v", invert=True))(facts())


def test_present_false_holds_where_the_header_is_absent() -> None:
    assert compile_header(HeaderMatch("x", Op.PRESENT, "false"))(facts())


def test_pseudo_headers_are_those_of_envoy() -> None:
    request = facts("/a b", "q=1")
    assert request.header(":path") == "/a b?q=1"
    assert request.header(":method") == "POST"
    assert request.header(":authority") == "web"
    assert request.header(":scheme") == "http"
    assert request.header(":status") is None


@pytest.mark.parametrize(
    ("rule", "path", "answer"),
    [
        (HeaderMatch(":path", Op.PREFIX, "/a"), "/abc", True),
        (HeaderMatch(":path", Op.PREFIX, "/a"), "/b", False),
        (HeaderMatch(":path", Op.PREFIX, "/a", invert=True), "/b", True),
        (HeaderMatch(":path", Op.PREFIX, "/a?x"), "/a", None),
        (HeaderMatch(":path", Op.EXACT, "/a"), "/b", False),
        (HeaderMatch(":path", Op.EXACT, "/a", invert=True), "/b", True),
        (HeaderMatch(":path", Op.EXACT, "/a"), "/a", None),  # a query would make it another
        (HeaderMatch(":path", Op.SUFFIX, "a"), "/a", None),
        (HeaderMatch("x", Op.PREFIX, "/a"), "/a", None),
    ],
)
def test_a_path_matcher_is_answered_by_the_path_only_where_the_path_decides(
    rule: HeaderMatch, path: str, answer: bool | None
) -> None:
    assert on_path(rule, path) is answer
    if answer is not None:  # whatever the query may be
        for query in ("", "x=1", "/a"):
            assert compile_header(rule)(facts(path, query)) is answer


@pytest.mark.parametrize(
    ("rule", "query", "holds"),
    [
        (QueryMatch("a", Op.EXACT, "1 2"), "a=1%202", True),
        (QueryMatch("a", Op.EXACT, "1"), "b=1", False),
        (QueryMatch("a", Op.EXACT, "X", ignore_case=True), "a=x", True),
        (QueryMatch("a", Op.EXACT, "X"), "a=x", False),
        (QueryMatch("a", Op.CONTAINS, "y"), "a=xyz", True),
        (QueryMatch("a", Op.PRESENT, "true"), "a", True),
        (QueryMatch("a", Op.PRESENT, "true"), "", False),
        (QueryMatch("a", Op.PRESENT, "false"), "b=1", True),
        (QueryMatch("a", Op.PRESENT, "false"), "a=1", False),
        (QueryMatch("a", Op.REGEX, "[0-9]+"), "a=12", True),
    ],
)
def test_a_query_parameter_is_compared_after_decoding(
    rule: QueryMatch, query: str, holds: bool
) -> None:
    assert compile_request(RequestMatch(queries=(rule,)))(facts(query=query)) is holds


@pytest.mark.parametrize(
    ("rule", "address", "holds"),
    [
        (AddressMatch("10.1.2.3"), "10.1.2.3", True),
        (AddressMatch("10.1.2.3"), "10.1.2.4", False),
        (AddressMatch("10.0.0.0", v4_prefix_len=8), "::ffff:10.1.1.1", True),
        (AddressMatch("10.0.0.0", v4_prefix_len=8), "::ffff:11.1.1.1", False),
        (AddressMatch("::ffff:0:0", v6_prefix_len=96), "::ffff:11.1.1.1", True),
        (AddressMatch("10.1.2.3", v4_prefix_len=24), "10.1.2.4", True),
        (AddressMatch("10.1.2.3", v6_prefix_len=24), "10.1.2.4", False),
        (AddressMatch("2001:db8::1", v6_prefix_len=32), "2001:db8:ffff::2", True),
        (AddressMatch("10.0.0.0", v4_prefix_len=0), "2001:db8::1", False),
        (AddressMatch("10.1.2.3"), "", False),
        (AddressMatch("10.1.2.3"), "unix", False),
    ],
)
def test_an_address_is_looked_up_in_its_network(
    rule: AddressMatch, address: str, holds: bool
) -> None:
    assert compile_request(RequestMatch(address=rule))(facts(address=address)) is holds


def test_all_parts_must_hold_and_none_always_does() -> None:
    assert compile_request(RequestMatch())(facts())
    both = RequestMatch(
        headers=(HeaderMatch("x", Op.EXACT, "1"),), queries=(QueryMatch("a", Op.EXACT, "1"),)
    )
    assert compile_request(both)(facts(query="a=1", x="1"))
    assert not compile_request(both)(facts(query="a=1"))


def test_a_bad_pattern_or_address_is_told_with_its_value() -> None:
    with pytest.raises(ConfigError, match=r"'\('"):
        compile_header(HeaderMatch("x", Op.REGEX, "("))
    with pytest.raises(ConfigError, match="'ten'"):
        compile_request(RequestMatch(address=AddressMatch("ten")))


def test_headers_are_made_when_they_are_first_needed() -> None:
    made: list[int] = []

    def headers() -> Mapping[str, str]:
        made.append(1)
        return {"x": "1"}

    request = Facts(Direction.INBOUND, "web", headers=headers)
    assert made == []
    assert request.header("x") == "1"
    assert request.header("y") is None
    assert made == [1]
