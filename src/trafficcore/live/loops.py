"""Having something done in an event loop, from wherever one is."""

import asyncio
from collections.abc import Callable

__all__ = ["call_in"]


def call_in(
    loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *args: object
) -> None:
    """Call in the thread of a loop: at once where that is this one, which spares a system call.

    Raises `RuntimeError` where the loop is closed.
    """
    if asyncio._get_running_loop() is loop:  # noqa: SLF001  # asyncio's own, and exported
        callback(*args)
    else:
        loop.call_soon_threadsafe(callback, *args)
