"""Buckets in a shared file, for tests of the law: one nameless file for all of them."""

import itertools
import tempfile
from pathlib import Path

from trafficcore.engine.guard import new_lock
from trafficcore.store import HostFile, SharedGcra, SharedKeyed

_numbers = itertools.count()
_files = {}


def temporary_file(slots, **settings):
    """A new file that has no name any more."""
    with tempfile.TemporaryDirectory() as folder:
        return HostFile(Path(folder, "limits"), slots=slots, lock=new_lock(), **settings)


def shared_gcra(capacity, rate):
    """A bucket of its own, full, made like a `Gcra`."""
    if "buckets" not in _files:
        _files["buckets"] = temporary_file(1 << 17)
    return SharedGcra(_files["buckets"], f"bucket {next(_numbers)}", capacity, rate)


def shared_keyed(capacity, rate, max_keys=100):
    """A keyed limit in a file of its own, to be closed by `machine._file.close()`."""
    return SharedKeyed(temporary_file(max_keys), capacity, rate)
