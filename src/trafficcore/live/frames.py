"""Which of the things acquired belongs to which `with`.

Law     One object (a breaker, a slot) stands for any number of `with` blocks at once. A block is
        told by the frame it is in: blocks of one frame nest, and a frame is of one thread, task or
        generator, whatever thread or context each half of it runs in. Who calls `__enter__` and
        `__exit__` from different frames (`ExitStack`, a class of one's own) gets the latest block
        of the present context that was entered so.
Source  the breaker reference's rules R4 and R6; contextvars alone lose a generator that is resumed
        in another context, as frameworks do with dependencies that yield.
"""

from collections.abc import Generator
from contextvars import ContextVar
from types import FrameType
from typing import Any, Final, Generic, Self, TypeVar, cast

__all__ = ["Blocks", "Ready"]

T = TypeVar("T")


class _Block(Generic[T]):
    """A `with` block under way, and those around it in its context."""

    __slots__ = ("blocks", "frame", "held", "outer")

    def __init__(
        self, blocks: "Blocks[T]", frame: FrameType, held: T, outer: "_Block[Any] | None"
    ) -> None:
        self.blocks = blocks
        #: None once the block is over: contexts are copied, and must not keep frames alive.
        self.frame: FrameType | None = frame
        self.held = held
        self.outer = outer


#: The innermost block of the present context.
_innermost: Final[ContextVar[_Block[Any] | None]] = ContextVar("trafficcore_block", default=None)


class Blocks(Generic[T]):
    """The blocks of one object that are under way, and what each of them holds."""

    __slots__ = ("_by_frame",)

    def __init__(self) -> None:
        self._by_frame: dict[FrameType, list[_Block[T]]] = {}

    def __len__(self) -> int:
        return sum(map(len, list(self._by_frame.values())))

    def enter(self, frame: FrameType, held: T) -> None:
        """Begin a block in `frame`."""
        outer = _innermost.get()
        while outer is not None and outer.frame is None:
            outer = outer.outer
        block = _Block(self, frame, held, outer)
        _innermost.set(block)
        blocks = self._by_frame.get(frame)
        if blocks is None:
            self._by_frame[frame] = [block]
        else:
            blocks.append(block)

    def leave(self, frame: FrameType) -> T:
        """End the innermost block of `frame`; return what it held."""
        blocks = self._by_frame.get(frame)
        block = blocks[-1] if blocks else self._latest_of_context()
        self._end(block)
        inner = _innermost.get()
        while inner is not None and inner.frame is None:
            inner = inner.outer
        _innermost.set(inner)
        return block.held

    def _latest_of_context(self) -> "_Block[T]":
        block = _innermost.get()
        while block is not None:
            if block.blocks is self and block.frame is not None:
                return block
            block = block.outer
        raise RuntimeError("a block is left that was not entered here")

    def _end(self, block: "_Block[T]") -> None:
        frame, block.frame = block.frame, None
        if frame is not None:
            blocks = self._by_frame[frame]
            blocks.remove(block)
            if not blocks:
                del self._by_frame[frame]


class Ready(Generic[T]):
    """An awaitable that is done: nothing can happen while it is awaited."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, Any, T]:
        return cast("Generator[Any, Any, T]", self)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        raise StopIteration(self._value)
