"""Every error trafficcore raises, as one tree: catch `TrafficError` and nothing of ours escapes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trafficcore.manifest.problems import Problem

__all__ = [
    "ConfigError",
    "ImpossibleCost",
    "ManifestError",
    "Rejected",
    "StoreError",
    "TrafficError",
]


class TrafficError(Exception):
    """The root of the tree."""


class ConfigError(TrafficError, ValueError):
    """A setting that cannot work, told at construction with its value."""


class ImpossibleCost(ConfigError):  # noqa: N818  # what it is, as `Rejected`
    """More was asked for at once than a limit ever has: waiting would not help."""


class ManifestError(ConfigError):
    """One or more faults in manifests: all of them, each with its place.

    `problems` holds a `trafficcore.manifest.Problem` for each; the text has one line for each.
    """

    def __init__(self, problems: "Sequence[Problem]") -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problems,)


class StoreError(TrafficError):
    """A limit that should be shared by the workers of a machine cannot be; told with the place."""


class Rejected(TrafficError):  # noqa: N818  # a verdict, and the name people catch
    """A call was refused by policy, raised only where a refusal cannot be returned as a value.

    `reason` is a `trafficcore.Reason`, `retry_after` the seconds until it is worth coming back
    (None: unknown), `source` what refused: the rule, or the limiter's or breaker's name.
    """

    def __init__(self, reason: Any, *, source: str = "", retry_after: float | None = None) -> None:
        self.reason = reason
        self.source = source
        self.retry_after = retry_after
        super().__init__(self._text())

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_again, (type(self), self.args), vars(self)

    def _text(self) -> str:
        where = f" by {self.source}" if self.source else ""
        when = "" if self.retry_after is None else f"; retry in {self.retry_after:.3g} s"
        return f"{self.reason.value}{where}{when}"


def _made_again(kind: type[Rejected], args: tuple[Any, ...]) -> Rejected:
    """Return a refusal that was pickled or copied, before its attributes are put back."""
    again = kind.__new__(kind)
    again.args = args
    return again
