"""How a shared file is made and opened, by any number of workers that start at once.

Made      Under a name of the maker's own, whole and on disk, then linked to its place: the link
          is there or not, so nobody meets half a file, and of several makers one wins.
Rebuilt   Where its header is whole and of another boot: whoever used it went with that boot. Under
          its lock, so by one worker; the others find the new file.
Refused   All else that is not right, for somebody may be using it: a symbolic link, no regular
          file, another owner, a mode wider than 0600, a file that is not ours, a torn header,
          another layout version, another number of slots, a wrong size. Nothing of it is changed.
"""

import os
import secrets
import stat
import time
from pathlib import Path
from typing import Final

from trafficcore.errors import StoreError
from trafficcore.store.layout import HEADER_SIZE, Header, file_size
from trafficcore.store.lock import LET_GO, flock, seize

__all__ = ["open_file"]

#: A file may be replaced between two looks, but not again and again.
_LOOKS: Final = 100
#: Seconds in which another worker has rebuilt a file.
_PATIENCE: Final = 10.0


def open_file(path: Path, slots: int, boot: bytes) -> tuple[int, Header]:
    """Return a descriptor of the checked file, made if need be; raises `StoreError`."""
    try:
        for _ in range(_LOOKS):
            try:
                fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except FileNotFoundError:
                _create(path, Header(slots, boot))
                continue
            header = _checked(path, fd, slots, boot)
            if header is not None:
                return fd, header
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}") from error
    raise StoreError(f"{path} does not stay in its place")


def _checked(path: Path, fd: int, slots: int, boot: bytes) -> Header | None:
    """Return the header of a file that may be used; None: it was replaced, look again."""
    try:
        _check_owner(path, os.fstat(fd))
        header = Header.read(str(path), os.pread(fd, HEADER_SIZE, 0))
        if header.boot == boot:
            _check_size(path, os.fstat(fd).st_size, header.slots, slots)
            return header
        _rebuild(path, fd, Header(slots, boot))
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return None


def _check_size(path: Path, size: int, made: int, slots: int) -> None:
    if made != slots:
        raise StoreError(f"{path} was made with slots={made}, not {slots}")
    if size != file_size(slots):
        raise StoreError(f"{path} has {size} bytes, not {file_size(slots)}")


def _check_owner(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"{path} is no regular file")
    if status.st_uid != os.geteuid():
        raise StoreError(f"{path} belongs to user {status.st_uid}, not to {os.geteuid()}")
    mode = stat.S_IMODE(status.st_mode)
    if mode & ~0o600:
        raise StoreError(f"{path} has mode {mode:04o}, which is wider than 0600")


def _create(path: Path, header: Header) -> None:
    """Put a new file in an empty place; does nothing where another worker was quicker."""
    made = _write(path, header)
    try:
        path.hardlink_to(made)
    except FileExistsError:
        pass
    finally:
        made.unlink()


def _rebuild(path: Path, fd: int, header: Header) -> None:
    """Put a new file in the place of the one that is open, unless another worker has done so."""
    if not seize(fd, _PATIENCE, time.monotonic, time.sleep):
        raise StoreError(f"{path} is of another boot, and who makes it anew does not finish")
    try:
        try:
            same = os.path.samestat(os.fstat(fd), path.lstat())
        except FileNotFoundError:
            return
        if same:
            _write(path, header).rename(path)
    finally:
        flock(fd, LET_GO)


def _write(path: Path, header: Header) -> Path:
    """Write a whole file beside `path` and return its name.

    Written to its last byte: in a file with holes a full disk would be told by a signal that
    kills, at some later decision.
    """
    made = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    fd = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(header.image())
            file.flush()
            os.fsync(fd)
    except BaseException:
        made.unlink()
        raise
    return made
