"""The checker passes the forms that held under eight threads, and none of those that did not."""

import re
import time

import pytest

from support.exactness import NotAtomic, assert_atomic, hammer, python_clock

STATE = frozenset({"_t", "_n", "_d", "_waiting"})


class Good:
    """Forms that keep the rule."""

    def gcra(self, cost=1):
        now = self._clock()
        if not 0 < cost <= self.capacity:
            return self._odd_cost(cost)
        need = cost * self._inc
        floor = now - self._burst
        t = self._t
        if t < floor:
            t = floor
        t += need
        if t > now or self._waiting:
            return False
        self._t = t
        return True

    def keyed(self, key, cost=1):
        now = self._clock()
        d = self._d
        if key in d:
            t = d[key]
        else:
            return self._new_key(key, now, cost)
        if t > now:
            return False
        d[key] = t + 1
        return True

    def tail_after_load(self, now):
        n = self._n
        if n == self._edge:
            return self._slow(now)
        self._n = n + 1
        return True

    def call_after_the_last_store(self, now):
        n = self._n + 1
        self._n = n
        if n >= self._edge:
            return self._look(now)
        return None

    def settle_once(self):
        n, self._n = self._n, None
        if n is not None:
            n.release()

    def release_in_finally(self):
        self._acq()
        try:
            self._n = self._n + 1
        finally:
            self._rel()

    def miss_by_exception(self, key):
        now = self._clock()
        try:
            t = self._d[key]
        except KeyError:
            return self._new_key(key, now)
        self._d[key] = t + 1
        return True

    def conditional(self, now):
        self._n = now if self._n is None or self._n < now else self._n
        return self._n


class Bad:
    """Forms that over-admitted, or would."""

    def get_between_clock_and_store(self, key):
        now = self._clock()
        t = self._d.get(key, now)
        self._d[key] = t + 1

    def max_in_the_run(self):
        now = self._clock()
        t = max(self._t, now)
        self._t = t + 1

    def clock_after_state(self):
        t = self._t
        now = self._clock()
        if t < now:
            self._t = now

    def refill_then_spend(self):
        now = self._clock()
        if now > self._t:
            self._n = self._n + 1
            self._t = now
        self._count()
        self._n -= 1

    def loop_in_the_run(self):
        n = self._n
        while n > 10:
            n -= 10
        self._n = n

    def slice_in_the_run(self, now):
        n = self._n
        x = now[1:n]
        self._n = x

    def list_in_the_run(self, now):
        n = self._n
        pair = [n, now]
        self._n = pair

    def text_in_the_run(self):
        n = self._n
        x = f"{n}"
        self._n = x

    def lock_in_the_run(self):
        n = self._n
        with self._lock:
            self._n = n + 1

    def one_bad_path_of_many(self, now):
        n = self._n
        if n == 7:
            if now:
                n = self._odd(n)
        elif n == 8:
            n = 9
        self._n = n

    def bad_in_the_handler(self, key):
        try:
            t = self._d[key]
        except KeyError:
            t = self._make(key)
        self._d[key] = t

    def back_from_the_handler(self, key):
        now = self._clock()
        try:
            t = self._d[key]
        except KeyError:
            t = now
        self._d[key] = t

    def comprehension(self):
        d = self._d
        self._n = [x + 1 for x in d]

    def append(self, now):
        n = self._n
        self.log.append(now)
        self._n = n + 1


def methods(cls):
    return [f for name, f in vars(cls).items() if not name.startswith("_")]


@pytest.mark.parametrize("function", methods(Good), ids=lambda f: f.__name__)
def test_a_form_that_keeps_the_rule_passes(function):
    assert_atomic(function, STATE)


@pytest.mark.parametrize("function", methods(Bad), ids=lambda f: f.__name__)
def test_a_form_that_breaks_the_rule_is_found(function):
    with pytest.raises(NotAtomic, match=r"lets others run, then \w+ .* changes state"):
        assert_atomic(function, STATE)


def test_a_closure_is_checked_by_the_names_of_its_cells():
    def make(clock):
        t = 0

        def good():
            nonlocal t
            now = clock()
            if t > now:
                return False
            t = now + 1
            return True

        def bad():
            nonlocal t
            old = t
            t = old + clock()

        return good, bad

    good, bad = make(time.monotonic)
    assert_atomic(good, {"t"})
    with pytest.raises(NotAtomic):
        assert_atomic(bad, {"t"})


def test_an_argument_of_any_class_may_not_be_touched_inside_the_run():
    def after(self, cost):
        t = self._t
        self._t = t + cost * self._inc

    def before(self, cost):
        need = cost * self._inc
        self._t = self._t + need

    assert_atomic(after, STATE)
    assert_atomic(before, STATE, untrusted={"cost"})
    with pytest.raises(NotAtomic):
        assert_atomic(after, STATE, untrusted={"cost"})


def test_the_lists_of_names_are_held_to_the_code():
    def stores_more(self):
        self._t = self.other = 1

    def reads_more(self):
        self._t = self.other

    def touches_nothing(self):
        return 1

    with pytest.raises(NotAtomic, match="stores 'other'"):
        assert_atomic(stores_more, STATE)
    assert_atomic(reads_more, STATE)
    assert_atomic(reads_more, STATE, constants={"other"})
    with pytest.raises(NotAtomic, match="loads 'other'"):
        assert_atomic(reads_more, STATE, constants={"inc"})
    with pytest.raises(NotAtomic, match=re.escape("touches none of ['_d', '_n', '_t'")):
        assert_atomic(touches_nothing, STATE)


def test_a_bound_method_is_checked_as_its_function():
    assert_atomic(Good().gcra, STATE)
    with pytest.raises(NotAtomic):
        assert_atomic(Bad().max_in_the_run, STATE)


def test_the_hammer_returns_each_result_in_order():
    assert hammer(lambda index: index * index, threads=5) == [0, 1, 4, 9, 16]


def test_the_hammer_raises_what_a_thread_raised():
    def work(index):
        if index == 3:
            raise ValueError("the fourth")

    with pytest.raises(ValueError, match="the fourth"):
        hammer(work)


@pytest.mark.stress
def test_the_hammer_finds_a_bucket_that_reads_its_clock_too_late():
    class Leaky:
        def __init__(self):
            self.left = 2_000
            self.clock = python_clock()

        def try_acquire(self):
            left = self.left
            self.clock()
            if left <= 0:
                return False
            self.left = left - 1
            return True

    def admitted():
        leaky = Leaky()
        return sum(hammer(lambda _: sum(leaky.try_acquire() for _ in range(2_000))))

    assert any(admitted() > 2_000 for _ in range(20))
