"""How many are left, in headers: the IETF's `RateLimit` fields, or Envoy's `x-ratelimit-*`.

`ietf`   RateLimit-Policy names each limit with its quota and window, RateLimit what is left and in
         how many seconds there is one more (draft-ietf-httpapi-ratelimit-headers-10; structured
         fields, RFC 9651). A bucket that fills all the time has no window: it is the time in which
         an empty one fills.
`envoy`  x-ratelimit-limit, -remaining and -reset of the tightest limit (draft 03, as Envoy sends).

Cost     Where a request met one limit, as most do: a look at its bucket, and one at what was said
         of that level before. A limit has few levels, so few texts are ever made.
"""

from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Final

from trafficcore.errors import ConfigError
from trafficcore.live.gauge import Gauge

__all__ = ["KINDS", "NAMES", "RawRows", "Rows", "label", "teller", "writer"]

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
RawRows = list[tuple[bytes, bytes]]
Met = Sequence[tuple[Gauge, str, float]]
#: The limits that a request met, each with what is left of it.
Levels = list[tuple[Gauge, tuple[int, int | None]]]

#: The greatest integer that a structured field can hold (RFC 9651).
_MOST: Final = 999_999_999_999_999
#: Texts remembered of one limit.
_MEMO: Final = 4096


def writer(kind: str) -> Callable[[Met, float], Rows] | None:
    """Return what writes the headers of the limits that a request met; None for `none`."""
    words = _words(kind)
    return None if words is None else lambda met, now: words(_levels(met, now))


def teller(kind: str, *, raw: bool) -> Callable[[Met, float], Any] | None:
    """Return what does the same from memory: `RawRows` or `Rows`, shared, so not to be changed."""
    words = _words(kind)
    if words is None:
        return None
    form: Callable[[Rows], Any] = _encoded if raw else list
    memo = f"{kind} {form.__name__}"

    def tell(met: Met, now: float) -> Any:
        if len(met) != 1:
            return form(words(_levels(met, now)))
        bound, key, _ = met[0]
        left = bound.left(key, now)
        try:
            return bound.told[memo][left]
        except KeyError:
            told = bound.told.setdefault(memo, {})
            if len(told) >= _MEMO:
                told.clear()
            rows = told[left] = form(words([(bound, left)]))
            return rows

    return tell


def _words(kind: str) -> Callable[[Levels], Rows] | None:
    if kind not in KINDS:
        raise ConfigError(f"headers must be one of {', '.join(KINDS)}, not {kind!r}")
    return {"ietf": _ietf, "envoy": _envoy}.get(kind)


def _levels(met: Met, now: float) -> Levels:
    """Return what is left of each limit: of one that has several keys, by the emptiest of them."""
    levels: dict[Gauge, tuple[int, int | None]] = {}
    for bound, key, _ in met:
        left = bound.left(key, now)
        if bound not in levels or _waits(left) > _waits(levels[bound]):
            levels[bound] = left
    return list(levels.items())


def _waits(left: tuple[int, int | None]) -> tuple[int, float]:
    """Order levels by how few tokens are left, and then by how long it takes until there are."""
    whole, wait = left
    return -whole, inf if wait is None else wait


def _encoded(rows: Rows) -> RawRows:
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in rows]


def label(bound: Gauge) -> None:
    """Work out once what a limit is called in these fields."""
    escaped = bound.name.replace("\\", "\\\\").replace('"', '\\"')
    window = f";w={_told(bound.window)}" if bound.window else ""
    bound.item = f'"{escaped}"'
    bound.policy = f"{bound.item};q={_told(bound.capacity)}{window}"


def _told(amount: float) -> int:
    return int(amount) if amount < _MOST else _MOST


def _ietf(levels: Levels) -> Rows:
    if not levels:
        return []
    policies = ", ".join([bound.policy for bound, _ in levels])
    left = ", ".join([_item(bound, *left) for bound, left in levels])
    return [("ratelimit-policy", policies), ("ratelimit", left)]


def _item(bound: Gauge, left: int, wait: int | None) -> str:
    rest = "" if wait is None else f";t={_told(wait)}"
    return f"{bound.item};r={_told(left)}{rest}"


def _envoy(levels: Levels) -> Rows:
    if not levels:
        return []
    bound, (left, wait) = min(levels, key=lambda level: level[1][0])
    rows = [
        ("x-ratelimit-limit", str(_told(bound.capacity))),
        ("x-ratelimit-remaining", str(_told(left))),
    ]
    if left or wait is not None:  # else it never fills, and there is no time to name
        rows.append(("x-ratelimit-reset", "0" if left else str(_told(wait or 0))))
    return rows
