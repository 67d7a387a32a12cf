"""The rows of the table: what each does with an adapter, in a process of its own."""

import multiprocessing
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final

from benchmarks.peers.timing import CALLS, added, batch_of, floors
from benchmarks.test_web import KEYED_ENVIRONS, KEYED_SCOPES, _asgi, _wsgi

#: More than is ever asked, over an hour; and little enough to be used up.
PLENTY, HOUR = 10**9, 3600
#: For keys: more than one is asked for, and so little a second that none is full again meanwhile.
#: Full ones some forget, and would be measured with none.
A_KEYS, DAY = 1000, 86_400
FEW = 2000
#: Who waits throughout, where a queue is measured.
WAITING = 1000
THREADS, PROCESSES, SECONDS = 8, 4, 0.5
#: So many make a process stop asking.
REFUSALS = 20


def adapter(peer: str) -> Any:
    """Import the file of a rival."""
    return import_module(f"benchmarks.peers.adapters.{peer}")


def allow(peer: Any) -> float:
    """A token of one bucket, granted."""
    return floors(batch_of(peer.limiter(PLENTY, HOUR)))


def refuse(peer: Any) -> float:
    """The same, refused."""
    ask = peer.limiter(1, HOUR)
    if not ask():
        raise ArithmeticError("the first of one was refused")
    return floors(batch_of(ask), wanted=0)


def _keyed(peer: Any, count: int) -> float:
    names = [f"client-{number}" for number in range(count)]
    ask = peer.keyed(A_KEYS, DAY, count)
    for name in names:
        ask(name)
    chosen = random.Random(1).choices(names, k=CALLS)

    def batch(calls: int) -> int:
        yes = 0
        for name in islice(chosen, calls):
            if ask(name):
                yes += 1
        return yes

    return floors(batch)


def keyed_1k(peer: Any) -> float:
    """A token of one of a thousand keys."""
    return _keyed(peer, 1000)


def keyed_1m(peer: Any) -> float:
    """A token of one of a million keys, at random."""
    return _keyed(peer, 1_000_000)


def key_bytes(peer: Any) -> float:
    """What the process grows by for each of a million keys, without the keys themselves."""
    names = [f"client-{number}" for number in range(1_000_000)]
    ask = peer.keyed(A_KEYS, DAY, len(names))
    before = resident()
    for name in names:
        ask(name)
    return (resident() - before) / len(names)


def resident() -> int:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def threads(peer: Any) -> float:
    """What 8 threads get from one bucket together, over what one gets: median of 5 runs.

    Both in a second of the processor's: on a machine that others use, more threads get more of it.
    """
    ask = peer.limiter(PLENTY, HOUR)
    return statistics.median(rate(ask, THREADS) / rate(ask, 1) for _ in range(5))


def rate(ask: Callable[[], bool], count: int) -> float:
    """Return the decisions of so many threads in a second of the processor's."""
    start = threading.Barrier(count + 1)
    done = [0] * count
    stop = [False]

    def work(at: int) -> None:
        mine = 0
        start.wait()
        while not stop[0]:
            for _ in range(20):
                mine += ask()
        done[at] = mine

    workers = [threading.Thread(target=work, args=(at,)) for at in range(count)]
    for worker in workers:
        worker.start()
    start.wait()
    begun = time.process_time()
    time.sleep(SECONDS)
    stop[0] = True
    for worker in workers:
        worker.join()
    return sum(done) / (time.process_time() - begun)


def over_threads(peer: Any) -> float:
    """How many 8 threads got beyond a limit of 2000, in 40 trials, threads switched at once."""
    switched = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        return sum(_over(peer.limiter(FEW, HOUR)) for _ in range(40))
    finally:
        sys.setswitchinterval(switched)


def _over(ask: Callable[[], bool]) -> int:
    begun = time.monotonic()
    start = threading.Barrier(THREADS)
    got = [0] * THREADS

    def work(at: int) -> None:
        start.wait()
        got[at] = sum(ask() for _ in range(FEW // 2))

    workers = [threading.Thread(target=work, args=(at,)) for at in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    earned = int((time.monotonic() - begun) * FEW / HOUR)
    return max(0, sum(got) - FEW - earned)


def _fair(peer: Any, flows: int) -> float:
    return floors(peer.fair(flows, WAITING))


def fair_2(peer: Any) -> float:
    """One comes and the next goes, of two classes, while a thousand wait."""
    return _fair(peer, 2)


def fair_1000(peer: Any) -> float:
    """The same, of a thousand classes."""
    return _fair(peer, 1000)


def slots(peer: Any) -> float:
    """A place among ten at once, taken and given back."""
    return floors(batch_of(peer.slots(10)))


def shared(peer: Any) -> float:
    """A token of a bucket that all processes of the machine share, nobody else asking."""
    with tempfile.TemporaryDirectory() as folder:
        ask = peer.shared(Path(folder), PLENTY, HOUR)
        return floors(batch_of(ask), calls=CALLS // 5)


def over_processes(peer: Any) -> float:
    """How many 4 processes got beyond a limit of 2000 that they share."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        name = peer.__name__.rpartition(".")[2]
        start, got = context.Barrier(PROCESSES), context.SimpleQueue()
        work = (name, folder, start, got)
        workers = [context.Process(target=_take, args=work) for _ in range(PROCESSES)]
        begun = time.monotonic()
        for worker in workers:
            worker.start()
        answers = [got.get() for _ in workers]
        for worker in workers:
            worker.join()
    faults = [answer for answer in answers if isinstance(answer, str)]
    if faults:
        raise RuntimeError(faults[0])
    earned = int((time.monotonic() - begun) * FEW / HOUR)
    return max(0, sum(answers) - FEW - earned)


def _take(name: str, folder: str, start: Any, got: Any) -> None:
    try:
        ask = adapter(name).shared(Path(folder), FEW, HOUR)
        start.wait(60)
        yes = no = 0
        while no < REFUSALS and yes <= FEW:
            if ask():
                yes += 1
            else:
                no += 1
        got.put(yes)
    except Exception as error:  # noqa: BLE001  # whatever a rival raises is a reason
        got.put(f"{type(error).__name__}: {error}")


def asgi(peer: Any) -> float:
    """What a limit by a header adds to a request of an ASGI application."""
    bare, limited = peer.asgi(A_KEYS)
    return added(_asgi(bare, KEYED_SCOPES), _asgi(limited, KEYED_SCOPES))


def wsgi(peer: Any) -> float:
    """What a limit by a header adds to a request of a WSGI application."""
    bare, limited = peer.wsgi(A_KEYS)
    return added(_wsgi(bare, KEYED_ENVIRONS), _wsgi(limited, KEYED_ENVIRONS))


#: Each row with what its adapter must offer, and the unit of its figure.
ROWS: Final[dict[str, tuple[Callable[[Any], float], str, str]]] = {
    "allow": (allow, "limiter", "floors"),
    "refuse": (refuse, "limiter", "floors"),
    "keyed-1k": (keyed_1k, "keyed", "floors"),
    "keyed-1m": (keyed_1m, "keyed", "floors"),
    "key-bytes-1m": (key_bytes, "keyed", "bytes"),
    "threads-8-over-1": (threads, "limiter", "times"),
    "over-by-threads": (over_threads, "limiter", "admitted too many"),
    "fair-2": (fair_2, "fair", "floors"),
    "fair-1000": (fair_1000, "fair", "floors"),
    "slots": (slots, "slots", "floors"),
    "shared": (shared, "shared", "floors"),
    "over-by-processes": (over_processes, "shared", "admitted too many"),
    "asgi": (asgi, "asgi", "floors"),
    "wsgi": (wsgi, "wsgi", "floors"),
}


def run(peer: str, row: str) -> float | None:
    """Return a figure; None: the rival does not offer that."""
    module = adapter(peer)
    measure, offered, _ = ROWS[row]
    return measure(module) if hasattr(module, offered) else None
