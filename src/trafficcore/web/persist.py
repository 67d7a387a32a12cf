"""A call that is tried again: send, wait, ask to be let in again, until an answer is the answer.

Law    an answer that is tried again is held until the next try is let in: if it is not, that
       answer, or that error, is what the caller gets. What is held is closed whatever happens.
       A small one is held in memory: its connection serves others while this call waits.
       There is no moment at which a permit is in nobody's hands.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from trafficcore.web.call import Call
from trafficcore.web.client_gate import Gate
from trafficcore.web.httpx_library import Library
from trafficcore.web.tries import Tries

__all__ = ["persist", "persist_async", "within"]

#: Bytes of an answer up to which it is held in memory.
_SMALL: Final = 65536
_DIGITS: Final = 5


def _is_small(response: Any) -> bool:
    length: str = response.headers.get("content-length", "")
    return length.isdecimal() and len(length) <= _DIGITS and int(length) <= _SMALL


def persist(
    gate: Gate,
    tries: Tries,
    permit: Any,
    send: Callable[[Call, float | None], Any],
    keep: Callable[[Any], None],
    discard: Callable[[Any], None],
    sleep: Callable[[float], object],
) -> Any:
    """Make a call by `send`, which returns a response that tells its call how it goes on.

    `permit` is that of the first try; `send` also gets the seconds that a try may take. `keep`
    takes the body of an answer into memory.
    """
    held: Any = None
    error: BaseException | None = None
    try:
        while True:
            call = tries.begin(permit)
            try:
                if held is not None:
                    discard(held)
                    held = None
                held = send(call, tries.allowed())
                error = None
                wait = tries.answered(call, held.status_code, held.headers)
            except BaseException as raised:
                wait = tries.failed(call, call.failed(raised))
                if wait is None:
                    raise
                error = raised
            if wait is not None:
                if held is not None and _is_small(held):
                    error = _kept(held, keep)
                sleep(wait)
                permit = gate.readmit(tries)
                if tries.goes_on(permit):
                    continue
                if error is not None:
                    raise error
            answer, held = held, None
            return answer
    finally:
        tries.end()
        error = None  # or the frame would hold it, and it the frame
        if held is not None:
            discard(held)


async def persist_async(
    gate: Gate,
    tries: Tries,
    permit: Any,
    send: Callable[[Call, float | None], Awaitable[Any]],
    keep: Callable[[Any], Awaitable[None]],
    discard: Callable[[Any], Awaitable[None]],
    sleep: Callable[[float], Awaitable[object]],
) -> Any:
    """Do the same in a loop; a call may be cancelled at any of its awaits."""
    held: Any = None
    error: BaseException | None = None
    try:
        while True:
            call = tries.begin(permit)
            try:
                if held is not None:
                    await discard(held)
                    held = None
                held = await send(call, tries.allowed())
                error = None
                wait = tries.answered(call, held.status_code, held.headers)
            except BaseException as raised:
                wait = tries.failed(call, call.failed(raised))
                if wait is None:
                    raise
                error = raised
            if wait is not None:
                if held is not None and _is_small(held):
                    error = await _kept_async(held, keep)
                await sleep(wait)
                permit = await gate.readmit_async(tries)
                if tries.goes_on(permit):
                    continue
                if error is not None:
                    raise error
            answer, held = held, None
            return answer
    finally:
        tries.end()
        error = None  # or the frame would hold it, and it the frame
        if held is not None:
            await discard(held)


async def within(library: Library, sending: Awaitable[Any], most: float) -> Any:
    """Await an answer's beginning for so many seconds, and raise the library's timeout after it.

    In another kind of loop than asyncio's nothing of ours can interrupt it: there only its waits
    are bounded.
    """
    try:
        bound = asyncio.timeout(most)
    except RuntimeError:
        return await sending
    try:
        async with bound:
            return await sending
    except TimeoutError as error:
        if bound.expired():
            raise library.timed_out() from error
        raise


def _kept(held: Any, keep: Callable[[Any], None]) -> Exception | None:
    """Return what a reader of the answer would have had instead, None where it is whole."""
    try:
        keep(held)
    except Exception as error:  # noqa: BLE001
        return error
    return None


async def _kept_async(held: Any, keep: Callable[[Any], Awaitable[None]]) -> Exception | None:
    try:
        await keep(held)
    except Exception as error:  # noqa: BLE001
        return error
    return None
