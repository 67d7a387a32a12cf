"""Quotas whose requests say for themselves what they take, and policies of calls in flight."""

import random
from math import inf
from typing import Any

import pytest

from support import policies as p
from trafficcore.engine import Engine, Facts, Permit, Queued, Rejection
from trafficcore.outcome import Outcome, Reason
from trafficcore.spec import Direction, LabelKeys, QuotaRule, QuotaSelector, RequestParts


def rule(capacity: float = 1, fill: float = 1, **more: Any) -> QuotaRule:
    keys = LabelKeys(**{name: more.pop(name) for name in list(more) if hasattr(LabelKeys(), name)})
    return p.quota(capacity, fill, keys=keys, **more)


def slots(most: int, lost: float = 60, **more: Any) -> QuotaRule:
    return rule(most, 0, max_inflight_duration=lost, **more)


def by(host: str = "web", **labels: str) -> Facts:
    return p.request(host, labels=labels)


def admitted(engine: Engine, facts: Facts, now: float = 0) -> Permit:
    verdict = engine.admit(facts, now)
    assert isinstance(verdict, Permit), verdict
    return verdict


def queued(engine: Engine, facts: Facts, now: float = 0) -> Queued:
    verdict = engine.admit(facts, now)
    assert isinstance(verdict, Queued), verdict
    return verdict


def refused(engine: Engine, facts: Facts, now: float = 0) -> Rejection:
    verdict = engine.admit(facts, now)
    assert isinstance(verdict, Rejection), verdict
    return verdict


def served(engine: Engine, until: float) -> list[tuple[float, Queued]]:
    """Poll when the engine asks for it; return whose wait ended, and when."""
    found = []
    while (due := engine.next_deadline()) <= until:
        found += [(max(due, 0), ticket) for ticket, _ in engine.poll(max(due, 0))]
    return found


def the_quota(engine: Engine, now: float = 0) -> dict[str, Any]:
    found: dict[str, Any] = engine.snapshot(now)["rules"][0]["quota"]
    return found


def test_each_value_of_a_label_has_its_own_budget_and_queue() -> None:
    engine = p.engine(rule(limit="user"))
    admitted(engine, by(user="a"))
    admitted(engine, by(user="b"), 0.5)
    b, a = queued(engine, by(user="b"), 0.5), queued(engine, by(user="a"), 0.5)
    assert served(engine, 5) == [(1, a), (1.5, b)]
    assert the_quota(engine)["queue"]["keys"] == 2


def test_without_the_label_a_request_is_not_limited_and_is_counted() -> None:
    engine = p.engine(rule(limit="user"))
    for _ in range(5):
        admitted(engine, by()).give_back(0)
    found = the_quota(engine)
    assert found["unlabelled"] == 5
    assert found["queue"]["keys"] == 0


def test_a_long_value_is_kept_as_its_digest() -> None:
    engine = p.engine(rule(limit="user", queue=False))
    admitted(engine, by(user="x" * 10_000))
    refused(engine, by(user="x" * 10_000))
    admitted(engine, by(user="x" * 10_001))


def test_a_label_says_how_many_tokens() -> None:
    engine = p.engine(rule(10, 1, tokens="size"))
    admitted(engine, by(size="9"))
    admitted(engine, by(size="0"))
    assert queued(engine, by(size="2")).claim.cost == 2
    assert [now for now, _ in served(engine, 5)] == [1]


@pytest.mark.parametrize("text", ["", "x", "-1", "nan", "inf", "1e300", "1_0", "٣"])
def test_an_odd_number_is_no_number(text: str) -> None:
    engine = p.engine(rule(10, 1, tokens="size", priority="rank"))
    permit = admitted(engine, by(size=text, rank=text))
    (claim,) = permit.claims
    assert (claim.cost, claim.weight, claim.lane) == (1, 1, "default")
    assert the_quota(engine)["odd_labels"] == 2


def test_a_priority_of_zero_is_none() -> None:
    engine = p.engine(rule(10, 1, priority="rank"))
    (claim,) = admitted(engine, by(rank="0")).claims
    assert claim.weight == 1


def test_a_label_says_the_priority_and_such_requests_queue_apart() -> None:
    engine = p.engine(rule(priority="rank"))
    admitted(engine, by())
    names = {}
    for _ in range(10):
        names[queued(engine, by(rank="1"))] = "low"
        names[queued(engine, by(rank="4"))] = "high"
    order = [names[ticket] for _, ticket in served(engine, 10)]
    assert (order.count("high"), order.count("low")) == (8, 2)
    assert set(the_quota(engine)["queue"]["flows"]) == {"default", "default at 4"}


def test_a_label_names_the_workload_which_keeps_its_priority() -> None:
    engine = p.engine(rule(workload="team"))
    admitted(engine, by())
    names = {}
    for team in "aaaab":
        names[queued(engine, by(team=team))] = team
    assert [names[ticket] for _, ticket in served(engine, 2)] == ["a", "b"]


def test_users_of_one_workload_have_equal_parts() -> None:
    engine = p.engine(rule(fairness="user"))
    admitted(engine, by())
    names = {}
    for user in "aaaaaabb":
        names[queued(engine, by(user=user))] = user
    order = [names[ticket] for _, ticket in served(engine, 4)]
    assert sorted(order) == ["a", "a", "b", "b"]


def test_a_header_is_a_label_too() -> None:
    engine = p.engine(rule(limit="http.request.header.user_id", queue=False, denied_status=429))
    facts = p.request(headers={"user-id": "a"})
    admitted(engine, facts)
    answer = refused(engine, facts)
    assert (answer.status, answer.reason, answer.retry_at) == (429, Reason.RATE_LIMITED, 1)
    assert ("x-envoy-ratelimited", "true") in answer.headers
    flow = the_quota(engine)["workloads"][-1]
    assert (flow["refused"], flow["waited"], flow["waiting"]) == (1, 0, 0)


# -- selectors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "fitting", "other"),
    [
        ({"method": "post"}, {"method": "POST"}, {"method": "GET"}),
        ({"path": "/a"}, {"path": "/a"}, {"path": "/a/b"}),
        ({"path": "/a/*"}, {"path": "/a/b"}, {"path": "/b"}),
        ({"host": "Web:80"}, {"host": "web"}, {"host": "other"}),
        ({"host": "*.example"}, {"host": "a.example"}, {"host": "example"}),
        ({"scheme": "https"}, {"scheme": "https"}, {"scheme": "http"}),
        ({"headers": (("X-A", "b"),)}, {"headers": {"x-a": "b"}}, {"headers": {"x-a": "c"}}),
    ],
)
def test_parts_of_a_request_select(
    parts: dict[str, Any], fitting: dict[str, Any], other: dict[str, Any]
) -> None:
    selector = QuotaSelector(request=RequestParts(**parts))
    engine = p.engine(rule(queue=False, selectors=(selector,)))
    admitted(engine, p.request(**fitting))
    refused(engine, p.request(**fitting))
    admitted(engine, p.request(**other))


def test_a_port_is_compared_with_the_declared_one() -> None:
    identity = p.Identity(hosts={"web:80": ["web"], "api:81": ["api"]})
    selectors = (QuotaSelector(port=80),)
    engine = p.engine(rule(queue=False, selectors=selectors), identity=identity)
    admitted(engine, p.request("web"))
    refused(engine, p.request("web"))
    for _ in range(3):
        admitted(engine, p.request("api"))


# -- calls in flight -----------------------------------------------------------------------------


def test_calls_in_flight_are_bounded_and_their_end_makes_room_once() -> None:
    engine = p.engine(slots(2, queue=False, denied_status=429))
    first, _ = admitted(engine, by()), admitted(engine, by())
    answer = refused(engine, by())
    assert (answer.status, answer.reason, answer.retry_at) == (429, Reason.OVERLOADED, None)
    for _ in range(2):
        first.settle(Outcome.SUCCESS, 1)
    admitted(engine, by(), 1)
    refused(engine, by(), 1)


def test_a_call_that_is_lost_is_taken_for_ended() -> None:
    engine = p.engine(slots(1, lost=5, queue=False))
    lost = admitted(engine, by())
    refused(engine, by(), 4.9)
    admitted(engine, by(), 5)
    lost.settle(Outcome.SUCCESS, 6)
    refused(engine, by(), 6)


@pytest.mark.parametrize("end", ["settle", "give_back"])
def test_the_end_of_a_call_lets_the_next_in_by_weight(end: str) -> None:
    engine = p.engine(slots(1))

    class Driver:
        kicked = 0

        def kick(self) -> None:
            self.kicked += 1

    engine.driver = Driver()
    permit = admitted(engine, by())
    low = queued(engine, by())
    high = queued(engine, p.request(headers={"user_type": "subscriber"}))
    place = low.place(0)
    assert place is not None
    assert (place.position, place.wait) == (2, None)
    assert engine.poll(1) == []
    if end == "settle":
        permit.settle(None, 1)
    else:
        permit.give_back(1)
    assert engine.driver.kicked == 1
    ((woken, second),) = engine.poll(1)
    assert woken is high
    assert isinstance(second, Permit)
    second.settle(None, 2)
    ((woken, _),) = engine.poll(2)
    assert woken is low
    assert engine.next_deadline() == inf


def test_slots_by_label() -> None:
    engine = p.engine(slots(1, limit="tenant"))
    a, b = admitted(engine, by(tenant="a")), admitted(engine, by(tenant="b"))
    next_a = queued(engine, by(tenant="a"))
    b.settle(None, 1)
    assert engine.poll(1) == []
    a.settle(None, 1)
    assert [ticket for ticket, _ in engine.poll(1)] == [next_a]


# -- places, several quotas, shadow, reload ------------------------------------------------------


def test_who_waits_can_see_his_place() -> None:
    engine = p.engine(rule(1, 2))
    admitted(engine, by())
    tickets = [queued(engine, by()) for _ in range(3)]
    place = tickets[2].place(0)
    assert place is not None
    assert (place.position, place.tokens_ahead, place.wait) == (3, 2, 1.5)
    engine.poll(0.5)
    assert tickets[0].place(0.5) is None
    found = tickets[2].place(0.5)
    assert found is not None
    assert (found.position, found.wait) == (2, 1)


def test_the_bound_of_a_turn_can_be_read() -> None:
    engine = p.engine(p.quota(10, 10))
    within = {flow["name"]: flow["turn_within"] for flow in the_quota(engine)["workloads"]}
    assert within["guest"] == pytest.approx((1 + (4 + 1) + (0.02 + 1)) / 10)
    steps = p.engine(p.quota(10, 10, continuous_fill=False))
    later = {flow["name"]: flow["turn_within"] for flow in the_quota(steps)["workloads"]}
    assert later["guest"] == pytest.approx(within["guest"] + 1)
    for chosen in ("priority", "tokens", "workload", "fairness"):
        labelled = p.engine(rule(10, 10, **{chosen: "x"}))
        assert the_quota(labelled)["workloads"][0]["turn_within"] is None


def test_a_refusal_comes_before_a_wait_and_takes_no_token() -> None:
    engine = p.engine(rule(5, 5), rule(1, 1, queue=False))
    admitted(engine, by())
    refused(engine, by())
    assert the_quota(engine)["queue"]["tokens"] == 4


def test_what_a_late_refusal_took_goes_back_to_the_letter() -> None:
    """Two quotas, one of them by user, breakers that open, clients that leave: none is lost."""
    rng = random.Random(3)
    keyed = rule(40, 1e-6, limit="user", tokens="size")
    engine = p.engine(keyed, rule(500, 1e-6), slots(3, lost=1e6))
    waiting: list[Queued] = []
    running: list[tuple[str, int, Permit]] = []
    spent: dict[str, int] = {}
    total = now = 0
    sizes: dict[int, tuple[str, int]] = {}

    def began(user: str, size: int, permit: Permit) -> None:
        nonlocal total
        running.append((user, size, permit))
        spent[user] = spent.get(user, 0) + size
        total += 1

    for _ in range(3000):
        choice = rng.random()
        if choice < 0.4:
            user, size = rng.choice("abcd"), rng.randrange(4)
            verdict = engine.admit(by(user=user, size=str(size)), now)
            if isinstance(verdict, Permit):
                began(user, size, verdict)
            elif isinstance(verdict, Queued):
                waiting.append(verdict)
                sizes[id(verdict)] = user, size
        elif choice < 0.55 and waiting:
            ticket = waiting.pop(rng.randrange(len(waiting)))
            assert engine.cancel(ticket, now)
        elif choice < 0.9 and running:
            user, size, permit = running.pop(rng.randrange(len(running)))
            if rng.random() < 0.5:
                permit.give_back(now)
                spent[user] -= size
                total -= 1
            else:
                permit.settle(None, now)
                permit.give_back(now)
        for ticket, verdict in engine.poll(now):
            waiting.remove(ticket)
            assert isinstance(verdict, Permit)
            began(*sizes[id(ticket)], verdict)
    for ticket in waiting:
        assert engine.cancel(ticket, now)
    found = engine.snapshot(now)["rules"]
    queues = engine.policies.table.quotas[0].queue
    left = {user: queues.find(user, now).queue.snapshot(now)["tokens"] for user in spent}
    assert left == pytest.approx({user: 40 - tokens for user, tokens in spent.items()})
    assert total > 0
    assert found[1]["quota"]["queue"]["tokens"] == pytest.approx(500 - total)
    assert found[2]["quota"]["queue"]["tokens"] == 3 - len(running)


def test_in_shadow_nobody_waits_and_only_what_was_taken_goes_back() -> None:
    engine = p.engine(rule(1, 1, limit="user", shadow=True), slots(1, shadow=True))
    first = admitted(engine, by(user="a"))
    second = admitted(engine, by(user="a"))
    second.give_back(0)
    third = admitted(engine, by(user="a"))
    third.settle(None, 0)
    rules = engine.snapshot(0)["rules"]
    assert [found["shadowed"] for found in rules] == [2, 2]
    assert rules[1]["quota"]["queue"]["tokens"] == 0
    first.settle(None, 0)
    assert engine.snapshot(0)["rules"][1]["quota"]["queue"]["tokens"] == 1


def test_an_engine_in_shadow_gives_back_no_more_than_it_took() -> None:
    engine = p.engine(rule(2, 1e-9, tokens="size"), mode="shadow")
    for _ in range(3):
        admitted(engine, by(size="2")).give_back(0)
    admitted(engine, by(size="2"))
    admitted(engine, by(size="2")).give_back(0)
    assert the_quota(engine)["queue"]["tokens"] == pytest.approx(0)


def test_a_reload_keeps_budgets_by_label_and_who_waits() -> None:
    engine = p.engine(rule(limit="user"))
    admitted(engine, by(user="a"))
    ticket = queued(engine, by(user="a"))
    engine.reload(p.policy(rule(limit="user", timeout=9)))
    refused_or_queued = engine.admit(by(user="a"), 0)
    assert isinstance(refused_or_queued, Queued)
    assert [found for _, found in served(engine, 2)] == [ticket, refused_or_queued]


def test_the_example_of_the_suite_acts_outbound_too() -> None:
    engine = p.engine(rule(queue=False, limit="user", direction=Direction.OUTBOUND))
    facts = p.calling(labels={"user": "a"})
    admitted(engine, facts)
    refused(engine, facts)
