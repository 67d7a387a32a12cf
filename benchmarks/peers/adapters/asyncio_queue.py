"""asyncio.PriorityQueue and a limiter, as one writes it oneself: strict classes, and no fairness."""

import asyncio
import platform
from collections.abc import Callable
from itertools import count

from trafficcore import RateLimiter

DISTRIBUTION = "asyncio.PriorityQueue + limiter"
VERSION = platform.python_version()
LAW = "strict priority"


def fair(flows: int, waiting: int) -> Callable[[int], int]:
    queue: asyncio.PriorityQueue[tuple[int, int]] = asyncio.PriorityQueue()
    take = RateLimiter(10**9, share="local").try_acquire
    number = count()
    for n in range(waiting):
        queue.put_nowait((n % flows, next(number)))

    async def steps(calls: int) -> int:
        yes = 0
        for n in range(calls):
            await queue.put((n % flows, next(number)))
            await queue.get()
            if take():
                yes += 1
        return yes

    loop = asyncio.new_event_loop()
    return lambda calls: loop.run_until_complete(steps(calls))
