"""The body of a response of httpx2 or httpx: passed through untouched, its end noted."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from math import inf
from typing import Any, Final

from trafficcore.web.call import Call

__all__ = ["EXTENSION", "AsyncBody", "Body"]

#: Where a response carries its permit, or the rejection it stands for.
EXTENSION: Final = "trafficcore"


class Body:
    """The body of a response: passed through untouched, its end noted.

    `late` makes the error of a body that is still coming when its call's time is over.
    """

    late: Callable[[], Exception]

    def __init__(self, body: Any, call: Call) -> None:
        self._body = body
        self._call = call

    def __iter__(self) -> Iterator[bytes]:
        call = self._call
        try:
            if call.deadline == inf:
                yield from self._body
            else:
                for chunk in self._body:
                    call.check(self.late)
                    yield chunk
        except GeneratorExit:  # closed in mid-body: `close` is on its way
            raise
        except BaseException as error:
            self._call.failed(error)
            raise
        self._call.finish()

    def close(self) -> None:
        """Close the body, whether it was read or not."""
        try:
            self._body.close()
        finally:
            self._call.finish()

    def __del__(self) -> None:
        self._call.dropped()


class AsyncBody:
    """The same for an asynchronous body."""

    late: Callable[[], Exception]

    def __init__(self, body: Any, call: Call) -> None:
        self._body = body
        self._call = call

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = self._body.__aiter__()
        try:
            async for chunk in chunks:
                self._call.check(self.late)
                yield chunk
        except GeneratorExit:  # closed in mid-body: `aclose` is on its way
            raise
        except BaseException as error:
            self._call.failed(error)
            raise
        finally:
            # one that was left in mid-step, by a loop that is torn down, cannot be closed
            if isinstance(chunks, AsyncGenerator) and not getattr(chunks, "ag_running", False):
                await chunks.aclose()
        self._call.finish()

    async def aclose(self) -> None:
        """Close the body, whether it was read or not."""
        try:
            await self._body.aclose()
        finally:
            self._call.finish()

    def __del__(self) -> None:
        self._call.dropped()
