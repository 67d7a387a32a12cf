"""Limits that all workers of a machine share, and limits of which each worker has a part.

Law     `share="host"`: one bucket, in a file of this user's own; a limit is found by its name and
        its numbers, so that workers started anew, of whatever version, meet only where they mean
        the same. `members=n`: no file; each of n workers has its part, and the parts are no more
        than the whole.
State   The files that are open, each once in a process, for as long as it lives.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final, TypeVar, cast

from trafficcore.core.limit import FASTEST_GCRA
from trafficcore.engine.guard import after_fork, new_lock
from trafficcore.errors import ConfigError
from trafficcore.live.workers import warn_of_workers

__all__ = [
    "check_shared",
    "counted",
    "counted_here",
    "part_of",
    "shared_bucket",
    "shared_class",
    "shared_keyed",
    "shared_limits",
]

T = TypeVar("T")

_SHARES: Final = ("local", "host")
#: How many limits of one user can be shared by a machine: 64 kB.
_LIMITS: Final = 4096

_lock: Final[Any] = new_lock()
_files: Final[dict[str, Any]] = {}


def counted_here(
    rate: float,
    capacity: float,
    name: str,
    share: str | None,
    members: int = 1,
    member: int | None = None,
) -> tuple[float, float]:
    """Return what `counted` does.

    Where no sharing is asked for, and there seem to be other workers, the log says that they count
    apart.
    """
    numbers = counted(rate, capacity, share, members, member)
    if share is None and members == 1:
        warn_of_workers(f"rate limit {name!r}" if name else "a rate limit")
    return numbers


def counted(
    rate: float, capacity: float, share: str | None, members: int, member: int | None
) -> tuple[float, float]:
    """Return the rate and the capacity of the bucket that this process counts in.

    A sharing that cannot work is a `ConfigError`.
    """
    _check(share)
    if share == "host":
        if members != 1:
            raise ConfigError(f'share="host" is one limit for all: members={members} divides it')
        return rate, capacity
    part = part_of(capacity, rate, members, member)
    return part[1], part[0]


def _check(share: str | None) -> None:
    if share not in (None, *_SHARES):
        raise ConfigError(f"share must be one of {', '.join(_SHARES)}, not {share!r}")


def shared_limits(share: str | None) -> Callable[[str, str, float, float], Any]:
    """Return what makes the shared buckets of an engine, whose manifests may say otherwise."""
    _check(share)

    def make(asked: str, name: str, capacity: float, rate: float) -> Any:
        if not capacity:  # refuses everything, in every process
            return None
        if (asked or share) == "host":
            check_shared(name, rate)
            return shared_bucket(name, capacity, rate)
        if not asked and share is None:
            warn_of_workers(f"rate limit {name!r}")
        return None

    return make


def check_shared(name: str, rate: float) -> None:
    """Raise `ConfigError` where no file could hold the limit."""
    if not name:
        raise ConfigError('share="host" needs a name: it is how workers find their common limit')
    if not 0 < rate <= FASTEST_GCRA:
        raise ConfigError(f"a shared rate must be above 0 and at most 1e6 a second, not {rate!r}")


def shared_class(asked: type[T], public: type, shared: type) -> type[T]:
    """Return the class to make where `share="host"` is asked of one."""
    if asked is public:
        return cast("type[T]", shared)
    if not issubclass(asked, shared):
        raise ConfigError(f'share="host" is for subclasses of {shared.__name__}, not {asked!r}')
    return asked


def shared_bucket(name: str, capacity: float, rate: float) -> Any:
    """Return the bucket that all workers of this machine know by this name and these numbers."""
    from trafficcore.store import SharedGcra

    file = _file("limits", _LIMITS)
    return SharedGcra(file, _key("limit", name, capacity, rate), capacity, rate)


def shared_keyed(name: str, capacity: float, rate: float, max_keys: int) -> Any:
    """Return the like with a bucket for each key, in a file of its own.

    It has twice the records: in a table that is half empty every key finds a place.
    """
    from trafficcore.store import SharedKeyed

    if not _whole(max_keys) or max_keys < 1:
        raise ConfigError(f"max_keys must be at least 1, not {max_keys!r}")
    key = _key(f"keyed:{max_keys}", name, capacity, rate)
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return SharedKeyed(_file(f"keyed-{digest}", 2 * max_keys), capacity, rate)


def _key(kind: str, name: str, capacity: float, rate: float) -> str:
    return f"{kind}:{float(rate)!r}:{float(capacity)!r}:{name}"


def _file(name: str, slots: int) -> Any:
    from trafficcore.store import HostFile, share_directory
    from trafficcore.store.layout import VERSION

    path = share_directory() / f"{name}-v{VERSION}"
    with _lock:
        file = _files.get(str(path))
        if file is None:
            file = _files[str(path)] = HostFile(path, slots=slots, lock=new_lock())
            after_fork(file)
    return file


def part_of(
    capacity: float, rate: float, members: int, member: int | None = None
) -> tuple[float, float]:
    """Return the `(capacity, rate)` of one of `members` workers.

    The rate is divided evenly. So is a capacity, but for whole tokens: who says which `member` he
    is, from 0, has one of those that are left over while there are any; else they stay unused. So
    the parts of all are never more than the whole. No part is a `ConfigError`.
    """
    if not _whole(members) or members < 1:
        raise ConfigError(f"members must be a whole number from 1, not {members!r}")
    if member is not None and (not _whole(member) or not 0 <= member < members):
        raise ConfigError(f"member must be a whole number from 0 to {members - 1}, not {member!r}")
    if members == 1:
        return capacity, rate
    part: float
    if _whole(capacity):
        part, left = divmod(int(capacity), members)
        part += member is not None and member < left
    else:
        part = capacity / members
    if capacity and not part:
        raise ConfigError(
            f"a capacity of {capacity!r} leaves nothing for one of {members} members; "
            'share="host" has one bucket for all of them'
        )
    return part, rate / members


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
