"""What the end of a call says of the service: which exceptions and results are errors.

Law     `ignore` first: it counts for nothing. Then `errors`: what it does not name came back as
        the service meant it to, and is a success. A result may be an error too. What is no
        `Exception` is no verdict, but for a cancelled call where that was asked for.
State   the errors there were by kind: how many, the last one's text and time; kinds beyond a bound
        are counted as one. No exception is kept: it would keep its frames.
Source  rule R6, and what users ask for: the last error, and a timeout told from a cancellation.
"""

from collections.abc import Callable
from typing import Any, Final, Literal

from trafficcore.errors import ConfigError
from trafficcore.live.breaker_config import Ignored, read_exceptions
from trafficcore.outcome import Outcome

__all__ = ["Errors", "Judge"]

#: As the loops call it whose tasks can be cancelled.
_CANCELLED: Final = frozenset({"CancelledError", "Cancelled"})
_KINDS: Final = 20
_OTHERS: Final = "(others)"
_LONGEST: Final = 200


class Judge:
    """What `ignore`, `errors`, `bad_result` and `cancelled` say together."""

    __slots__ = ("_cancelled", "_errors", "_ignores", "bad_result")

    def __init__(
        self,
        ignore: Ignored,
        errors: Ignored,
        bad_result: Callable[[Any], bool] | None,
        cancelled: Literal["release", "error"],
    ) -> None:
        if cancelled not in ("release", "error"):
            raise ConfigError(f"cancelled must be 'release' or 'error', not {cancelled!r}")
        if bad_result is not None and not callable(bad_result):
            raise ConfigError(f"bad_result must be a predicate, not {bad_result!r}")
        self._ignores = read_exceptions("ignore", ignore)
        self._errors = None if errors is None else read_exceptions("errors", errors)
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


class Errors:
    """The errors of a breaker's calls, by kind; its owner holds a lock."""

    __slots__ = ("_kinds", "last")

    def __init__(self) -> None:
        self._kinds: dict[str, dict[str, Any]] = {}
        #: The last one as text; "" before there was one.
        self.last = ""

    def note(self, kind: str, text: str, now: float) -> None:
        """Count one."""
        if len(text) > _LONGEST:
            text = f"{text[:_LONGEST]}…"
        self.last = f"{kind}: {text}" if text else kind
        if kind not in self._kinds and len(self._kinds) >= _KINDS:
            kind = _OTHERS
        count = self._kinds.get(kind, {"count": 0})["count"]
        self._kinds[kind] = {"count": count + 1, "last": text, "at": now}

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Return them as plain data."""
        return {kind: dict(seen) for kind, seen in self._kinds.items()}
