"""An event loop whose time jumps to the next timer as soon as nothing is left to do."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["VirtualLoop", "run"]

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Waits by moving its own clock. One thread only: nobody else could wake it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        select = self._selector.select

        def jump(timeout: float | None = None) -> Any:
            events = select(0)
            if not events:
                assert timeout is not None, "every task waits, and no timer is set"
                self.now += timeout
            return events

        self._selector.select = jump

    def time(self) -> float:
        return self.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Do what `asyncio.run` does, on a virtual loop."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
