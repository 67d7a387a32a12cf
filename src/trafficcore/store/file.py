"""HostFile: a file of fixed size that all workers of a machine map, and one lock over it.

Law     A decision is: `lock` (between threads), `seize` (between processes), load, compute, store,
        `release`. Each store is eight bytes at once, so a worker killed anywhere leaves a valid
        file, and the kernel lets go of its lock.
Blocks  A decision waits for the lock of other processes for at most `patience` seconds, a quarter
        by default: longer than a container's processor quota holds a process back (0.1 s). Past
        that the holder counts as stopped, and nothing is granted; until the lock can be had
        again, decisions ask for it once and refuse at once. Refusing is on the safe side: what
        the holder has taken cannot be known.
Fork    `after_fork`, in the child: a lock of the parent's open file would be the child's too.
        The mapping has a descriptor of its own, which is never locked: `mmap` keeps a duplicate
        of what it is given, and a child's duplicate would hold a lock whose holder was killed.
"""

import mmap
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from trafficcore.core.nolock import NO_LOCK
from trafficcore.errors import ConfigError, StoreError
from trafficcore.store.boot import boot_identity
from trafficcore.store.layout import FIRST, file_size
from trafficcore.store.lock import LET_GO, TAKE, flock, need_flock, wait_for
from trafficcore.store.opening import open_file

__all__ = ["HostFile"]

_PATIENCE: Final = 0.25


class HostFile:
    """Opens the file at `path`, made if it is not there, with room for `slots` records.

    Raises `StoreError` where the file cannot be trusted; `store/opening.py` says when it is
    rebuilt instead. `lock` is re-entrant and keeps the threads of this process apart.
    """

    __slots__ = (
        "__weakref__",
        "_clock",
        "_fd",
        "_hash",
        "_map",
        "_patience",
        "_sleep",
        "floats",
        "lock",
        "path",
        "slots",
        "stalled",
        "turns",
        "words",
    )

    def __init__(
        self,
        path: str | Path,
        *,
        slots: int,
        lock: AbstractContextManager[Any] = NO_LOCK,
        patience: float = _PATIENCE,
        boot: bytes | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Any] = time.sleep,
    ) -> None:
        need_flock()
        if not slots >= 1:
            raise ConfigError(f"slots must be at least 1, not {slots!r}")
        self.path = Path(path)
        self.slots = slots
        self.lock = lock
        #: How many turns have ended, in this process.
        self.turns = 0
        #: Whether the lock's holder is taken for stopped.
        self.stalled = False
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        mapped, header = open_file(self.path, slots, boot or boot_identity())
        try:
            self._hash = blake2b(digest_size=8, key=header.key).copy
            self._map = mmap.mmap(mapped, file_size(slots))
            self._fd = self._reopened(mapped)
        finally:
            os.close(mapped)
        whole = memoryview(self._map)
        # Item assignment stores eight bytes in one go; `struct.pack_into` zeroes them first.
        self.floats: memoryview[float] = whole.cast("d")
        self.words: memoryview[int] = whole.cast("Q")

    def seize(self) -> bool:
        """Take the file's lock; False: not within the patience. *Guarded* by `lock`."""
        try:
            flock(self._fd, TAKE)
        except BlockingIOError:
            if not self.stalled:
                self.stalled = not wait_for(self._fd, self._patience, self._clock, self._sleep)
            return not self.stalled
        if self.stalled:
            self.stalled = False
        return True

    def release(self) -> None:
        """Let go of the file's lock, held or not. *Guarded* by `lock`.

        A signal handler or a finaliser that decides in the middle of another decision of its own
        thread lets go of that one's lock; the other sees it by `turns`.
        """
        self.turns += 1
        flock(self._fd, LET_GO)

    def digest(self, text: str) -> int:
        """Return the hash that stands for `text` in this file; never 0."""
        found = self._hash()
        found.update(text.encode("utf-8", "surrogatepass"))
        return int.from_bytes(found.digest(), "little") or 1

    def find(self, key: str) -> int:
        """Return the place, in `floats`, of the `full_at` that `key` names; made if it is new.

        A place once given stays. Raises `StoreError` where all slots are taken.
        """
        digest, words = self.digest(key), self.words
        with self.lock:
            while True:
                turns = self.turns
                try:
                    if not self.seize():
                        raise StoreError(f"{self.path}: another worker does not let go of it")
                    slot = self._slot(digest)
                    if slot is None:
                        break
                    if self.turns == turns:
                        words[slot] = digest
                        return slot + self.slots
                finally:
                    self.release()
        raise StoreError(f"{self.path} has no room for {key!r}: all {self.slots} slots are taken")

    def after_fork(self) -> None:
        """In a fork's child: lock an open file of this process's own."""
        parents = self._fd
        self._fd = self._reopened(parents)
        os.close(parents)
        self.stalled = False

    def close(self) -> None:
        """Let go of the file. Nothing that uses it may be asked afterwards."""
        self.floats.release()
        self.words.release()
        self._map.close()
        os.close(self._fd)
        self._fd = -1

    def _slot(self, digest: int) -> int | None:
        """Return the slot that has this hash, or the first free one on the way to it."""
        for step in range(self.slots):
            slot = FIRST + (digest + step) % self.slots
            if self.words[slot] in (digest, 0):
                return slot
        return None

    def _reopened(self, fd: int) -> int:
        """Return a descriptor of the same file that shares no lock with `fd`."""
        for path in (f"/proc/self/fd/{fd}", str(self.path)):
            try:
                own = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                continue
            if os.path.samestat(os.fstat(own), os.fstat(fd)):
                return own
            os.close(own)
        raise StoreError(f"{self.path} is not where it was: another file took its place")
