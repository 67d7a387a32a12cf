"""`File`: endpoints from a file, read again when it has changed.

Law    once `every` so many seconds the request that finds it due asks the file system what the file
       is (its inode, size and time); if that is not what it was, the file is read. So a change is
       seen within that time, a rename onto the file like a write, and a mounted ConfigMap, whose
       `..data` is renamed, like both. A file that changed is read at the next look as well: a clock
       that ticks slowly gives two writes one time.
       No thread and no watcher: a look costs a system call a second, and a watcher would cost a
       thread in each worker, and see nothing on network file systems.
"""

import os
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any, Final

from trafficcore.errors import ConfigError, ManifestError
from trafficcore.spec import EndpointSpec

__all__ = ["File"]

_EVERY: Final = 1


class File:
    """The endpoints that a file lists; see `trafficcore.manifest.endpoints_file` for its form.

    A file that is not there or has a fault keeps `Engine.load` from loading; later on it changes
    nothing until it is right again. Write it beside and rename it: then nobody sees half of it.
    """

    def __init__(self, path: "str | os.PathLike[str]", every: float = _EVERY) -> None:
        if not every > 0:
            raise ConfigError(f"every must be seconds above 0, not {every!r}")
        self._path = Path(path)
        self._every = every
        self._due: float = -inf
        self._seen: Any = None
        self._settled = False
        self._known: tuple[EndpointSpec, ...] | None = None
        #: Every fault of the file as it is now, "" where it has none.
        self.error = ""

    def __repr__(self) -> str:
        return f"<File {self._path}>"

    def snapshot(self, now: float) -> tuple[EndpointSpec, ...] | None:
        """Return what the file lists, after reading it again if that is due and it has changed."""
        if now >= self._due:
            self._due = now + self._every
            try:
                self._look()
            except ManifestError as error:
                self.error = str(error)
        return self._known

    def next_deadline(self) -> float:
        """Return when the file is looked at again."""
        return self._due

    def watch(self, notice: Callable[[], None]) -> None:
        """Take nobody on: a file tells nobody that it has changed."""

    def prepare(self, timeout: float) -> tuple[EndpointSpec, ...] | None:  # noqa: ARG002  # a file does not wait
        """Read the file now and return what it lists; raises `ManifestError` where it cannot."""
        self._look()
        return self._known

    def _look(self) -> None:
        try:
            what = self._path.stat()
            seen: Any = (what.st_dev, what.st_ino, what.st_size, what.st_mtime_ns)
        except (OSError, ValueError):
            seen = None  # reading it says what is wrong
        if seen is not None and seen == self._seen and self._settled:
            return
        from trafficcore.manifest.endpoints_file import read_endpoints_file  # YAML, for those only

        self._settled, self._seen = seen == self._seen, seen
        self._known = read_endpoints_file(self._path)
        self.error = ""
