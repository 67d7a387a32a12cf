"""`FairQueue`: shares, order, starvation, and what its structure may cost."""

from collections import Counter, defaultdict
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.core.fair import FairQueue
from trafficcore.errors import ConfigError

FLOWS = "abc"
COST = st.sampled_from([Fraction(1), Fraction(2), Fraction(7, 2), Fraction(1, 3)])
WEIGHT = st.sampled_from([Fraction(1), Fraction(50), Fraction(200), Fraction(2, 3)])
WEIGHTS = st.fixed_dictionaries(dict.fromkeys(FLOWS, WEIGHT))
#: Somebody of a flow comes (cost), the next goes (None), or the newest of a flow cancels.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(FLOWS), COST),
        st.tuples(st.sampled_from(FLOWS), COST),
        st.none(),
        st.sampled_from(FLOWS),
    ),
    max_size=120,
)
TAGS = pytest.mark.parametrize("tags", ["finish", "start"])


def names(entries):
    return [entry.item for entry in entries]


def drain(queue):
    found = []
    while queue.waiting:
        head = queue.head()
        found.append(queue.pop())
        assert found[-1] is head
        queue._check()
    return found


class Watched:
    """A queue with what an onlooker writes down: who waits, and who went while who waited."""

    def __init__(self, weights, tags):
        self.queue = FairQueue(tags=tags)
        self.weights = weights
        self.waiting = defaultdict(list)
        self.drift = {pair: [Fraction(0)] for pair in combinations(FLOWS, 2)}
        self.ahead = {}

    def step(self, step):
        if step is None:
            if self.queue.waiting:
                self.pop()
        elif isinstance(step, tuple):
            flow, cost = step
            entry = self.queue.push(flow, cost, self.weights[flow])
            self.waiting[flow].append(entry)
            self.note_head(flow)
        elif self.waiting[step]:
            self.queue.cancel(self.waiting[step].pop())
            self.note_head(step)
        self.note_ends()

    def pop(self):
        entry = self.queue.pop()
        flow = entry.lane.flow
        assert entry is self.waiting[flow][0], "overtaken inside its flow"
        for pair, drift in self.drift.items():
            if flow in pair and all(self.waiting[other] for other in pair):
                sign = 1 if flow == pair[0] else -1
                drift.append(drift[-1] + sign * entry.cost / self.weights[flow])
        for other, served in self.ahead.items():
            if other != flow:
                served[flow] += entry.cost
        self.check_starvation(entry)
        self.waiting[flow].pop(0)
        self.ahead.pop(flow, None)
        self.note_head(flow)

    def note_head(self, flow):
        """Whoever is head from now on has seen nobody served."""
        waiting = self.waiting[flow]
        if waiting and self.ahead.get(flow, Counter()).get("head") != waiting[0].seq:
            self.ahead[flow] = Counter(head=waiting[0].seq)
        elif not waiting:
            self.ahead.pop(flow, None)

    def note_ends(self):
        for pair, drift in self.drift.items():
            if not all(self.waiting[flow] for flow in pair):
                self.check_bound(pair, drift)
                drift[:] = [Fraction(0)]

    def check_bound(self, pair, drift):
        """The theorem of SCFQ and SFQ, over every part of a stretch."""
        bound = sum(Fraction(7, 2) / self.weights[flow] for flow in pair)
        assert max(drift) - min(drift) <= bound

    def check_starvation(self, entry):
        """What may go before a head: (w_j / w_i) l_i + l_j of each other flow, by finish tags."""
        flow = entry.lane.flow
        if self.queue._start or flow not in self.ahead:
            return
        for other in FLOWS:
            if other != flow:
                ratio = self.weights[other] / self.weights[flow]
                assert self.ahead[flow][other] <= ratio * entry.cost + Fraction(7, 2)


@TAGS
def test_shares_order_and_starvation_stay_within_their_bounds(tags):
    @given(WEIGHTS, STEPS)
    def hold(weights, steps):
        watched = Watched(weights, tags)
        for step in steps:
            watched.step(step)
            watched.queue._check()
        for pair, drift in watched.drift.items():
            watched.check_bound(pair, drift)

    hold()


@TAGS
def test_those_ahead_are_those_who_go_first(tags):
    @given(WEIGHTS, STEPS)
    def hold(weights, steps):
        watched = Watched(weights, tags)
        for step in steps:
            watched.step(step)
        queue = watched.queue
        entries = [entry for waiting in watched.waiting.values() for entry in waiting]
        said = {entry.seq: queue.ahead(entry) for entry in entries}
        before = 0
        for place, entry in enumerate(drain(queue)):
            assert said[entry.seq] == (place, before)
            before += entry.cost

    hold()


def test_finish_tags_let_the_heavy_go_first_and_start_tags_the_early():
    order = {}
    for tags in ("finish", "start"):
        queue = FairQueue(tags=tags)
        for name in ("g1", "g2", "s1", "s2", "s3", "s4", "s5"):
            queue.push(name[0], Fraction(1), 200 if name[0] == "s" else 50, name)
        order[tags] = names(drain(queue))
    assert order["finish"] == ["s1", "s2", "s3", "g1", "s4", "s5", "g2"]
    assert order["start"] == ["g1", "s1", "s2", "s3", "s4", "g2", "s5"]


def test_equal_tags_go_in_the_order_of_arrival():
    queue = FairQueue()
    for name in "cabdc":
        queue.push(name, 1, 1, name)
    assert names(drain(queue)) == ["c", "a", "b", "d", "c"]


def test_a_flow_with_keys_gets_no_more_than_one_without():
    queue = FairQueue()
    for i in range(6):
        queue.push("users", Fraction(1), 1, f"ann{i}", "ann")
        queue.push("users", Fraction(1), 1, f"bob{i}", "bob")
        queue.push("jobs", Fraction(1), 1, f"job{i}")
    first = names(drain(queue))[:8]
    assert Counter(name[:3] for name in first) == {"job": 4, "ann": 2, "bob": 2}


def test_a_key_that_leaves_lets_the_others_go_sooner():
    queue = FairQueue()
    queue.push("users", Fraction(1), 1, "ann", "ann")
    bob = queue.push("users", Fraction(1), 1, "bob", "bob")
    queue.push("jobs", Fraction(3, 2), 1, "job")
    assert queue.head().item == "job"  # each key is charged for two
    queue.cancel(bob)
    assert names(drain(queue)) == ["ann", "job"]


def test_the_first_key_of_a_flow_finds_its_place_beside_those_without():
    queue = FairQueue()
    for i in range(3):
        queue.push("w", Fraction(1), 1, f"plain{i}")
    for i in range(3):
        queue.push("w", Fraction(1), 1, f"keyed{i}", "key")
        queue._check()
    assert [name[:5] for name in names(drain(queue))] == ["plain", "keyed"] * 3


def test_a_cancelled_head_leaves_its_place_to_the_next_at_the_same_clock():
    queue = FairQueue()
    head = queue.push("a", Fraction(5), 1, "a1")
    queue.push("a", Fraction(1), 1, "a2")
    queue.push("b", Fraction(2), 1, "b1")
    assert queue.head().item == "b1"
    assert queue.cancel(head)
    assert not queue.cancel(head)
    assert names(drain(queue)) == ["a2", "b1"]
    assert not queue.cancel(head)


def test_cancelled_ones_do_not_pile_up_behind_a_head_that_waits():
    queue = FairQueue()
    queue.push("a", 1, 1, "head")
    queue.push("b", 1, 100, "other")
    for _ in range(5000):
        queue.cancel(queue.push("a", 1, 1))
        queue.cancel(queue.push("c", 1, Fraction(1, 1000)))
    queue._check()
    lanes = queue._lanes.values()
    assert sum(len(lane.fifo) for lane in lanes) < 200
    assert len(queue.heap) < 200
    assert queue.backlog() == 2
    assert names(drain(queue)) == ["other", "head"]


@TAGS
def test_flows_that_nobody_waits_in_are_forgotten_but_for_their_clocks(tags):
    queue = FairQueue(tags=tags)
    queue.push("always", Fraction(10**9), 1)
    queue.push("always", Fraction(10**9), 1)
    for i in range(20_000):
        queue.push(f"flow{i}", Fraction(1), 10**6)
        queue.push("keys", Fraction(1), 10**6, None, f"key{i}")
        queue.pop()
        queue.pop()
    assert queue._size < 5_000
    queue._check()


@TAGS
def test_a_busy_period_ends_when_nobody_waits_and_clocks_start_again(tags):
    queue = FairQueue(tags=tags)
    for _ in range(3):
        queue.push("a", Fraction(1), 1)
    drain(queue)
    queue.push("b", Fraction(1), 1, "b")
    queue.push("a", Fraction(1), 1, "a")
    assert names(drain(queue)) == ["b", "a"]


def test_a_correction_moves_the_clock_while_the_busy_period_is_on():
    queue = FairQueue()
    for i in range(3):
        queue.push("a", Fraction(1), 1, f"a{i}")
        queue.push("b", Fraction(1), 1, f"b{i}")
    first = queue.pop()
    queue.correct(first, Fraction(2))
    queue._check()
    assert names(drain(queue)) == ["b0", "b1", "b2", "a1", "a2"]
    queue.push("b", Fraction(1), 1, "b")
    queue.correct(first, Fraction(100))
    queue.push("a", Fraction(1, 2), 1, "a")
    assert names(drain(queue)) == ["a", "b"]


def test_the_newest_of_the_flow_that_waits_for_most_is_found():
    queue = FairQueue()
    queue.push("light", 3, 10)
    queue.push("heavy", 1, 1, "old")
    queue.push("heavy", 1, 1, "new")
    queue.push("light", 1, 10, "latest")
    assert queue.newest_of_heaviest().item == "new"
    queue.cancel(queue.newest_of_heaviest())
    queue.push("light", 8, 10, "tie")  # 1.2 against 1 by now
    assert queue.newest_of_heaviest().item == "tie"


def test_readings_add_up():
    queue = FairQueue()
    queue.push("a", 2, 1)
    queue.push("a", 3, 1, None, "key")
    queue.push("b", 4, 1)
    assert queue.flows() == {"a": (2, 5), "b": (1, 4)}
    assert queue.backlog() == 9
    assert len(queue.clear()) == 3
    assert queue.flows() == {}
    assert queue.head() is None


def test_an_unknown_discipline_is_refused():
    with pytest.raises(ConfigError, match="not 'fifo'"):
        FairQueue(tags="fifo")


def test_popping_where_nobody_waits_is_an_error():
    with pytest.raises(IndexError):
        FairQueue().pop()
