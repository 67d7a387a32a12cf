"""A breaker's permit that settles once, and which permit belongs to which `with`.

Law     One breaker object stands for any number of `with` blocks at once. A block is told by the
        frame it is in: blocks of one frame nest, and a frame is of one thread, task or generator,
        whatever thread or context each half of it runs in. Who calls `__enter__` and `__exit__`
        from different frames (`ExitStack`, a class of one's own) gets the latest block of the
        present context that was entered so.
Source  the reference's rules R4 and R6; contextvars alone lose a generator that is resumed in
        another context, as frameworks do with dependencies that yield.
"""

from collections.abc import Generator
from contextvars import ContextVar
from types import FrameType
from typing import Any, Final, Generic, Optional, Self, TypeVar, cast

from trafficcore.core.breaker import Flight

__all__ = ["Blocks", "Permit", "Ready"]

T = TypeVar("T")


class Permit:
    """The right to one call: end it with exactly one of its methods. A second one does nothing."""

    __slots__ = ("_owner", "era", "start")

    def __init__(self, owner: Any, era: int | Flight, start: float) -> None:
        self._owner = owner
        self.era = era
        #: When it was given, by the breaker's clock.
        self.start = start

    def success(self) -> None:
        """Say that the call came back."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.succeeded(self.era, self.start)

    def failure(self) -> None:
        """Say that the call failed by the service's fault."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.failed(self.era, self.start)

    def ignore(self) -> None:
        """Say that nobody can tell: it counts for nothing, but among such calls."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.ignore(self.era)

    def release(self) -> None:
        """Say that the call never ran, or was cancelled."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.release(self.era)

    def end(self, error: BaseException | None) -> None:
        """End it as a block ends that this error leaves."""
        owner, self._owner = self._owner, None
        if owner is None:
            return
        if error is None:
            owner.succeeded(self.era, self.start)
        else:
            owner.raised(self.era, self.start, error)


class _Block:
    """A `with` block under way, and those around it in its context."""

    __slots__ = ("blocks", "frame", "outer", "permit")

    def __init__(
        self, blocks: "Blocks", frame: FrameType, permit: Permit, outer: Optional["_Block"]
    ) -> None:
        self.blocks = blocks
        #: None once the block is over: contexts are copied, and must not keep frames alive.
        self.frame: FrameType | None = frame
        self.permit = permit
        self.outer = outer


#: The innermost block of the present context.
_innermost: Final[ContextVar[_Block | None]] = ContextVar("trafficcore_breaker_block", default=None)


class Blocks:
    """The blocks of one breaker that are under way."""

    __slots__ = ("_by_frame",)

    def __init__(self) -> None:
        self._by_frame: dict[FrameType, list[_Block]] = {}

    def __len__(self) -> int:
        return sum(map(len, list(self._by_frame.values())))

    def enter(self, frame: FrameType, permit: Permit) -> None:
        """Begin a block in `frame`."""
        outer = _innermost.get()
        while outer is not None and outer.frame is None:
            outer = outer.outer
        block = _Block(self, frame, permit, outer)
        _innermost.set(block)
        blocks = self._by_frame.get(frame)
        if blocks is None:
            self._by_frame[frame] = [block]
        else:
            blocks.append(block)

    def leave(self, frame: FrameType) -> Permit:
        """End the innermost block of `frame`; return its permit."""
        blocks = self._by_frame.get(frame)
        block = blocks[-1] if blocks else self._latest_of_context()
        self._end(block)
        inner = _innermost.get()
        while inner is not None and inner.frame is None:
            inner = inner.outer
        _innermost.set(inner)
        return block.permit

    def _latest_of_context(self) -> _Block:
        block = _innermost.get()
        while block is not None:
            if block.blocks is self and block.frame is not None:
                return block
            block = block.outer
        raise RuntimeError("a breaker's block is left that was not entered here")

    def _end(self, block: _Block) -> None:
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
