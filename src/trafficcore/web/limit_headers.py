"""How many are left, in headers: the IETF's `RateLimit` fields, or Envoy's `x-ratelimit-*`.

`ietf`   RateLimit-Policy names each limit with its quota and window, RateLimit what is left and in
         how many seconds there is one more (draft-ietf-httpapi-ratelimit-headers-10; structured
         fields, RFC 9651). A bucket that fills all the time has no window: it is the time in which
         an empty one fills.
`envoy`  x-ratelimit-limit, -remaining and -reset of the tightest limit (draft 03, as Envoy sends).
"""

from collections.abc import Callable, Sequence
from typing import Final

from trafficcore.errors import ConfigError
from trafficcore.live.limits import Bound

__all__ = ["KINDS", "NAMES", "Rows", "label", "writer"]

KINDS: Final = ("none", "ietf", "envoy")

#: Every name that is written here.
NAMES: Final = frozenset(
    (
        "ratelimit",
        "ratelimit-policy",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    )
)

#: Header names and values; text that is ASCII.
Rows = list[tuple[str, str]]
Met = Sequence[tuple[Bound, str, float]]


def writer(kind: str) -> Callable[[Met, float], Rows] | None:
    """Return what writes the headers of the limits that a request met; None for `none`."""
    if kind not in KINDS:
        raise ConfigError(f"headers must be one of {', '.join(KINDS)}, not {kind!r}")
    return {"ietf": _ietf, "envoy": _envoy}.get(kind)


def label(bound: Bound) -> None:
    """Work out once what a limit is called in these fields."""
    escaped = bound.name.replace("\\", "\\\\").replace('"', '\\"')
    window = f";w={bound.window}" if bound.window else ""
    bound.item = f'"{escaped}"'
    bound.policy = f"{bound.item};q={int(bound.capacity)}{window}"


def _left(bound: Bound, key: str, now: float) -> str:
    left, wait = bound.left(key, now)
    return f"{bound.item};r={left}" if wait is None else f"{bound.item};r={left};t={wait}"


def _ietf(met: Met, now: float) -> Rows:
    if len(met) == 1:  # the usual case, flat
        bound, key, _ = met[0]
        return [("ratelimit-policy", bound.policy), ("ratelimit", _left(bound, key, now))]
    if not met:
        return []
    policies = ", ".join([bound.policy for bound, _, _ in met])
    left = ", ".join([_left(bound, key, now) for bound, key, _ in met])
    return [("ratelimit-policy", policies), ("ratelimit", left)]


def _envoy(met: Met, now: float) -> Rows:
    if not met:
        return []
    (left, wait), bound = _tightest(met, now)
    return [
        ("x-ratelimit-limit", str(int(bound.capacity))),
        ("x-ratelimit-remaining", str(left)),
        ("x-ratelimit-reset", "0" if left else str(wait or 0)),
    ]


def _tightest(met: Met, now: float) -> tuple[tuple[int, int | None], Bound]:
    if len(met) == 1:
        bound, key, _ = met[0]
        return bound.left(key, now), bound
    rows = [(bound.left(key, now), bound) for bound, key, _ in met]
    return min(rows, key=lambda row: row[0][0])
