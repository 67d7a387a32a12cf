"""What the end of a call says of the service: which exceptions and results are errors.

Law     `ignore` first: it counts for nothing. Then `errors`: what it does not name came back as
        the service meant it to, and is a success. A result may be an error too. What is no
        `Exception` is no verdict, but for a cancelled call where that was asked for.
State   the errors there were by kind: how many, the last one's text and time; kinds beyond a bound
        are counted as one. No exception is kept: it would keep its frames.
Cost    a known kind of error takes no lock.
Source  rule R6, and what users ask for: the last error, and a timeout told from a cancellation.
"""

from collections.abc import Callable
from reprlib import Repr
from typing import Any, ClassVar, Final, Literal

from trafficcore.engine.guard import guarded
from trafficcore.errors import ConfigError
from trafficcore.live.breaker_config import Ignored, read_exceptions
from trafficcore.live.functions import check_plain
from trafficcore.outcome import Outcome

__all__ = ["Errors", "Judge", "name_of", "shown"]

#: As the loops call it whose tasks can be cancelled.
_CANCELLED: Final = frozenset({"CancelledError", "Cancelled"})
_KINDS: Final = 20
_OTHERS: Final = "(others)"
_LONGEST: Final = 200
_SHORT: Final = Repr()
_SHORT.maxstring = _SHORT.maxother = _LONGEST


class Judge:
    """What `ignore`, `errors`, `bad_result` and `cancelled` say together."""

    __slots__ = ("_cancelled", "_errors", "_ignores", "bad_result", "plain")

    def __init__(
        self,
        ignore: Ignored,
        errors: Ignored,
        bad_result: Callable[[Any], bool] | None,
        cancelled: Literal["release", "error"],
    ) -> None:
        if cancelled not in ("release", "error"):
            raise ConfigError(f"cancelled must be 'release' or 'error', not {cancelled!r}")
        if bad_result is not None:
            check_plain("bad_result", bad_result)
        self._ignores = read_exceptions("ignore", ignore)
        self._errors = None if errors is None else read_exceptions("errors", errors)
        #: Whether every `Exception` is an error.
        self.plain = ignore is None and errors is None
        self._cancelled = Outcome.FAILURE if cancelled == "error" else Outcome.CANCELLED
        #: Says of a result whether it is an error; None: no result is.
        self.bad_result = bad_result

    def outcome(self, error: BaseException) -> Outcome:
        """Say what an exception means; whatever a predicate raises goes on."""
        if not isinstance(error, Exception):
            named = type(error).__name__ in _CANCELLED
            return self._cancelled if named else Outcome.CANCELLED
        if self._ignores(error):
            return Outcome.IGNORED
        if self._errors is None or self._errors(error):
            return Outcome.FAILURE
        return Outcome.SUCCESS


class _Kind:
    """The errors of one kind: how many, the last one's text and time."""

    __slots__ = ("at", "count", "last")

    def __init__(self) -> None:
        self.count = 0
        self.last = ""
        self.at: float = 0


@guarded
class Errors:
    """The errors of a breaker's calls, by kind: a class of exceptions, or a word."""

    ATOMIC: ClassVar[tuple[str, ...]] = ("note",)
    __slots__ = ("_kinds", "_lock", "last")

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._kinds: dict[type | str, _Kind] = {}
        #: Kind and text of the last one; "" and "" before there was one.
        self.last: tuple[type | str, str] = ("", "")

    def note(self, kind: type | str, what: object, now: float) -> None:
        """Count one, and keep its text. *Atomic*."""
        try:
            text = str(what)
        except Exception:  # noqa: BLE001  # it is not what the call is about
            text = ""
        if len(text) > _LONGEST:
            text = _shortened(text)
        last = kind, text
        seen = self._kinds.get(kind) or self._add(kind)
        self.last = last
        seen.count += 1
        seen.last = text
        seen.at = now

    def _add(self, kind: type | str) -> _Kind:
        with self._lock:
            kinds = self._kinds
            if kind not in kinds and len(kinds) >= _KINDS:
                kind = _OTHERS
            return kinds.setdefault(kind, _Kind())

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Return them by name, as plain data."""
        with self._lock:
            kinds = dict(self._kinds)
        shown: dict[str, dict[str, Any]] = {}
        for kind, seen in sorted(kinds.items(), key=lambda item: item[1].at):
            own = shown.setdefault(name_of(kind), {"count": 0})
            own["count"] += seen.count
            own["last"], own["at"] = seen.last, seen.at
        return shown


def _shortened(text: str) -> str:
    return f"{text[:_LONGEST]}…"


def shown(result: object) -> str:
    """Return a result as text, so much of it as is kept: it may be large."""
    return _SHORT.repr(result)


def name_of(kind: type | str) -> str:
    """Return what a kind of error is called."""
    return kind if isinstance(kind, str) else kind.__name__
