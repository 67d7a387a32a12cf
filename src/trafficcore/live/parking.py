"""Waiting in a line: in this thread, or in the running event loop."""

import threading
from collections.abc import Callable
from math import inf

from trafficcore.live.loops import call_in
from trafficcore.live.waiting import AT_MOST, Line, Sleep, Source, patience

__all__ = ["wait_in_loop", "wait_in_thread"]


def wait_in_thread(
    line: Line,
    source: Source,
    cost: float,
    timeout: float | None,
    clock: Callable[[], float],
    sleep: Sleep | None,
) -> bool:
    """Block until the cost is granted (True), or it cannot be within `timeout` seconds (False)."""
    deadline = clock() + patience(timeout)
    woken = threading.Event()
    ticket = line.join(source, cost, woken.set)
    try:
        while True:
            woken.clear()
            wait = line.ask(ticket, deadline)
            if wait is None or ticket.granted:
                return ticket.granted
            pause = min(wait, deadline - clock())
            if sleep is None or wait == inf:
                woken.wait(max(0, min(pause, AT_MOST)))
            else:
                sleep(pause)
    finally:
        line.leave(ticket)


async def wait_in_loop(
    line: Line,
    source: Source,
    cost: float,
    timeout: float | None,  # noqa: ASYNC109  # the same verb as `wait_in_thread`
    clock: Callable[[], float],
) -> bool:
    """Do what `wait_in_thread` does, without blocking the event loop."""
    import asyncio

    loop = asyncio.get_running_loop()
    parked: asyncio.Future[None] = loop.create_future()

    def go_on() -> None:
        if not parked.done():
            parked.set_result(None)

    deadline = clock() + patience(timeout)
    ticket = line.join(source, cost, lambda: call_in(loop, go_on), loop)
    try:
        while True:
            parked = loop.create_future()
            wait = line.ask(ticket, deadline)
            if wait is None or ticket.granted:
                return ticket.granted
            pause = min(wait, deadline - clock())
            # Who is not first and has no deadline needs no timer: it is woken.
            timer = None if pause == inf else loop.call_later(min(pause, AT_MOST), go_on)
            try:
                await parked
            finally:
                if timer is not None:
                    timer.cancel()
    finally:
        line.leave(ticket)
