"""The decision whether a call is tried again: its conditions, its waits, its caps, its model."""

from fractions import Fraction
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from model.retries import ModelCall, ModelUpstream
from support.exactness import assert_atomic, hammer
from trafficcore.engine.guard import locked
from trafficcore.engine.retry_room import RetryRoom, RetryRooms, Stay
from trafficcore.engine.retrying import Fault, Retrying
from trafficcore.errors import ConfigError
from trafficcore.spec import CONDITIONS, Retries, RetryCaps

ANY = RetryCaps()
HALF = Fraction(1, 2)


def retrying(policy, room=None, now=0, *, may_repeat=True, draw=lambda: HALF, caps=ANY):
    return Retrying(policy, room or RetryRoom(), now, may_repeat=may_repeat, draw=draw, caps=caps)


# -- settings ----------------------------------------------------------------------------------


def test_conditions_are_written_as_envoy_and_istio_do():
    policy = Retries(3, "gateway-error, connect-failure,429, 409,unavailable,")
    assert policy.on == ("gateway-error", "connect-failure", "429", "409", "unavailable")
    assert policy.statuses == {409, 429}
    assert policy.grpc == {"14"}
    assert Retries(on=503).statuses == {503}
    assert Retries(on=["5xx", 404]).on == ("5xx", "404")
    assert Retries(methods="get, post").methods == {"GET", "POST"}
    assert Retries() == Retries(2)
    assert hash(Retries()) == hash(Retries(2))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"attempts": -1}, "attempts must be a whole number from 0, not -1"),
        ({"attempts": 1.5}, "attempts must be a whole number from 0, not 1.5"),
        ({"on": "gateway-errors"}, "on must be of .*gateway-error, .*, not 'gateway-errors'"),
        ({"on": "700"}, "not '700'"),
        ({"timeout": 0}, "timeout must be above 0 s, not 0"),
        ({"per_try_timeout": -1}, "per_try_timeout must be above 0 s, not -1"),
        ({"base_interval": inf}, "base_interval must be above 0 s, not inf"),
        ({"max_interval": 0.001}, "max_interval must be at least base_interval, not 0.001"),
        ({"max_retry_after": -1}, "max_retry_after must be from 0 s, not -1"),
    ],
)
def test_a_setting_that_cannot_be_is_told_with_its_value(settings, words):
    with pytest.raises(ConfigError, match=words):
        Retries(**settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"budget_percent": 101}, "budget_percent must be from 0 to 100, not 101"),
        ({"max_retries": -1}, "max_retries must be a whole number from 0, not -1"),
        ({"min_retry_concurrency": 0.5}, "min_retry_concurrency must be .* not 0.5"),
    ],
)
def test_a_cap_that_cannot_be_is_told_with_its_value(settings, words):
    with pytest.raises(ConfigError, match=words):
        RetryCaps(**settings)


def test_caps_as_envoy_has_them():
    assert ANY.most(0) == inf
    assert RetryCaps(max_retries=3).most(100) == 3
    budget = RetryCaps(max_retries=1, budget_percent=20)
    assert [budget.most(active) for active in (0, 19, 20, 24, 25)] == [3, 3, 4, 4, 5]


# -- conditions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "statuses"),
    [
        ("5xx", {500, 501, 502, 503, 504, 599}),
        ("gateway-error", {502, 503, 504}),
        ("retriable-4xx", {409}),
        ("429,503", {429, 503}),
        ("retriable-status-codes", set()),
        ("reset,connect-failure,refused-stream,envoy-ratelimited", set()),
    ],
)
def test_which_answers_are_tried_again(on, statuses):
    codes = (200, 301, 404, 409, 429, 499, 500, 501, 502, 503, 504, 599)
    again = {c for c in codes if retrying(Retries(1, on)).answered(c, 0) is not None}
    assert again == statuses


@pytest.mark.parametrize(
    ("on", "faults"),
    [
        ("5xx", {Fault.CONNECT, Fault.REFUSED, Fault.RESET}),
        ("gateway-error", {Fault.CONNECT, Fault.REFUSED, Fault.RESET}),
        ("reset", {Fault.CONNECT, Fault.REFUSED, Fault.RESET}),
        ("connect-failure", {Fault.CONNECT}),
        ("refused-stream", {Fault.REFUSED}),
        ("503,retriable-4xx", set()),
    ],
)
def test_which_faults_are_tried_again(on, faults):
    again = {f for f in Fault if retrying(Retries(1, on)).failed(f, 0) is not None}
    assert again == faults


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("cancelled", "1"),
        ("deadline-exceeded", "4"),
        ("resource-exhausted", "8"),
        ("internal", "13"),
        ("unavailable", "14"),
    ],
)
def test_the_statuses_of_grpc(word, status):
    for other in ("0", "1", "4", "8", "13", "14"):
        wait = retrying(Retries(1, word)).answered(200, 0, grpc_status=other)
        assert (wait is not None) is (other == status)


def test_an_overloaded_service_is_left_alone_and_a_limited_call_unless_asked_for():
    every = ",".join((*CONDITIONS, "503", "429"))
    assert retrying(Retries(1, every)).answered(503, 0, overloaded=True) is None
    assert retrying(Retries(1, every)).answered(429, 0, ratelimited=True) is not None
    assert retrying(Retries(1, "429,5xx")).answered(429, 0, ratelimited=True) is None
    assert retrying(Retries(1, "envoy-ratelimited")).answered(429, 0) is None


def test_what_may_have_been_done_is_done_again_only_where_it_may_be():
    def one():
        return retrying(Retries(1, "5xx"), may_repeat=False)

    assert one().answered(503, 0) is None
    assert one().failed(Fault.RESET, 0) is None
    assert one().failed(Fault.CONNECT, 0) is not None
    assert one().failed(Fault.REFUSED, 0) is not None
    assert one().failed(Fault.CONNECT, 0, replayable=False) is None
    assert retrying(Retries(1, "5xx")).answered(503, 0, replayable=False) is None


# -- waits -------------------------------------------------------------------------------------


def test_the_wait_is_a_draw_from_an_interval_that_doubles_up_to_ten_times_the_base():
    tries = retrying(Retries(7, "5xx"))
    waits = [tries.answered(500, 0) for _ in range(8)]
    assert waits == [0.0125, 0.025, 0.05, 0.1, 0.125, 0.125, 0.125, None]
    tries = retrying(Retries(4, "5xx", base_interval=1, max_interval=3), draw=lambda: 1)
    assert [tries.answered(500, 0) for _ in range(4)] == [1, 2, 3, 3]


def test_a_wait_that_was_asked_for_comes_first_and_is_not_waited_for_if_it_is_long():
    policy = Retries(1, "503", base_interval=1, max_retry_after=10)
    assert retrying(policy).answered(503, 0, retry_after=2) == 2 + HALF
    assert retrying(policy).answered(503, 0, retry_after=0) == HALF
    assert retrying(policy).answered(503, 0, retry_after=10) == 10 + HALF
    room = RetryRoom()
    assert retrying(policy, room).answered(503, 0, retry_after=10.5) is None
    assert room.snapshot()["late"] == 1


def test_nothing_begins_at_or_after_the_deadline_of_the_whole_call():
    policy = Retries(9, "503", base_interval=1, timeout=3)
    tries = retrying(policy, now=100)
    assert tries.deadline == 103
    assert tries.answered(503, 102) == HALF
    assert tries.answered(503, 102) is None  # 1 s later it is over
    assert retrying(policy).answered(503, 0, retry_after=3) is None


def test_how_long_a_try_may_take():
    assert retrying(Retries()).allowed(5) is None
    assert retrying(Retries(per_try_timeout=2)).allowed(5) == 2
    both = retrying(Retries(per_try_timeout=2, timeout=3), now=10)
    assert [both.allowed(now) for now in (10, 11, 12, 14)] == [2, 2, 1, 0]


# -- room --------------------------------------------------------------------------------------


def test_a_retry_is_under_way_until_its_own_try_is_decided_on_or_the_call_ends():
    room, caps = RetryRoom(), RetryCaps(max_retries=1)
    first, second = (retrying(Retries(3, "503"), room, caps=caps) for _ in range(2))
    assert first.answered(503, 0) is not None
    assert room.retries == 1
    assert second.answered(503, 0) is None
    assert first.answered(200, 0) is None
    assert room.retries == 0
    assert second.answered(503, 0) is not None
    second.end()
    second.end()
    assert room.retries == 0
    counts = room.snapshot()
    assert (counts["retried"], counts["success"], counts["overflow"]) == (2, 1, 1)


def test_what_came_of_it_is_counted():
    room = RetryRoom()
    exhausted = retrying(Retries(1, "503"), room)
    assert exhausted.answered(503, 0) is not None
    assert exhausted.answered(503, 0) is None
    retrying(Retries(1, "503"), room, may_repeat=False).answered(503, 0)
    refused = retrying(Retries(1, "503"), room)
    refused.answered(503, 0)
    refused.refused()
    none = retrying(Retries(0, "503", timeout=5), room)
    assert none.answered(503, 0) is None
    assert room.snapshot() == {
        "active": 0,
        "retries": 0,
        "retried": 2,
        "success": 0,
        "limit_exceeded": 1,
        "overflow": 0,
        "unsafe": 1,
        "late": 0,
        "refused": 1,
    }


def test_rooms_are_kept_by_name_and_let_go_of_only_when_they_are_empty():
    rooms = RetryRooms()
    room, stay = rooms.enter("a")
    again, other = rooms.enter("a")
    assert again is room
    assert room.active == 2
    for number in range(6000):
        _, left = rooms.enter(f"host-{number}")
        left.leave()
    assert len(rooms.snapshot()) <= 4096
    assert rooms.enter("a")[0] is room
    for each in (stay, stay, other):
        each.leave()
    assert room.active == 1


def test_in_the_child_of_a_fork_nobody_is_in():
    rooms = RetryRooms()
    room, stay = rooms.enter("a")
    room.try_retry(RetryCaps(max_retries=1))
    rooms.after_fork()
    assert rooms.snapshot() == {}
    fresh, _ = rooms.enter("a")
    assert fresh.try_retry(RetryCaps(max_retries=1)) is not None
    stay.leave()  # the one thread that is in both goes on: it leaves the room it was in
    assert fresh.active == 1


@pytest.mark.parametrize(("cls", "state"), [(RetryRoom, {"retries", "active"}), (Stay, {"_room"})])
def test_what_is_called_atomic_is(cls, state):
    for name in cls.ATOMIC:
        # the load is looked at once, before: a share of it as it was then
        own = state - {"active"} if name == "try_retry" else state
        assert_atomic(getattr(cls, name), own)


@pytest.mark.parametrize("kind", [RetryRoom, locked(RetryRoom)])
def test_threads_never_pass_a_cap_and_leave_nothing(kind):
    room, caps = kind(), RetryCaps(max_retries=3)
    most = 0

    def work(_):
        nonlocal most
        for _ in range(500):
            stay = room.enter()
            retry = room.try_retry(caps)
            most = max(most, room.retries)
            if retry is not None:
                retry.leave()
                retry.leave()
            stay.leave()

    hammer(work)
    assert most <= 3
    assert room.empty


# -- against the model -------------------------------------------------------------------------

TIMES = st.fractions(0, 3, max_denominator=8)
CAPS = st.one_of(
    st.just(ANY),
    st.builds(RetryCaps, max_retries=st.integers(0, 3)),
    st.builds(
        RetryCaps,
        budget_percent=st.integers(0, 100),
        min_retry_concurrency=st.integers(0, 3),
    ),
)
POLICIES = st.builds(
    Retries,
    st.integers(0, 4),
    st.lists(st.sampled_from([*sorted(CONDITIONS), "404", "503"]), max_size=4),
    timeout=st.none() | st.fractions(Fraction(1, 4), 6, max_denominator=4),
    base_interval=st.just(Fraction(1, 4)),
    max_interval=st.none() | st.just(Fraction(1, 2)),
    max_retry_after=st.integers(0, 3),
    caps=CAPS,
)


class RetriesMatchTheModel(RuleBasedStateMachine):
    """Several calls of one service, their tries ending in any order."""

    calls = Bundle("calls")

    def __init__(self):
        super().__init__()
        self.room, self.book = RetryRoom(), ModelUpstream()
        self.now = Fraction(0)
        self.draw = Fraction(0)
        self.tries = {}

    @rule(target=calls, policy=POLICIES, repeat=st.booleans())
    def begin(self, policy, repeat):
        real = Retrying(policy, self.room, self.now, may_repeat=repeat, draw=lambda: self.draw)
        model = ModelCall(policy, self.book, self.now, repeat)
        self._enter(model)
        self.tries[model] = 1
        return real, model, policy

    def _enter(self, model):
        model.stay = self.room.enter()
        self.book.log.append(("try begins", model))

    def _leave(self, model):
        model.stay.leave()
        self.book.log.append(("try ends", model))

    @rule(
        call=calls,
        status=st.sampled_from([200, 404, 409, 429, 500, 502, 503]),
        grpc=st.none() | st.sampled_from(["0", "1", "4", "8", "13", "14"]),
        after=st.none() | st.integers(0, 4),
        over=st.booleans(),
        limited=st.booleans(),
        replayable=st.booleans(),
        draw=st.sampled_from([Fraction(0), HALF, Fraction(7, 8)]),
        passed=TIMES,
    )
    def answered(self, call, status, grpc, after, over, limited, replayable, draw, passed):
        real, model, policy = call
        self.now += passed
        self.draw = draw
        wait = real.answered(
            status,
            self.now,
            replayable=replayable,
            grpc_status=grpc,
            retry_after=after,
            overloaded=over,
            ratelimited=limited,
        )
        assert wait == model.answered(
            status,
            self.now,
            draw,
            replayable=replayable,
            grpc=grpc,
            after=after,
            over=over,
            limited=limited,
        )
        self._go_on(model, policy, wait)

    @rule(
        call=calls,
        fault=st.sampled_from(list(Fault)),
        replayable=st.booleans(),
        draw=st.sampled_from([Fraction(0), HALF, Fraction(7, 8)]),
        passed=TIMES,
    )
    def failed(self, call, fault, replayable, draw, passed):
        real, model, policy = call
        self.now += passed
        self.draw = draw
        wait = real.failed(fault, self.now, replayable=replayable)
        assert wait == model.failed(fault.value, self.now, draw, replayable=replayable)
        self._go_on(model, policy, wait)

    def _go_on(self, model, policy, wait):
        if wait is None:
            return
        self.tries[model] += 1
        assert self.tries[model] <= 1 + policy.attempts
        assert policy.timeout is None or self.now + wait < model.start + policy.timeout
        assert self.room.retries <= policy.caps.most(self.room.active)
        self._leave(model)
        self._enter(model)

    @rule(call=consumes(calls))
    def end(self, call):
        real, model, _ = call
        real.end()
        model.over()
        self._leave(model)

    @invariant()
    def counts_are_those_of_the_book(self):
        assert self.room.active == self.book.now_in("try")
        assert self.room.retries == self.book.now_in("retry")

    def teardown(self):
        for model in self.tries:
            model.over()


TestRetriesMatchTheModel = RetriesMatchTheModel.TestCase


@given(st.lists(st.sampled_from([200, 500, 503]), max_size=12), POLICIES)
def test_attempts_never_exceed_what_is_allowed(statuses, policy):
    room = RetryRoom()
    tries = retrying(policy, room, caps=None)
    begun = 1
    for status in statuses:
        if tries.answered(status, 0) is not None:
            begun += 1
    assert begun <= 1 + policy.attempts
    tries.end()
    assert room.empty
