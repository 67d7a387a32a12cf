"""What is left, in headers: held to the draft by a parser of structured fields."""

import http_sf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.engine import Rejection
from trafficcore.limits import Limit, header
from trafficcore.web.limits import LimitGate

SCOPE = {
    "type": "http",
    "method": "GET",
    "path": "/",
    "headers": [(b"x-key", b"a")],
    "client": None,
}


def rows(gate, now):
    answer = gate.admit(SCOPE, "GET", "/", now)
    if isinstance(answer, Rejection):
        return dict(answer.headers), True
    return dict(gate.write(answer, now)), False


def parsed(text):
    return http_sf.parse(text.encode(), tltype="list")


def test_the_ietf_fields_say_quota_window_and_what_is_left():
    gate = LimitGate(
        [
            Limit("60/min", capacity=3, name="burst"),
            Limit("1000/h", name="hourly", by=header("x-key")),
        ],
        headers="ietf",
    )
    found, refused = rows(gate, 100.0)
    assert not refused
    assert parsed(found["ratelimit-policy"]) == [
        ("burst", {"q": 3, "w": 3}),
        ("hourly", {"q": 1000, "w": 3600}),
    ]
    assert parsed(found["ratelimit"]) == [
        ("burst", {"r": 2, "t": 1}),
        ("hourly", {"r": 999, "t": 4}),
    ]


def test_a_refusal_says_the_same_and_its_retry_is_not_before_the_reset():
    gate = LimitGate([Limit("2/min", name="slow")], headers="ietf")
    rows(gate, 0.0)
    rows(gate, 0.0)
    found, refused = rows(gate, 0.0)
    assert refused
    assert parsed(found["ratelimit"]) == [("slow", {"r": 0, "t": 30})]
    answer = gate.admit(SCOPE, "GET", "/", 10.0)
    assert isinstance(answer, Rejection)
    ((_, parameters),) = parsed(dict(answer.headers)["ratelimit"])
    assert parameters["t"] == 20
    assert answer.retry_after >= 20 - 1e-3


def test_a_full_bucket_names_no_reset_and_one_that_never_fills_no_window():
    gate = LimitGate(
        [Limit("10/s", name="fast"), Limit(0, capacity=5, name="never")], headers="ietf"
    )
    gate.admit(SCOPE, "GET", "/", 0.0)
    met = [(bound, "", 1.0) for bound in gate.limits]
    text = dict(gate.write(met, 1000.0))
    assert parsed(text["ratelimit-policy"]) == [("fast", {"q": 10, "w": 1}), ("never", {"q": 5})]
    assert parsed(text["ratelimit"]) == [("fast", {"r": 10}), ("never", {"r": 4})]


@given(st.text(alphabet=[chr(code) for code in range(32, 127)], min_size=1, max_size=20))
def test_any_name_is_a_string_of_structured_fields(name):
    gate = LimitGate([Limit("1/s", name=name)], headers="ietf")
    found, _ = rows(gate, 0.0)
    assert [item[0] for item in parsed(found["ratelimit-policy"])] == [name]


def test_envoys_headers_are_those_of_the_tightest_limit():
    gate = LimitGate([Limit("60/min", name="wide"), Limit("3/min", name="narrow")], headers="envoy")
    found, _ = rows(gate, 0.0)
    assert found == {
        "x-ratelimit-limit": "3",
        "x-ratelimit-remaining": "2",
        "x-ratelimit-reset": "0",
    }
    rows(gate, 0.0)
    rows(gate, 0.0)
    found, refused = rows(gate, 0.0)
    assert refused
    assert found["x-ratelimit-remaining"] == "0"
    assert found["x-ratelimit-reset"] == "20"


def test_what_never_fills_again_names_no_time_in_envoys_headers():
    gate = LimitGate([Limit(0, capacity=1)], headers="envoy")
    rows(gate, 0.0)
    found, refused = rows(gate, 0.0)
    assert refused
    assert found["x-ratelimit-remaining"] == "0"
    assert "x-ratelimit-reset" not in found


@pytest.mark.parametrize("kind", ["ietf", "envoy"])
def test_no_number_is_longer_than_a_structured_field_can_hold(kind):
    gate = LimitGate([Limit(1000, capacity=1e18, name="huge")], headers=kind)
    found, _ = rows(gate, 0.0)
    if kind == "envoy":
        assert found["x-ratelimit-limit"] == found["x-ratelimit-remaining"] == "9" * 15
    else:
        assert parsed(found["ratelimit"])[0][1]["r"] == 999_999_999_999_999
        assert parsed(found["ratelimit-policy"])[0][1]["q"] == 999_999_999_999_999


def test_requests_that_no_limit_is_about_get_no_headers():
    for kind in ("ietf", "envoy"):
        gate = LimitGate([Limit("1/s", on="/x")], headers=kind)
        assert gate.write(gate.admit(SCOPE, "GET", "/", 0.0), 0.0) == []


def test_none_writes_nothing():
    assert LimitGate([Limit("1/s")]).write is None


@pytest.mark.parametrize("kind", ["ietf", "envoy"])
def test_the_numbers_are_never_negative_nor_above_the_quota(kind):
    gate = LimitGate([Limit("7/s", capacity=5, name="a")], headers=kind)
    for step in range(200):
        found, _ = rows(gate, step * 0.05)
        numbers = (
            [int(found["x-ratelimit-remaining"])]
            if kind == "envoy"
            else [parameters["r"] for _, parameters in parsed(found["ratelimit"])]
        )
        assert all(0 <= number <= 5 for number in numbers)


def test_what_is_told_from_memory_is_what_is_written():
    gate = LimitGate([Limit("7/min", capacity=5, by=header("x-key"), name="a")], headers="ietf")
    for step in range(500):
        now = step * 3.7
        met = gate.admit(SCOPE, "GET", "/", now)
        if isinstance(met, Rejection):
            continue
        told = gate.tell(met, now)
        assert [(name.decode(), value.decode()) for name, value in told] == gate.write(met, now)
        assert gate.tell(met, now) is told


def test_texts_are_remembered_for_so_many_levels_and_no_more():
    gate = LimitGate([Limit("100000/min", by=header("x-key"))], headers="ietf")
    for _ in range(10_000):
        gate.tell(gate.admit(SCOPE, "GET", "/", 0.0), 0.0)
    assert 0 < len(gate.limits[0].told) <= 4096


@given(
    st.floats(min_value=0.001, max_value=1e5),
    st.sampled_from([1, 2.5, 7, 1000]),
    st.lists(st.floats(min_value=0, max_value=1e4), max_size=20),
)
def test_a_level_read_flat_is_the_machines(rate, capacity, gaps):
    (bound,) = LimitGate([Limit(rate, capacity, by=header("x-key"))]).limits
    now = 0.0
    for gap in gaps:
        now += gap / rate
        bound.try_acquire("a", now)
        tokens = bound.machine.tokens_at("a", now)
        whole, wait = bound.left("a", now)
        assert whole == int(tokens + 1e-9)
        assert (wait is None) == (whole + 1 > capacity)
        if wait is not None:
            assert wait - 1 < (whole + 1 - tokens) / rate <= wait + 1e-5


def test_a_debt_is_nothing_left_and_waited_for():
    (bound,) = LimitGate([Limit("60/min", capacity=2, by=header("x-key"))]).limits
    assert bound.try_acquire("a", 0.0)
    bound.machine.full_at["a"] = 10.0
    assert bound.left("a", 0.0) == (0, 9)
