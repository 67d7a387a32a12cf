"""Where shared files live: a directory of this user's own, on this machine.

The first of `$TRAFFICCORE_SHARE_DIR`, `trafficcore` in `$XDG_RUNTIME_DIR`, `/dev/shm/trafficcore-
<uid>` and the like in the temporary directory; of those that are not named by a variable of our
own, the first whose parent is there.
"""

import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from trafficcore.errors import StoreError
from trafficcore.store.lock import need_flock

__all__ = ["share_directory"]

_VARIABLE: Final = "TRAFFICCORE_SHARE_DIR"
_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # the directory below it is checked


def share_directory(environ: Mapping[str, str] = os.environ, memory: Path = _MEMORY) -> Path:
    """Return the directory, made if need be (0700) and checked; raises `StoreError`."""
    need_flock()
    path = next(
        path
        for path, demanded in _candidates(environ, memory)
        if demanded or os.access(path.parent, os.W_OK | os.X_OK)
    )
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise StoreError(f"{path}, for shared limits, cannot be made: {error.strerror}") from error
    why = None
    if not stat.S_ISDIR(status.st_mode):
        why = "is no directory"
    elif status.st_uid != os.geteuid():
        why = f"belongs to user {status.st_uid}, not to {os.geteuid()}"
    elif status.st_mode & 0o077:
        why = f"is open to others (mode {stat.S_IMODE(status.st_mode):04o}); make it 0700"
    if why:
        raise StoreError(f"{path}, for shared limits, {why}")
    return path


def _candidates(environ: Mapping[str, str], memory: Path) -> Iterator[tuple[Path, bool]]:
    own = f"trafficcore-{os.geteuid()}"
    if environ.get(_VARIABLE):
        yield Path(environ[_VARIABLE]), True
    if environ.get("XDG_RUNTIME_DIR"):
        yield Path(environ["XDG_RUNTIME_DIR"], "trafficcore"), False
    yield memory / own, False
    yield Path(tempfile.gettempdir(), own), True
