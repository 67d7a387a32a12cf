"""`Block`: `with`, `async with` and a decorator around what is acquired first and ended last."""

import sys
from collections.abc import Awaitable, Callable
from types import FrameType, TracebackType
from typing import Generic, ParamSpec, TypeVar

from trafficcore.live.frames import Blocks, Ready
from trafficcore.live.kinds import inside

__all__ = ["Block"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Block(Generic[T]):
    """For any number of uses, one after another or at once: each acquires for itself.

    `end` gets what was acquired, and what the block raised (None: nothing).
    """

    __slots__ = ("_acquire", "_acquire_async", "_blocks", "_end")

    def __init__(
        self,
        acquire: Callable[[], T],
        acquire_async: Callable[[], Awaitable[T]],
        end: Callable[[T, BaseException | None], object],
    ) -> None:
        self._acquire = acquire
        self._acquire_async = acquire_async
        self._end = end
        self._blocks: Blocks[T] = Blocks()

    def __enter__(self) -> T:
        held = self._acquire()
        self._blocks.enter(sys._getframe(1), held)  # noqa: SLF001  # see frames
        return held

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end(self._blocks.leave(sys._getframe(1)), error)  # noqa: SLF001

    def __aenter__(self) -> Awaitable[T]:
        return self._enter_async(sys._getframe(1))  # noqa: SLF001

    async def _enter_async(self, frame: FrameType) -> T:
        held = await self._acquire_async()
        self._blocks.enter(frame, held)
        return held

    def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Awaitable[None]:
        self._end(self._blocks.leave(sys._getframe(1)), error)  # noqa: SLF001
        return Ready(None)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return `function`, of whatever kind, inside such a block, one for each call."""
        return inside(self, function)
