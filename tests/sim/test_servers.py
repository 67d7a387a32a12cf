"""Servers: room, line, overflow, and what goes wrong with them from when until when."""

import pytest

from support.simulation import hear

BASE = """
duration: {duration}
services:
- name: web
  latency: {latency}
{service}
loads:
- name: calls
  url: http://web/
{load}
"""


def run(service="", load="  rate: 1", latency="100ms", duration="10s"):
    def indented(text):
        return "\n".join(f"  {line.strip()}" for line in text.strip().splitlines())

    spec = BASE.format(
        duration=duration, latency=latency, service=indented(service), load=indented(load)
    )
    return hear(spec)


def seen(heard):
    return [(round(call.now, 6), call.code) for call in heard]


def test_without_a_capacity_everybody_is_served_at_once():
    _, heard = run(load="bursts: {size: 5, every: 1m}")
    assert seen(heard) == [(0.1, 200)] * 5


def test_a_line_is_first_come_first_served_and_full_at_its_length():
    world, heard = run("capacity: 1\nqueue: 2", "bursts: {size: 5, every: 1m}\nrefused_after: 7ms")
    assert seen(heard) == [(0.007, 503), (0.007, 503), (0.1, 200), (0.2, 200), (0.3, 200)]
    assert all(not call.reason for call in heard), "no policy turned them away"
    (server,) = world.servers["web"]
    assert server.codes == {200: 3, 503: 2}
    assert server.busy == 0


def test_who_has_waited_longest_is_next():
    _, heard = run("capacity: 1", "rate: 50\ncalls: 4", duration="1s")
    assert [call.took for call in heard] == pytest.approx([0.1, 0.18, 0.26, 0.34])


def test_calls_are_worked_on_side_by_side_up_to_the_capacity():
    _, heard = run("capacity: 2", "bursts: {size: 5, every: 1m}")
    assert [at for at, _ in seen(heard)] == [0.1, 0.1, 0.2, 0.2, 0.3]


def test_who_comes_when_a_place_has_become_free_does_not_wait():
    _, heard = run("capacity: 1", "rate: 10", duration="1s")
    assert [call.took for call in heard] == pytest.approx([0.1] * 10)


def test_a_failure_is_from_its_beginning_up_to_its_end():
    _, heard = run("failures: [{from: 3s, until: 6s}]", latency="0s")
    assert seen(heard) == [(at, 503 if 3 <= at < 6 else 200) for at in range(10)]


def test_a_failure_without_a_time_is_for_ever():
    _, heard = run("failures: [{status: 500}]")
    assert {call.code for call in heard} == {500}


def test_a_failure_begins_for_those_who_are_in_line():
    """The first is begun at 0 and fine; the others are begun at 1 s and 2 s, when it has failed."""
    _, heard = run(
        "capacity: 1\nfailures: [{from: 1s, until: 2s}]", "bursts: {size: 3, every: 1m}", "1s"
    )
    assert seen(heard) == [(1, 200), (2, 503), (3, 200)]


def test_of_several_failures_the_first_that_is_written_stands():
    _, heard = run(
        "failures: [{from: 2s, until: 4s, status: 500}, {from: 1s, until: 5s, status: 502}]",
        latency="0s",
    )
    assert [code for _, code in seen(heard)][:6] == [200, 502, 500, 500, 502, 200]


def test_one_that_is_slow_is_slow_and_nothing_else():
    _, heard = run("failures: [{from: 1s, until: 2s, latency: 700ms}]")
    assert [round(call.took, 6) for call in heard][:3] == [0.1, 0.7, 0.1]
    assert {call.code for call in heard} == {200}


def test_one_may_be_slow_and_fail():
    _, heard = run("failures: [{latency: 700ms, status: 504}]")
    assert {(round(call.took, 6), call.code) for call in heard} == {(0.7, 504)}


def test_one_that_is_refused_answers_after_the_time_of_a_refusal_and_takes_no_room():
    world, heard = run(
        "capacity: 1\nfailures: [{until: 2s, refused: true}]",
        "bursts: {size: 2, every: 3s}\nrefused_after: 5ms",
        duration="4s",
    )
    assert seen(heard) == [(0.005, 503), (0.005, 503), (3.1, 200), (3.2, 200)]
    assert world.servers["web"][0].codes == {503: 2, 200: 2}


def test_one_that_hangs_answers_when_it_is_over_and_holds_its_place():
    _, heard = run(
        "capacity: 1\nfailures: [{until: 2s, hangs: true}]", "bursts: {size: 2, every: 1m}"
    )
    assert seen(heard) == [(2.1, 200), (2.2, 200)]


def test_one_that_hangs_for_ever_leaves_its_calls_unanswered_and_the_run_ends():
    world, heard = run("failures: [{from: 5s, hangs: true}]")
    assert len(heard) == 5
    assert world.classes["calls"].unanswered == 5


def test_a_share_is_hit_by_chance():
    _, heard = run(
        "failures: [{share: 30%, status: 500}]", "rate: 1000", latency="1ms", duration="20s"
    )
    hit = sum(call.code == 500 for call in heard) / len(heard)
    assert hit == pytest.approx(0.3, abs=5 * (0.21 / 20_000) ** 0.5)


@pytest.mark.parametrize("how", ["refused", "hangs"])
def test_a_share_may_be_refused_or_hang(how):
    world, heard = run(
        f"failures: [{{share: 0.5, {how}: true, until: 100s}}]",
        "rate: 1000\ntimeout: 1s",
        latency="1ms",
    )
    fine = sum(call.code == 200 for call in heard)
    assert fine / 10_000 == pytest.approx(0.5, abs=0.03)
    assert len(heard) == 10_000
    assert world.engine.snapshot(100)["traffic"]["inbound"]["in_flight"] == 0


def test_errors_of_its_own_have_their_rate_and_status():
    _, heard = run("errors: 10%\nerror_status: 502", "rate: 1000", latency="1ms", duration="20s")
    assert {call.code for call in heard} == {200, 502}
    failed = sum(call.code == 502 for call in heard) / len(heard)
    assert failed == pytest.approx(0.1, abs=5 * (0.09 / 20_000) ** 0.5)


ENDPOINTS = """
endpoints:
- {address: 'a:1', locality: r/one/x}
- {locality: r/one, count: 2}
- {locality: r/ones}
"""


@pytest.mark.parametrize(
    ("failure", "hit"),
    [
        ("{}", {1, 2, 3, 4}),
        ("{endpoints: 2}", {2}),
        ("{endpoints: [1, 4]}", {1, 4}),
        ("{endpoints: ['a:1', 3]}", {1, 3}),
        ("{zone: r/one}", {1, 2, 3}),
        ("{zone: r/one/x}", {1}),
        ("{zone: r}", {1, 2, 3, 4}),
        ("{zone: r/one, endpoints: [2, 4]}", {2}),
    ],
)
def test_a_failure_is_of_these_endpoints_and_of_no_others(failure, hit):
    world, _ = run(ENDPOINTS.strip() + f"\nfailures: [{failure}]", "bursts: {size: 8, every: 1m}")
    servers = world.servers["web"]
    assert {number for number, s in enumerate(servers, 1) if s.codes == {503: 2}} == hit
    assert sum(s.codes.get(200, 0) for s in servers) == 2 * (4 - len(hit))


def test_zones_count_the_calls_of_all_their_servers():
    world, _ = run(ENDPOINTS, "bursts: {size: 8, every: 1m}")
    assert {zone: sum(series.bins) for zone, series in world.zones.items()} == {
        "r/one/x": 2, "r/one": 4, "r/ones": 2,
    }  # fmt: skip


def test_what_a_client_gave_up_is_worked_off_and_counted_as_the_server_sees_it():
    """Two seconds of work each, and nobody waits longer than one: all is for nothing."""
    world, heard = run(
        "capacity: 1", "bursts: {size: 3, every: 1m}\ntimeout: 1s", latency="2s", duration="5s"
    )
    assert seen(heard) == [(1, 0)] * 3
    (server,) = world.servers["web"]
    assert server.codes == {200: 3}
    assert world.kernel.now == 6
    assert world.end == 1
