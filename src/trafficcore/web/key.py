"""`Key`: how what a limit is kept by is read from a request, and how it is kept.

Callers choose how long their keys are: a long one is kept as its digest, or keys would be bounded
in number and not in memory.
"""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Final, Protocol

from trafficcore.engine import Facts
from trafficcore.errors import ConfigError

__all__ = ["LONGEST", "By", "Key", "Keys", "Read", "kept", "named"]

#: Keys up to this many characters are kept as they are.
LONGEST: Final = 128

#: One key, or several of which each pays: see `web.readings`.
Keys = str | tuple[str, ...]
Read = Callable[[Mapping[str, Any]], Keys | None]


class Key(Protocol):
    """How one key is read from the two kinds of requests; `several`: a request may have more."""

    def asgi(self) -> Read:
        """Return what reads it from a scope."""
        ...

    def wsgi(self) -> Read:
        """Return what reads it from an environ."""
        ...


#: `by=` of a limit: a key, or a function of `Facts` that returns one.
By = Key | Callable[[Facts], str | None]


def kept(key: str) -> str:
    """Return a key as it is kept: itself, or its digest."""
    if len(key) <= LONGEST:
        return key
    return "blake2b:" + blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def named(what: str, name: object) -> str:
    """Return the name of what a key is read from; `ConfigError` for what is no name."""
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{what}() takes the name of a parameter, not {name!r}")
    return name
