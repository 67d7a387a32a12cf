"""`Feed`: the source of one cluster's endpoints: when it is asked, and what it said last.

Law    one thread asks at a time, with no lock held; the others go on with what is known. A notice
       that comes while somebody asks has it asked once more. An answer that is none of endpoints
       is a failure like any other: what was known stays, and the first of a row is told.
State  the endpoints, when to ask next, how often it went wrong.
Cost   nothing between two deadlines.
"""

import weakref
from collections.abc import Callable
from math import inf, isfinite
from typing import Any, Final

from trafficcore.engine.discovery import Discovery
from trafficcore.engine.endpoints import read_endpoints
from trafficcore.engine.events import DiscoveryFailed, DiscoveryRestored, EndpointsChanged, Event
from trafficcore.engine.guard import after_fork, new_lock
from trafficcore.spec import EndpointSpec

__all__ = ["Feed"]

#: Seconds until a source is asked again that failed and does not say when.
_RETRY: Final = 5


class Feed:
    """What clusters have in the place of a list of endpoints; `wakes` are theirs, by name."""

    __slots__ = (
        "__weakref__",
        "_asking",
        "_lock",
        "_notices",
        "due",
        "endpoints",
        "error",
        "failures",
        "looks",
        "name",
        "source",
        "version",
        "wakes",
    )

    def __init__(self, name: str, source: Discovery) -> None:
        self.name = name
        self.source = source
        self.endpoints: tuple[EndpointSpec, ...] = ()
        #: Goes up with every change of the endpoints.
        self.version = 0
        #: When to ask next; `inf` while somebody does.
        self.due: float = -inf
        self.looks = 0
        self.failures = 0
        #: What went wrong the last time, "" where nothing did.
        self.error = ""
        self.wakes: dict[str, Callable[[], None]] = {}
        self._asking = False
        self._notices = 0
        self._lock = new_lock()
        source.watch(_weak(self))
        after_fork(self)

    def after_fork(self) -> None:
        """In a fork's child nobody asks: whoever did does so in the parent."""
        if self._asking:
            self._asking, self.due = False, -inf

    def prepare(self, timeout: float) -> None:
        """Have a source that nobody has asked yet find out what it can, within `timeout` seconds.

        What it knows then is there for the first request, and for those that come with it. Raises
        what the source raises.
        """
        prepare = getattr(self.source, "prepare", None)
        if prepare is None or self.looks:
            return
        found = prepare(timeout)
        if found is not None:
            self.endpoints = read_endpoints(self.name, found)
            self.version += 1

    def notice(self) -> None:
        """Have the source asked by the next request."""
        with self._lock:
            self._notices += 1
            if not self._asking:
                self.due = -inf
        for wake in list(self.wakes.values()):
            wake()

    def look(self, now: float) -> list[Event]:
        """Ask the source if that is due and nobody does; return what there is to tell of it.

        No lock may be held by the caller: the source is somebody else's code.
        """
        with self._lock:
            if now < self.due:  # which is never, while somebody asks
                return []
            self._asking, self.due = True, inf
            notices = self._notices
        due = now + _RETRY
        try:
            events, due = self._ask(now)
        finally:
            with self._lock:
                self._asking = False
                self.looks += 1
                self.due = due if notices == self._notices else -inf
        if len(self.wakes) > 1:  # the others see what has changed, and when to look again
            for wake in list(self.wakes.values()):
                wake()
        return events

    def _ask(self, now: float) -> tuple[list[Event], float]:
        known = self.endpoints
        try:
            found = self.source.snapshot(now)
            if found is not None:
                known = read_endpoints(self.name, found)
            due = self.source.next_deadline()
            error = str(getattr(self.source, "error", ""))
        except Exception as problem:  # noqa: BLE001  # traffic goes on with what is known
            error = f"{type(problem).__name__}: {problem}"
            due, known = self._after_failure(now), self.endpoints
        return [*self._note(error, now), *self._change(known, now)], due

    def _note(self, error: str, now: float) -> list[Event]:
        """Keep what is wrong; tell the first failure of a row, and the first success after it."""
        before, self.error = self.error, error
        if not error:
            return [DiscoveryRestored(now, self.name)] if before else []
        self.failures += 1
        return [] if before else [DiscoveryFailed(now, self.name, error)]

    def _change(self, known: tuple[EndpointSpec, ...], now: float) -> list[Event]:
        """Take other endpoints on, and say which."""
        before, self.endpoints = self.endpoints, known
        if known == before:
            return []
        self.version += 1
        old, new = ([endpoint.address for endpoint in some] for some in (before, known))
        joined = tuple(address for address in new if address not in set(old))
        left = tuple(address for address in old if address not in set(new))
        return [EndpointsChanged(now, self.name, joined, left)]

    def _after_failure(self, now: float) -> float:
        """Return when to ask a source again that has failed: as it says, but not at once."""
        try:
            due = self.source.next_deadline()
        except Exception:  # noqa: BLE001  # as above
            return now + _RETRY
        return due if due > now else now + _RETRY

    def snapshot(self) -> dict[str, Any]:
        """Return what there is to see, as plain data."""
        return {
            "source": repr(self.source),
            "looks": self.looks,
            "failures": self.failures,
            "error": self.error,
            "next": self.due if isfinite(self.due) else None,
        }


def _weak(feed: Feed) -> Callable[[], None]:
    """Return a notice that does nothing once the feed is gone, and does not keep it."""
    known = weakref.ref(feed)

    def notice() -> None:
        alive = known()
        if alive is not None:
            alive.notice()

    return notice
