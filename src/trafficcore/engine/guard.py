"""The one file that knows whether there is a GIL, and the one that creates locks.

A class that claims methods exact without a lock names them in `ATOMIC`. Under the GIL it is used
as it is; elsewhere `guarded` puts a subclass in its place that takes the instance's lock around
each of them. The choice is made once, at import; `locked` forces it, for the tests.

Locks are made anew in the child of a fork: a thread that held one there no longer exists.
"""

import os
import sys
import threading
import weakref
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar, cast

__all__ = ["FREE", "after_fork", "guarded", "living", "locked", "new_lock"]

T = TypeVar("T", bound=type)
Owner = TypeVar("Owner")

#: Whether methods that keep the rule of `docs/explanation/exactness.md` are exact as they stand.
FREE: Final[bool] = (
    sys.implementation.name == "cpython" and getattr(sys, "_is_gil_enabled", lambda: True)()
)

#: One locked class for each class, however often it is asked for.
_locked: dict[type, type] = {}
_locks: "weakref.WeakSet[Any]" = weakref.WeakSet()
_after_fork: "weakref.WeakSet[Any]" = weakref.WeakSet()


def new_lock() -> Any:
    """Return a re-entrant lock that survives a fork unlocked."""
    lock = threading.RLock()
    _locks.add(lock)
    return lock


def after_fork(owner: Any) -> None:
    """Have `owner.after_fork()` called in the child of each fork, for as long as it lives."""
    _after_fork.add(owner)


def living(kind: type[Owner]) -> list[Owner]:
    """Return the instances of a class, among those that asked for `after_fork`, that are alive."""
    return [owner for owner in list(_after_fork) if isinstance(owner, kind)]


def locked(cls: T) -> T:
    """Return a subclass of `cls` that holds `self._lock` in every method `cls.ATOMIC` names."""

    def hold(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def held(self: Any, *args: Any, **kwargs: Any) -> Any:
            with self._lock:
                return method(self, *args, **kwargs)

        return held

    if cls not in _locked:
        names: tuple[str, ...] = getattr(cls, "ATOMIC", ())
        members: dict[str, Any] = {name: hold(getattr(cls, name)) for name in names}
        members |= {"__slots__": (), "__module__": cls.__module__, "__doc__": cls.__doc__}
        _locked[cls] = type(cls)(cls.__name__, (cls,), members)
    return cast("T", _locked[cls])


def guarded(cls: T, force: bool | None = None) -> T:
    """Decorate a class with `ATOMIC` methods: as it is under the GIL, `locked` elsewhere.

    `force` True or False makes the choice by hand.
    """
    return locked(cls) if (not FREE if force is None else force) else cls


#: How long a fork waits for a thread inside a lock; past that it goes on without it.
_PATIENCE: Final = 0.5
_forking = threading.local()


def _before_fork() -> None:
    """Take what locks can be had, so that the child sees no machine in mid-change."""
    patience: float = _PATIENCE
    _forking.held = held = []
    for lock in list(_locks):
        if lock.acquire(timeout=patience):
            held.append(lock)
        else:
            patience = 0


def _in_parent() -> None:
    for lock in _forking.held:
        lock.release()
    _forking.held = []


def _in_child() -> None:
    _forking.held = []
    for lock in list(_locks):
        lock._at_fork_reinit()  # noqa: SLF001  # as the standard library does for its own locks
    for owner in list(_after_fork):
        owner.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
