"""What a breaker's moves are told to: the log, and a listener.

Law     Outside the lock, in order, one thread at a time: who finds another at it leaves his news
        with him. A listener that raises is logged and changes nothing.
Source  the reference's rules R2 and R30.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

import attrs

from trafficcore.core.breaker import Breaker, Change, Exceeded, Mistake, State
from trafficcore.engine.guard import after_fork
from trafficcore.live.functions import check_plain

__all__ = ["Teller"]

_log: Final = logging.getLogger("trafficcore.breaker")
_REFUSING: Final = frozenset({State.OPEN, State.FORCED_OPEN})


class Teller:
    """Takes a machine's news to the log and to `listener`."""

    __slots__ = (
        "__weakref__",
        "_listener",
        "_lock",
        "_machine",
        "_name",
        "_telling",
        "_whose",
    )

    def __init__(
        self, machine: Breaker, lock: Any, name: str, listener: Callable[[Change], None] | None
    ) -> None:
        if listener is not None:
            check_plain("on_change", listener)
        self._machine = machine
        self._lock = lock
        self._whose = name
        self._name = name or "(unnamed)"
        self._listener = listener
        self._telling = False
        after_fork(self)

    def after_fork(self) -> None:
        """In a fork's child: who was at it is so in the parent."""
        self._telling = False

    def tell(self) -> None:
        """Tell what has happened, until nothing is left."""
        while True:
            with self._lock:
                if self._telling:
                    return
                signals, changes = self._machine.take_signals(), self._machine.take_changes()
                if not signals and not changes:
                    return
                self._telling = True
            try:
                for signal in signals:
                    self._tell_signal(signal)
                for change in changes:
                    self._tell_change(change)
            finally:
                self._telling = False

    def _tell_signal(self, signal: Exceeded | Mistake) -> None:
        if isinstance(signal, Mistake):
            _log.error("breaker %s: how long to open: %s", self._name, signal.error)
            return
        counts = signal.counts
        _log.warning(
            "breaker %s would have tripped: %s (%d errors, %d slow of %d)",
            *(self._name, signal.rule, counts.errors, counts.slow, counts.total),
        )

    def _tell_change(self, change: Change) -> None:
        counts = change.counts
        level = logging.WARNING if change.to in _REFUSING else logging.INFO
        until = "" if change.until is None else f", for {change.until - change.at:.3g} s"
        _log.log(
            level,
            "breaker %s: %s to %s: %s (%d errors, %d slow of %d)%s",
            *(self._name, change.from_.value, change.to.value, change.reason),
            *(counts.errors, counts.slow, counts.total, until),
        )
        if self._listener is not None:
            try:
                self._listener(attrs.evolve(change, breaker=self._whose))
            except Exception:  # noqa: BLE001  # the call must not pay for its listener
                _log.exception("breaker %s: its listener raised", self._name)
