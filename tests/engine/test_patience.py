"""How long a caller waits by its own account, and what the margin leaves of it."""

from math import inf

import pytest

from support import policies as p
from trafficcore.engine import Facts, Permit, Queued, Rejection
from trafficcore.engine.patience import caller_timeout, queue_deadline
from trafficcore.outcome import Reason

ENVOY, GRPC = "x-envoy-expected-rq-timeout-ms", "grpc-timeout"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({ENVOY: "1500"}, 1.5),
        ({ENVOY: "0"}, 0),
        ({GRPC: "2H"}, 7200),
        ({GRPC: "3M"}, 180),
        ({GRPC: "5S"}, 5),
        ({GRPC: "250m"}, 0.25),
        ({GRPC: "7u"}, 7e-6),
        ({GRPC: "9n"}, 9e-9),
        ({ENVOY: "100", GRPC: "1S"}, 0.1),
        ({ENVOY: "9000", GRPC: "1S"}, 1),
        ({ENVOY: "soon", GRPC: "1S"}, 1),
    ],
)
def test_a_caller_says_in_how_long_it_gives_up(headers, seconds):
    assert caller_timeout(headers) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "-1", "1.5", " 1", "1_0", "٣", "1e3", "9" * 16, "inf"])
def test_what_is_no_number_says_nothing(text):
    assert caller_timeout({ENVOY: text}) is None
    assert caller_timeout({GRPC: f"{text}S"}) is None


@pytest.mark.parametrize("text", ["", "S", "1", "1s", "1h", "S1"])
def test_a_grpc_timeout_has_its_unit(text):
    assert caller_timeout({GRPC: text}) is None


def test_the_earlier_of_both_ends_holds_and_neither_is_for_ever():
    assert queue_deadline(1, 2, inf, 0.01) == 3
    assert queue_deadline(1, None, 2, 0.01) == 1.99
    assert queue_deadline(1, 2, 2, 0.01) == 1.99
    assert queue_deadline(1, None, inf, 0.01) == inf


def ask(engine, now=0, **more):
    return engine.admit(p.request(**more), now)


def test_nobody_waits_longer_than_his_caller_less_the_margin():
    engine = p.engine(p.quota(1, 1, deadline_margin=0.25))
    assert isinstance(ask(engine), Permit)
    ticket = ask(engine, 0.5, headers={ENVOY: "4000"})
    assert isinstance(ticket, Queued)
    assert ticket.deadline == 4.25
    assert isinstance(ask(engine, 0.5, timeout=9), Queued)


def test_who_could_not_go_in_time_is_refused_at_once():
    engine = p.engine(p.quota(1, 1))
    assert isinstance(ask(engine), Permit)
    answer = ask(engine, 0, timeout=1.005)  # a token comes at 1, and 10 ms are kept
    assert isinstance(answer, Rejection)
    assert answer.reason is Reason.QUEUE_TIMEOUT
    assert isinstance(ask(engine, 0, timeout=1.011), Queued)


def test_a_margin_beyond_the_callers_patience_means_now_or_never():
    engine = p.engine(p.quota(1, 1, deadline_margin=5))
    assert isinstance(ask(engine, timeout=1), Permit)
    assert ask(engine, timeout=1).reason is Reason.QUEUE_TIMEOUT


def test_the_second_queue_counts_from_the_arrival_too():
    slow = p.quota(1, 0.5, deadline_margin=0)
    engine = p.engine(p.quota(1, 1, deadline_margin=0), slow)
    assert isinstance(ask(engine), Permit)
    ticket = ask(engine, 0, timeout=3)
    engine.poll(1)  # through the first, and in the line of the second
    assert ticket.stage.spec is slow
    assert ticket.deadline == 3


def test_the_callers_own_number_goes_before_its_headers():
    facts = Facts(p.INBOUND, "web", headers={ENVOY: "1000"}, timeout=2.0)
    assert facts.timeout == 2
    assert Facts(p.INBOUND, "web", headers={ENVOY: "1000"}).timeout == 1
