"""The rows of the table: what each does with an adapter, in a process of its own."""

import random
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from itertools import cycle, islice, repeat
from typing import Any, Final

from benchmarks.peers.rows import THREADS, rate, resident
from benchmarks.peers.timing import CALLS, Batch, added, batch_of, floors

#: An open time that no measurement outlasts, and one that a trial waits for.
HOUR, MOMENT = 3600, 0.05
#: How long a call takes whose breaker is measured by the wall clock.
TAKES = 0.02
TRIALS = 10


def adapter(peer: str) -> Any:
    """Import the file of a rival."""
    return import_module(f"benchmarks.breakers.adapters.{peer}")


def answer() -> bool:
    """Come back, as a service that is well."""
    return True


def fail() -> bool:
    """Raise, as one that is not."""
    raise ValueError


async def answer_later() -> bool:
    """Come back from a coroutine."""
    return True


def _failing(call: Callable[[], bool]) -> Batch:
    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            try:
                call()
            except ValueError:
                yes += 1
        return yes

    return batch


def _awaited(call: Callable[[], Any]) -> Batch:
    """Drive coroutines by hand: a loop would cost more than what is measured."""

    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            try:
                call().send(None)
            except StopIteration as stop:
                yes += stop.value
        return yes

    return batch


def success(peer: Any) -> float:
    """What the breaker adds to a function that comes back."""
    return added(batch_of(answer), batch_of(peer.closed()(answer)), calls=CALLS)


def slow(peer: Any) -> float:
    """The same, each call being a slow one."""
    return added(batch_of(answer), batch_of(peer.slow()(answer)), calls=CALLS)


def failure(peer: Any) -> float:
    """What it adds to a function that raises, each call counted as an error."""
    return added(_failing(fail), _failing(peer.closed()(fail)), calls=CALLS)


def coroutine(peer: Any) -> float:
    """What it adds to a coroutine that comes back."""
    return added(_awaited(answer_later), _awaited(peer.asynchronous()(answer_later)), calls=CALLS)


def steps(peer: Any) -> float:
    """Acquire and record, where these are calls of their own."""
    return floors(batch_of(peer.steps()))


def _tripped(breaker: Callable[[Any], Any], refused: type[Exception]) -> Callable[[], bool]:
    """Return what is refused from now on; whatever the tripping call itself raises."""
    with suppress(ValueError, refused):
        breaker(fail)()
    guarded: Callable[[], bool] = breaker(answer)
    return guarded


def refuse(peer: Any) -> float:
    """A call that is refused, and its exception caught."""
    refused = peer.REFUSED
    call = _tripped(peer.tripping(HOUR), refused)

    def batch(calls: int) -> int:
        no = 0
        for _ in repeat(None, calls):
            try:
                call()
            except refused:
                no += 1
        return no

    return floors(batch)


def ask(peer: Any) -> float:
    """A refusal that is an answer and no exception."""
    breaker, asks = peer.asking(HOUR)
    _tripped(breaker, peer.REFUSED)
    return floors(batch_of(asks), wanted=0)


def _of_many(peer: Any, count: int) -> float:
    """What a breaker adds to a call, each function with its own, called at random."""
    places = random.Random(1).choices(range(count), k=CALLS)

    def batch(functions: list[Callable[[], bool]]) -> Batch:
        chosen = [functions[place] for place in places]

        def run(calls: int) -> int:
            yes = 0
            for call in islice(chosen, calls):
                if call():
                    yes += 1
            return yes

        return run

    bare = [lambda: True for _ in range(count)]
    return added(batch(bare), batch([peer.closed()(call) for call in bare]), calls=CALLS)


def of_10(peer: Any) -> float:
    """Ten breakers."""
    return _of_many(peer, 10)


def of_10k(peer: Any) -> float:
    """Ten thousand breakers."""
    return _of_many(peer, 10_000)


def each_bytes(peer: Any) -> float:
    """What the process grows by for each of ten thousand breakers, its function with it."""
    before = resident()
    kept = [peer.closed()(lambda: True) for _ in range(10_000)]
    return (resident() - before) / len(kept)


def _threads(peer: Any, errors: int) -> float:
    """What 8 threads get through one breaker together, over what one gets, so many of 100 bad."""
    guarded, wrong = peer.closed(), cycle([True] * errors + [False] * (100 - errors))
    good, bad = guarded(answer), guarded(fail)

    def call() -> bool:
        try:
            return bool((bad if next(wrong) else good)())
        except ValueError:
            return True

    return statistics.median(rate(call, THREADS) / rate(call, 1) for _ in range(5))


def threads(peer: Any) -> float:
    """All calls good."""
    return _threads(peer, 0)


def threads_1(peer: Any) -> float:
    """One of a hundred bad."""
    return _threads(peer, 1)


def threads_10(peer: Any) -> float:
    """Ten of a hundred bad."""
    return _threads(peer, 10)


def threads_50(peer: Any) -> float:
    """Half of them bad."""
    return _threads(peer, 50)


class _Crew:
    """Threads that all call at once; how many were inside at once, and how long it took."""

    def __init__(self, guard: Callable[[Any], Any], refused: type[Exception]) -> None:
        self._call = guard(self._inside)
        self._refused = refused
        self._lock = threading.Lock()
        self._now = self.most = 0

    def _inside(self) -> bool:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(TAKES)
        with self._lock:
            self._now -= 1
        return True

    def run(self) -> float:
        start = threading.Barrier(THREADS + 1)

        def work() -> None:
            start.wait()
            with suppress(self._refused):
                self._call()

        crew = [threading.Thread(target=work) for _ in range(THREADS)]
        for member in crew:
            member.start()
        start.wait()
        begun = time.monotonic()
        for member in crew:
            member.join()
        return time.monotonic() - begun


def waits(peer: Any) -> float:
    """How long 8 threads' calls take together through a closed breaker, over one's call."""
    return statistics.median(_Crew(peer.closed(), peer.REFUSED).run() for _ in range(5)) / TAKES


def probes(peer: Any) -> float:
    """How many of 8 threads are inside at once when the open time is over and one may try."""

    def most() -> int:
        breaker = peer.tripping(MOMENT)
        crew = _Crew(breaker, peer.REFUSED)
        _tripped(breaker, peer.REFUSED)
        time.sleep(1.5 * MOMENT)
        crew.run()
        return crew.most

    return max(most() for _ in range(TRIALS))


#: Each row with what its adapter must offer, and the unit of its figure.
ROWS: Final[dict[str, tuple[Callable[[Any], float], str, str]]] = {
    "success": (success, "closed", "floors"),
    "slow": (slow, "slow", "floors"),
    "failure": (failure, "closed", "floors"),
    "coroutine": (coroutine, "asynchronous", "floors"),
    "two-steps": (steps, "steps", "floors"),
    "refuse": (refuse, "tripping", "floors"),
    "refuse-quietly": (ask, "asking", "floors"),
    "of-10": (of_10, "closed", "floors"),
    "of-10k": (of_10k, "closed", "floors"),
    "bytes": (each_bytes, "closed", "bytes"),
    "threads-8-over-1": (threads, "closed", "times"),
    "threads-1-bad": (threads_1, "closed", "times"),
    "threads-10-bad": (threads_10, "closed", "times"),
    "threads-50-bad": (threads_50, "closed", "times"),
    "waits": (waits, "closed", "times"),
    "probes-at-once": (probes, "tripping", "calls"),
}


def run(peer: str, row: str) -> float | None:
    """Return a figure; None: the rival does not offer that."""
    module = adapter(peer)
    measure, offered, _ = ROWS[row]
    return measure(module) if hasattr(module, offered) else None
