"""priomesh: levels of priority, and tenants inside a level whose turns are drawn."""

import asyncio
from collections.abc import Callable

from priomesh import Job, Priority, PriorityFairQueue

DISTRIBUTION = "priomesh-python"
LAW = "drawn turns"

_LEVELS = (Priority.NORMAL, Priority.HIGH)


def fair(flows: int, waiting: int) -> Callable[[int], int]:
    queue = PriorityFairQueue()
    jobs = [Job("job", _LEVELS[n % 2], f"tenant-{n}") for n in range(flows)]

    async def fill() -> None:
        for n in range(waiting):
            await queue.put(jobs[n % flows])

    async def steps(calls: int) -> int:
        yes = 0
        for n in range(calls):
            await queue.put(jobs[n % flows])
            if await queue.get():
                yes += 1
        return yes

    loop = asyncio.new_event_loop()
    loop.run_until_complete(fill())
    return lambda calls: loop.run_until_complete(steps(calls))
