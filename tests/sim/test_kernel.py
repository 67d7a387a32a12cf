"""The kernel: order, time, and where a run stops."""

from hypothesis import given
from hypothesis import strategies as st

from trafficcore.sim.kernel import Kernel


def test_events_run_in_the_order_of_their_times_and_at_one_instant_as_they_came():
    kernel, ran = Kernel(), []
    for time, name in ((2, "b"), (1, "a"), (2, "c"), (0, "first")):
        kernel.at(time, lambda name: ran.append((kernel.now, name)), name)
    assert kernel.run() == 4
    assert ran == [(0, "first"), (1, "a"), (2, "b"), (2, "c")]
    assert kernel.events == 4


def test_late_events_see_all_that_the_instant_has_done():
    kernel, ran = Kernel(), []
    kernel.late(1, ran.append, "late")
    kernel.at(1, lambda _: (ran.append("early"), kernel.at(1, ran.append, "made meanwhile")))
    kernel.late(1, ran.append, "later")
    kernel.at(1.5, ran.append, "after")
    kernel.run()
    assert ran == ["early", "made meanwhile", "late", "later", "after"]


def test_what_a_late_event_puts_at_its_own_instant_runs_before_the_next_late_one():
    kernel, ran = Kernel(), []
    kernel.late(1, lambda _: kernel.at(1, ran.append, "put there"))
    kernel.late(1, ran.append, "late")
    kernel.run()
    assert ran == ["put there", "late"]
    assert kernel.now == 1


def test_a_run_stops_at_its_time_and_after_its_most_events():
    kernel, ran = Kernel(), []
    for time in (1, 2, 3, 4):
        kernel.at(time, ran.append, time)
    assert kernel.run(most=1) == 1
    assert kernel.run(until=3) == 2, "at `until` itself as well"
    assert (ran, kernel.now, kernel.next) == ([1, 2, 3], 3, 4)
    assert kernel.run(until=3.5) == 0
    assert kernel.now == 3, "time does not move by itself"
    assert kernel.run() == 1
    assert kernel.next == float("inf")


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=30))
def test_the_order_is_that_of_a_sort(events):
    kernel, ran = Kernel(), []
    for number, (time, late) in enumerate(events):
        (kernel.late if late else kernel.at)(time, ran.append, (time, late, number))
    kernel.run()
    assert ran == sorted(ran)
    assert len(ran) == len(events)
