"""`python -m benchmarks.shared`: what a lock between processes costs, alone and with others.

The first table times pairs of taking and letting go, each in turn with the floor. The second has
so many processes decide on one bucket at once, as fast as they can.
"""

import fcntl
import multiprocessing
import os
import statistics
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.floor import Floor
from trafficcore.engine.guard import new_lock
from trafficcore.store import HostFile, SharedGcra

CALLS, ROUNDS, SECONDS = 20_000, 31, 2.0


def main() -> None:
    """Print both tables."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "limits")
        floor = Floor().call
        print(f"{'taking and letting go':24} {'ns':>7} {'floors':>7}")
        for name, call in locks(path).items():
            times = [(each(call), each(floor)) for _ in range(ROUNDS)]
            took, base = (statistics.median(column) for column in zip(*times, strict=True))
            print(f"{name:24} {took * 1e9:7.0f} {took / base:7.2f}")
        print(
            f"\n{'processes':>9} {'decisions/s':>12} {'mean us':>8} {'p99 us':>7} {'worst ms':>9}"
        )
        for count in (1, 2, 4):
            total, mean, tail, worst = together(path, count)
            print(f"{count:9} {total:12.0f} {mean:8.2f} {tail:7.2f} {worst:9.2f}")


def each(call: Callable[[], Any]) -> float:
    """Return the seconds of one call."""
    begun = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - begun) / CALLS


def locks(path: Path) -> dict[str, Callable[[], Any]]:
    """Return what could keep two processes apart, and a whole decision."""
    file = HostFile(path, slots=16, lock=new_lock())
    bucket = SharedGcra(file, "a", 10**9, 1000)
    fd = os.open(path, os.O_RDWR)
    take, let_go = fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_UN

    def whole() -> None:
        fcntl.flock(fd, take)
        fcntl.flock(fd, let_go)

    def of_the_process() -> None:
        fcntl.lockf(fd, take, 8, 0)
        fcntl.lockf(fd, let_go, 8, 0)

    rows = {"flock": whole, "lockf, a range": of_the_process}
    if hasattr(fcntl, "F_OFD_SETLK"):
        held, free = (
            struct.pack("hhqqi4x", how, 0, 0, 8, 0) for how in (fcntl.F_WRLCK, fcntl.F_UNLCK)
        )

        def of_the_open_file() -> None:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, held)
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, free)

        rows["OFD lock, a range"] = of_the_open_file
    rows["a whole decision"] = lambda: bucket.try_acquire(time.monotonic())
    return rows


def together(path: Path, count: int) -> tuple[float, float, float, float]:
    """Return decisions a second of all, and the mean, 99th percentile and worst of one."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(count)
    results: Any = context.SimpleQueue()
    workers = [context.Process(target=decide, args=(path, start, results)) for _ in range(count)]
    for worker in workers:
        worker.start()
    times = sorted(took for _ in workers for took in results.get())
    for worker in workers:
        worker.join()
    mean = sum(times) / len(times)
    return len(times) / SECONDS, mean * 1e6, times[len(times) * 99 // 100] * 1e6, times[-1] * 1e3


def decide(path: Path, start: Any, results: Any) -> None:
    """Decide as fast as it goes, and report how long each took."""
    bucket = SharedGcra(HostFile(path, slots=16, lock=new_lock()), "a", 10**9, 1000)
    times = []
    start.wait()
    now = time.monotonic()
    end = now + SECONDS
    while now < end:
        assert bucket.try_acquire(now)
        before, now = now, time.monotonic()
        times.append(now - before)
    results.put(times)


if __name__ == "__main__":
    main()
