"""How many are left, in headers: the IETF's `RateLimit` fields, or Envoy's `x-ratelimit-*`.

`ietf`   RateLimit-Policy names each limit with its quota and window, RateLimit what is left and in
         how many seconds there is one more (draft-ietf-httpapi-ratelimit-headers-10; structured
         fields, RFC 9651). A bucket that fills all the time has no window: it is the time in which
         an empty one fills.
`envoy`  x-ratelimit-limit, -remaining and -reset of the tightest limit (draft 03, as Envoy sends).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from trafficcore.errors import ConfigError
from trafficcore.live.limits import Bound

__all__ = ["KINDS", "Rows", "writer"]

KINDS: Final = ("none", "ietf", "envoy")

#: Header names and values, ready for ASGI.
Rows = list[tuple[bytes, bytes]]
Met = Sequence[tuple[Bound, str, float]]


def writer(kind: str) -> Callable[[Met, float], Rows] | None:
    """Return what writes the headers of the limits that a request met; None for `none`."""
    if kind not in KINDS:
        raise ConfigError(f"headers must be one of {', '.join(KINDS)}, not {kind!r}")
    return {"ietf": _ietf, "envoy": _envoy}.get(kind)


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def policy(bound: Bound) -> str:
    """Return a limit as an item of RateLimit-Policy."""
    window = f";w={bound.window}" if bound.window else ""
    return f"{_quoted(bound.name)};q={int(bound.capacity)}{window}"


def _left(bound: Bound, key: str, now: float) -> str:
    wait = bound.next_token(key, now)
    reset = "" if wait is None else f";t={wait}"
    return f"{_quoted(bound.name)};r={bound.whole_tokens(key, now)}{reset}"


def _ietf(met: Met, now: float) -> Rows:
    if not met:
        return []
    return [
        (b"ratelimit-policy", _joined(policy(bound) for bound, _, _ in met)),
        (b"ratelimit", _joined(_left(bound, key, now) for bound, key, _ in met)),
    ]


def _joined(items: Iterable[str]) -> bytes:
    return ", ".join(items).encode("ascii")


def _envoy(met: Met, now: float) -> Rows:
    if not met:
        return []
    left, bound, key = min(
        ((bound.whole_tokens(key, now), bound, key) for bound, key, _ in met),
        key=lambda row: row[0],
    )
    reset = 0 if left else bound.next_token(key, now) or 0
    return [
        (b"x-ratelimit-limit", b"%d" % int(bound.capacity)),
        (b"x-ratelimit-remaining", b"%d" % left),
        (b"x-ratelimit-reset", b"%d" % reset),
    ]
