"""Limiters that share a bucket, limiters that have a part, and the files they meet in."""

import asyncio
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.virtual_loop import run
from trafficcore.errors import ConfigError, Rejected, StoreError
from trafficcore.live import (
    KeyedRateLimiter,
    RateLimiter,
    SharedKeyedRateLimiter,
    SharedRateLimiter,
    sharing,
)
from trafficcore.live.sharing import part_of
from trafficcore.store.lock import TAKE, flock
from trafficcore.testing import limits_off

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fcntl")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A directory of the test's own, whose files are closed at its end."""
    folder = tmp_path / "shared"
    monkeypatch.setenv("TRAFFICCORE_SHARE_DIR", str(folder))
    monkeypatch.setattr(sharing, "_files", {})
    opened = [sharing._files]
    yield opened
    for files in opened:
        for file in files.values():
            file.close()


@pytest.fixture
def another_process(folder, monkeypatch):
    """From here on files are opened anew, as another process would."""

    def start():
        folder.append({})
        monkeypatch.setattr(sharing, "_files", folder[-1])

    return start


def shared(clock, rate="10/s", capacity=5, name="api", **settings):
    return RateLimiter(rate, capacity, share="host", name=name, clock=clock, **settings)


def test_limiters_of_one_name_in_several_processes_are_one(clock, another_process):
    one = shared(clock)
    another_process()
    other = shared(clock)
    assert [one.try_acquire(), other.try_acquire(3), one.try_acquire(), other.try_acquire()] == [
        True, True, True, False,
    ]  # fmt: skip
    assert one.tokens() == other.tokens() == pytest.approx(0, abs=1e-4)
    other.refund(2)
    assert one.tokens() == pytest.approx(2, abs=1e-4)
    clock.advance(0.1)
    assert one.try_acquire(3)
    assert one.snapshot() == {"name": "api", "waiting": 0, "capacity": 5, "rate": 10.0} | {
        "tokens": pytest.approx(0, abs=1e-4)
    }


def test_another_name_or_other_numbers_are_another_limit(clock):
    assert shared(clock).try_acquire(5)
    for other in (
        shared(clock, name="other"),
        shared(clock, capacity=6),
        shared(clock, rate="11/s"),
        shared(clock, name="5.0:api"),
    ):
        assert other.tokens() == other.capacity


def test_the_way_a_rate_is_written_makes_no_difference(clock):
    assert shared(clock, rate="600/min", capacity=5.0).try_acquire(5)
    assert not shared(clock, rate=10).try_acquire()


def test_all_verbs_are_there_and_raise_as_in_memory(clock):
    limiter = shared(clock, capacity=1)
    with limiter:
        pass
    with pytest.raises(Rejected) as refusal, limiter:
        pass
    assert refusal.value.source == "api"
    assert refusal.value.retry_after == pytest.approx(0.1, abs=1e-5)
    assert not limiter.try_acquire(2)
    with pytest.raises(ConfigError, match="cost must be"):
        limiter.try_acquire(0)
    assert limiter.earliest() == pytest.approx(100.1, abs=1e-5)


def test_who_waits_asks_again_where_another_process_was_quicker(clock, another_process):
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        clock.advance(seconds)
        if len(slept) == 1:
            assert other.try_acquire()

    mine = shared(clock, capacity=1, sleep=sleep)
    another_process()
    other = shared(clock, capacity=1)
    assert other.try_acquire()
    mine.acquire()
    assert slept == [pytest.approx(0.1, abs=1e-5)] * 2
    assert clock.now == pytest.approx(100.2, abs=1e-5)


def test_nobody_of_this_process_goes_past_those_who_wait(clock):
    refused = []

    def sleep(seconds):
        clock.advance(seconds)
        refused.append(mine.try_acquire())
        with pytest.raises(ConfigError, match="cost must be"):
            mine.try_acquire(-1)

    mine = shared(clock, capacity=1, sleep=sleep)
    assert mine.try_acquire()
    mine.acquire()
    assert refused == [False]


def test_tasks_wait_too():
    async def main():
        time = asyncio.get_running_loop().time
        mine = shared(time, capacity=1)
        for _ in range(5):
            await mine.acquire_async()
        return time()

    assert run(main()) == pytest.approx(1000.4, abs=1e-4)


def test_a_waiter_is_not_let_in_past_a_stopped_worker_and_gives_up_in_time(clock, folder):
    """The bucket seems to have tokens, and cannot be asked: no grant, and no spinning."""
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        clock.advance(seconds)

    mine = shared(clock, sleep=sleep)
    (file,) = folder[-1].values()
    holder = os.open(file.path, os.O_RDWR)
    try:
        flock(holder, TAKE)
        file.stalled = True  # its patience is over
        assert not mine.try_acquire()
        with pytest.raises(Rejected):
            mine.acquire(timeout=0.05)
        assert 45 <= len(looks) <= 51
        assert mine.tokens() == 5
    finally:
        os.close(holder)
    mine.acquire(timeout=0)
    assert not file.stalled


def test_what_is_reserved_is_taken_from_all_processes(clock, another_process):
    one = shared(clock, capacity=1)
    another_process()
    other = shared(clock, capacity=1)
    assert one.reserve().delay == 0
    turn = other.reserve()
    assert turn.delay == pytest.approx(0.1, abs=1e-5)
    later = one.reserve()
    assert later.delay == pytest.approx(0.2, abs=1e-5)
    with pytest.raises(Rejected):
        other.reserve(timeout=0.25)
    assert later.cancel() == pytest.approx(1)
    assert other.reserve().delay == pytest.approx(0.2, abs=1e-5)


def test_a_debt_is_owed_by_all_processes(clock, another_process):
    one = shared(clock)
    another_process()
    other = shared(clock)
    assert one.try_acquire(5)
    one.correct(5, 7)
    clock.advance(0.2)
    assert other.tokens() == pytest.approx(0, abs=1e-4)
    assert not other.try_acquire()
    clock.advance(0.1)
    assert other.try_acquire()
    other.correct(1, 0.5)
    assert one.tokens() == pytest.approx(0.5, abs=1e-4)


def test_its_numbers_stay_as_they_are(clock):
    limiter = shared(clock)
    for settings in ({"rate": 5}, {"capacity": 2}):
        with pytest.raises(ConfigError, match="is known by its numbers: make another one"):
            limiter.update(**settings)
    assert (limiter.rate, limiter.capacity) == (10, 5)


def test_keys_are_shared_too(clock, another_process):
    def make(**more):
        return KeyedRateLimiter(
            "10/s", 2, share="host", name="ip", clock=clock, max_keys=100, **more
        )

    one = make()
    another_process()
    other = make(sleep=clock.advance)
    assert isinstance(one, SharedKeyedRateLimiter)
    assert [one.try_acquire("a"), other.try_acquire("a"), one.try_acquire("a")] == [
        True, True, False,
    ]  # fmt: skip
    assert one.try_acquire("b")
    other.acquire("a")
    assert clock.now == pytest.approx(100.1, abs=1e-5)
    assert one.tokens("a") == pytest.approx(0, abs=1e-4)
    other.refund("a", 1)
    assert one.tokens("a") == pytest.approx(1, abs=1e-4)
    assert one.earliest("a", 2) == pytest.approx(100.2, abs=1e-4)
    assert not one.try_acquire("a", 3)
    with pytest.raises(ConfigError, match="cost must be"):
        one.try_acquire("a", 0)
    state = one.snapshot()
    assert (state["max_keys"], state["overflowed"], state["name"]) == (200, 0, "ip")


def test_nobody_goes_past_those_who_wait_for_the_same_key(clock):
    refused = []

    def sleep(seconds):
        clock.advance(seconds)
        refused.append((limiter.try_acquire("a"), limiter.try_acquire("b")))

    limiter = KeyedRateLimiter("10/s", 1, share="host", name="ip", clock=clock, sleep=sleep)
    assert limiter.try_acquire("a")
    limiter.acquire("a")
    assert refused == [(False, True)]


def test_a_crowd_of_keys_is_told_once(clock, caplog):
    limiter = KeyedRateLimiter("1/hour", 1, share="host", name="ip", clock=clock, max_keys=2)
    for i in range(9):
        limiter.try_acquire(f"key {i}")
    assert limiter.snapshot()["overflowed"] == 5
    assert caplog.messages == ["ip: all 4 keys are in use; new ones share one bucket"]


def test_keys_are_reserved_and_owe_as_a_limiter_of_one_key_does(clock, another_process):
    one = KeyedRateLimiter("10/s", 1, share="host", name="ip", clock=clock)
    another_process()
    other = KeyedRateLimiter("10/s", 1, share="host", name="ip", clock=clock)
    assert one.reserve("a").delay == 0
    turn = other.of("a").reserve()
    assert turn.delay == pytest.approx(0.1, abs=1e-5)
    assert turn.cancel() == pytest.approx(1)
    one.correct("a", 1, 2)
    assert other.earliest("a") == pytest.approx(100.2, abs=1e-4)
    with pytest.raises(ConfigError, match="is known by its numbers"):
        one.update(5)
    with pytest.raises(ConfigError, match="known goes with buckets of this process"):
        KeyedRateLimiter(1, share="host", name="ip", known=str.isdigit)


def test_keyed_limits_of_other_numbers_have_other_files(clock, tmp_path):
    for rate, keys in ((1, 10), (2, 10), (1, 11)):
        KeyedRateLimiter(rate, share="host", name="ip", max_keys=keys)
    shared(clock)
    shared(clock, name="other")
    names = sorted(each.name for each in (tmp_path / "shared").iterdir())
    assert len([name for name in names if name.startswith("keyed-")]) == 3
    assert [name for name in names if not name.startswith("keyed-")] == ["limits-v1"]


def test_a_shared_limit_needs_a_name_and_a_rate_that_one_float_holds():
    for settings, message in (
        ({"share": "fleet"}, "share must be one of local, host, not 'fleet'"),
        ({"share": "host"}, "needs a name"),
        (
            {"share": "host", "name": "x", "rate": 2e6},
            "above 0 and at most 1e6 a second, not 2000000",
        ),
        ({"share": "host", "name": "x", "rate": 0}, "above 0 and at most 1e6"),
        ({"share": "host", "name": "x", "members": 4}, "members=4 divides it"),
    ):
        for cls in (RateLimiter, KeyedRateLimiter):
            with pytest.raises(ConfigError, match=message):
                cls(**{"rate": 1, **settings})
    with pytest.raises(ConfigError, match="max_keys must be at least 1, not 0"):
        KeyedRateLimiter(1, share="host", name="x", max_keys=0)
    with pytest.raises(ConfigError, match="needs a name"):
        SharedRateLimiter(1)


def test_a_subclass_is_shared_if_it_can_be_and_never_by_mistake_alone(clock):
    class Own(RateLimiter):
        pass

    class OwnShared(SharedRateLimiter):
        pass

    with pytest.raises(ConfigError, match="is for subclasses of SharedRateLimiter, not <class"):
        Own(1, share="host", name="x")
    assert type(OwnShared(1, share="host", name="x")) is OwnShared
    assert type(shared(clock)) is SharedRateLimiter


def test_a_directory_that_cannot_be_trusted_is_told_when_the_limit_is_made(tmp_path, clock):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o755)
    with pytest.raises(StoreError, match="is open to others"):
        shared(clock)


def test_limits_off_lets_everything_by(clock):
    limiter = shared(clock, capacity=1)
    with limits_off():
        assert all(limiter.try_acquire() for _ in range(9))
    assert limiter.tokens() == 1


FORK = """
import os
from trafficcore import KeyedRateLimiter, RateLimiter

now = [100.0]
limiter = RateLimiter("1/hour", 10, share="host", name="x", clock=lambda: now[0])
keyed = KeyedRateLimiter("1/hour", 1, share="host", name="x", clock=lambda: now[0])
assert limiter.try_acquire()
for turn in range(5):
    child = os.fork()
    if child == 0:
        assert limiter.try_acquire()
        assert keyed.try_acquire(str(turn))
        os._exit(17)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17
    assert not keyed.try_acquire(str(turn))
assert sum(limiter.try_acquire() for _ in range(10)) == 4
print("fine")
"""


def test_limiters_made_before_a_fork_are_one_with_the_childs():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        capture_output=True, check=False, text=True, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("fine\n", "")


# -- parts ---------------------------------------------------------------------------------------


@given(
    capacity=st.integers(0, 10_000) | st.floats(1e-3, 1e6),
    rate=st.just(0) | st.floats(1e-9, 1e6),
    members=st.integers(1, 40),
)
def test_the_parts_are_never_more_than_the_whole(capacity, rate, members):
    def parts(numbered):
        for member in range(members):
            try:
                yield part_of(capacity, rate, members, member if numbered else None)
            except ConfigError:
                yield 0, 0

    for numbered in (True, False):
        capacities, rates = zip(*parts(numbered), strict=True)
        assert sum(capacities) <= capacity * (1 + 1e-12)
        assert sum(rates) <= rate * (1 + 1e-12)
        assert max(capacities) - min(capacities) <= 1
        if numbered:
            assert sum(capacities) == pytest.approx(capacity)


def test_each_of_four_members_has_exactly_its_part(clock):
    limiters = [RateLimiter(10, 10, members=4, member=n, clock=clock) for n in range(4)]
    assert [limiter.capacity for limiter in limiters] == [3, 3, 2, 2]
    assert [limiter.rate for limiter in limiters] == [2.5] * 4
    assert sum(limiter.try_acquire() for limiter in limiters for _ in range(9)) == 10
    keyed = KeyedRateLimiter("100/min", members=4)
    assert (keyed.rate, keyed.capacity) == (pytest.approx(25 / 60), 25)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"members": 0}, "members must be a whole number from 1, not 0"),
        ({"members": 2.0}, r"members must be a whole number from 1, not 2\.0"),
        ({"members": True}, "members must be a whole number from 1, not True"),
        ({"members": 4, "member": 4}, "member must be a whole number from 0 to 3, not 4"),
        ({"members": 4, "member": -1}, "member must be a whole number from 0 to 3, not -1"),
        ({"members": 11}, "a capacity of 10 leaves nothing for one of 11 members"),
        ({"members": 11, "member": 10}, 'share="host" has one bucket for all of them'),
    ],
)
def test_parts_that_cannot_be_are_told(settings, message):
    with pytest.raises(ConfigError, match=message):
        RateLimiter(10, 10, **settings)


def test_no_capacity_is_nothing_for_each():
    assert RateLimiter(0, members=4).capacity == 0
