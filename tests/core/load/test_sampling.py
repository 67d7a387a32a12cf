"""`Sampler`: shares that are exact, and sessions that stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.core.load import Sampler, fnv1a


@pytest.mark.parametrize(
    ("data", "found"),  # of the authors' own test vectors
    [(b"", 0x811C9DC5), (b"a", 0xE40C292C), (b"foobar", 0xBF9CF968)],
)
def test_the_hash_is_fnv_1a(data, found):
    assert fnv1a(data) == found


@given(st.floats(0, 100), st.integers(1, 7), st.integers(0, 6))
def test_of_every_k_th_request_the_share_is_in(percent, step, offset):
    sampler = Sampler()
    taken = [sampler.takes(percent) for _ in range(2000)][offset::step]
    assert abs(sum(taken) - len(taken) * percent / 100) < 8


@pytest.mark.parametrize("session", [None, "ann"])
def test_all_and_nobody(session):
    sampler = Sampler()
    assert all(sampler.takes(100, session) for _ in range(100))
    assert not any(sampler.takes(0, session) for _ in range(100))


@given(st.text(max_size=20), st.floats(0, 100), st.floats(0, 100))
def test_a_session_that_is_in_stays_in_while_the_share_grows(session, one, other):
    sampler = Sampler()
    least, most = sorted((one, other))
    assert not sampler.takes(least, session) or sampler.takes(most, session)
    assert sampler.takes(one, session) is Sampler().takes(one, session)


def test_sessions_are_spread_by_their_share():
    sampler = Sampler()
    taken = sum(sampler.takes(30, f"user-{n}") for n in range(10_000))
    assert abs(taken - 3000) < 200
