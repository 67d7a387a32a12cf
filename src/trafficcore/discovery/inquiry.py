"""`Inquiry`: one question that is asked elsewhere, so that nobody waits for its answer.

Law    whoever looks gets what is known, at once; a look that finds the answer's time over sends for
       a new one. What comes back is taken in by the next look, whom `told` asks for.
State  a `Refresh`, and what came back and nobody has looked at yet.
"""

import threading
from collections.abc import Callable
from typing import Any

from trafficcore.core.discovery import Refresh
from trafficcore.discovery.errands import ERRANDS, Errands
from trafficcore.discovery.lookup import Answer
from trafficcore.engine.guard import after_fork, new_lock

__all__ = ["Inquiry"]


class Inquiry:
    """Asks `ask`, which may wait and raise, and calls `told` when there is an answer."""

    def __init__(
        self,
        ask: Callable[[], Answer],
        refresh: Refresh,
        told: Callable[[], None],
        errands: Errands = ERRANDS,
    ) -> None:
        self._ask = ask
        self._refresh = refresh
        self._told = told
        self._errands = errands
        self._lock = new_lock()
        self._back = threading.Condition(self._lock)
        self._came: Answer | Exception | None = None
        #: What went wrong the last time, "" where nothing did.
        self.error = ""
        after_fork(self)

    def after_fork(self) -> None:
        """In a fork's child a question on its way is the parent's."""
        self._back = threading.Condition(self._lock)
        if self._came is None:
            self._refresh.lost()

    def look(self, now: float) -> Any:
        """Return what is known as of `now`, None: nothing yet; send for more if that is due."""
        refresh = self._refresh
        with self._lock:
            self._take_in(now)
            due = refresh.due(now)
            if due:
                refresh.asked(now)
        if due:
            try:
                self._errands.run(self._run)
            except RuntimeError as error:  # the process is leaving, or has no thread to spare
                with self._lock:
                    self._came = error
                    self._take_in(now)
        return refresh.answer

    def next_deadline(self) -> float:
        """Return when a look sends for a new answer."""
        return self._refresh.next_deadline()

    def send(self) -> None:
        """Ask before there is a time to go by; nothing is known yet."""
        with self._lock:
            due = not self._refresh.asking and self._refresh.answer is None
            if due:
                self._refresh.asked(None)
        if due:
            self._errands.run(self._run)

    def wait(self, timeout: float) -> bool:
        """Wait for an answer on its way, at most `timeout` seconds; return whether it is here."""
        with self._lock:
            return self._back.wait_for(
                lambda: not self._refresh.asking or self._came is not None, timeout
            )

    def peek(self) -> Any:
        """Return what is known while there is no time to go by, None: nothing yet."""
        came = self._came
        return came.found or None if isinstance(came, Answer) else self._refresh.answer

    def _run(self) -> None:
        came: Answer | Exception
        try:
            came = self._ask()
        except Exception as error:  # noqa: BLE001  # told by whoever looks next
            came = error
        with self._lock:
            self._came = came
            self._back.notify_all()
        self._told()

    def _take_in(self, now: float) -> None:
        came, self._came = self._came, None
        if came is None:
            return
        if isinstance(came, Exception):
            self.error = f"{type(came).__name__}: {came}"
            self._refresh.failed(now)
        elif came.found:
            self.error = ""
            self._refresh.answered(came.found, came.ttl, now)
        else:
            self.error = came.why
            self._refresh.nothing(came.found, came.ttl, now)
