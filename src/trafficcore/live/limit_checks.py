"""What a `Limit` cannot be, told when it is written down."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from trafficcore.core.limit import KeyedGcra
from trafficcore.errors import ConfigError
from trafficcore.live.functions import check_by, check_function
from trafficcore.live.patterns import patterns
from trafficcore.live.rates import read_rate
from trafficcore.live.sharing import check_shared, counted

if TYPE_CHECKING:
    from trafficcore.live.limits import Limit

__all__ = ["check_limit", "header_pairs", "is_token"]

#: A name goes into a header as a string: printable ASCII.
_NAME: Final = re.compile(r"[ -~]+\Z")
#: A header's own name is a token (RFC 9110, section 5.6.2).
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")


def is_token(text: str) -> bool:
    """Say whether a header can have this name."""
    return _TOKEN.match(text) is not None


def header_pairs(given: Any) -> tuple[tuple[str, str], ...]:
    """Take headers as a mapping or as pairs; anything else is a `ConfigError`."""
    try:
        pairs = tuple(given.items() if isinstance(given, Mapping) else given)
    except TypeError as error:
        message = f"headers must be a mapping or pairs of texts, not {given!r}"
        raise ConfigError(message) from error
    for pair in pairs:
        if not (isinstance(pair, tuple) and [type(part) for part in pair] == [str, str]):
            raise ConfigError(f"headers must be a mapping or pairs of texts, not {pair!r}")
        if any(mark in part for part in pair for mark in "\r\n\0"):
            raise ConfigError(f"a header must be one line, not {pair!r}")
        if not is_token(pair[0]):
            raise ConfigError(f"a header's name must be letters, digits and -, not {pair[0]!r}")
    return pairs


def check_limit(limit: "Limit") -> None:
    """Raise `ConfigError` for the first thing about it that cannot be."""
    _check_requests(limit)
    _check_answer(limit)
    for what in ("enabled", "enforced"):
        percent = getattr(limit, what)
        if not isinstance(percent, (int, float)) or not 0 <= percent <= 100:
            raise ConfigError(f"{what} must be a percentage from 0 to 100, not {percent!r}")
    capacity = _check_bucket(limit)
    cost = limit.cost
    if callable(cost):
        check_function("cost", cost)
    elif not isinstance(cost, (int, float)):
        raise ConfigError(f"cost must be a number or a function, not {cost!r}")
    elif not 0 < cost <= capacity and capacity:
        raise ConfigError(f"cost must be above 0 and at most {capacity}, not {cost!r}")


def _check_requests(limit: "Limit") -> None:
    if limit.by is not None:
        check_by(limit.by)
    for what, given in (("on", limit.on), ("exempt", limit.exempt)):
        if callable(given):
            check_function(what, given)
        elif what == "on" or given is not None:
            patterns(given, what)


def _check_answer(limit: "Limit") -> None:
    name, status = limit.name, limit.status
    if not isinstance(name, str) or (name and not _NAME.match(name)):
        raise ConfigError(f"a limit's name must be printable ASCII, not {name!r}")
    if not isinstance(status, int) or not 400 <= status <= 599:
        raise ConfigError(f"a refusal's status must be from 400 to 599, not {status!r}")
    if not isinstance(limit.body, str):
        raise ConfigError(f"a refusal's body must be a text, not {limit.body!r}")


def _check_bucket(limit: "Limit") -> float:
    """Return the capacity of the bucket that this process will have."""
    if not isinstance(limit.max_keys, (int, float)) or not limit.max_keys >= 1:
        raise ConfigError(f"max_keys must be at least 1, not {limit.max_keys!r}")
    if limit.known is not None:
        check_function("known", limit.known)
        if limit.share == "host":
            raise ConfigError('known goes with buckets of this process, not with share="host"')
    numbers = read_rate(limit.rate, limit.capacity)
    rate, capacity = counted(*numbers, limit.share, limit.members, limit.member)
    if limit.share == "host":
        check_shared(limit.name, rate)
    elif limit.by is not None:
        KeyedGcra(capacity, rate)  # says what a key's bucket cannot be
    return capacity
