"""`Background`: a callable that may wait, asked on a thread of its own."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from trafficcore.core.discovery import Refresh, RefreshSettings
from trafficcore.discovery.inquiry import Inquiry
from trafficcore.discovery.lookup import Answer
from trafficcore.discovery.notices import Notices

__all__ = ["Background"]

_EVERY: Final = 10


class Background:
    """The endpoints that a callable returns, asked for again `every` so many seconds.

    No request waits for it: each goes by what it said last. What it raises changes nothing, and it
    is asked again after that time, doubled with each failure in a row up to `most` times it. An
    answer of no endpoints is believed at once.
    """

    def __init__(
        self, ask: Callable[[], Iterable[Any]], every: float = _EVERY, *, most: int = 8
    ) -> None:
        settings = RefreshSettings(least=every, most=every * most, without=every, jitter=0)
        self._ask = ask
        self._every = every
        self._notices = Notices()
        # one answer that holds all endpoints: none of them is an answer as well
        self._inquiry = Inquiry(
            lambda: Answer(found=(tuple(ask()),)), Refresh(settings), self._notices.tell
        )

    def __repr__(self) -> str:
        name = getattr(self._ask, "__qualname__", self._ask)
        return f"<Background {name} every {self._every:g} s>"

    @property
    def error(self) -> str:
        """What the callable raised the last time, "" where it returned."""
        return self._inquiry.error

    def snapshot(self, now: float) -> tuple[Any, ...] | None:
        """Return what the callable said last, and have it asked if that is due."""
        found = self._inquiry.look(now)
        return None if found is None else found[0]

    def next_deadline(self) -> float:
        """Return when the callable is asked again."""
        return self._inquiry.next_deadline()

    def watch(self, notice: Callable[[], None]) -> None:
        """Call `notice` when there is an answer."""
        self._notices.add(notice)

    def prepare(self, timeout: float) -> tuple[Any, ...] | None:
        """Have the callable asked now; return what it says within `timeout` seconds."""
        self._inquiry.send()
        self._inquiry.wait(timeout)
        found = self._inquiry.peek()
        return None if found is None else found[0]
