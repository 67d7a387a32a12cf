"""Where manifests come from: files, folders, texts, lists of them. Reads, and never more than once.

A folder is read with all below it: `*.yaml`, `*.yml`, `*.json`, in the order of their paths. Names
that begin with a dot are passed over, which takes a mounted ConfigMap (`..data` and the folder it
points to, beside one link for each file) as the files that it shows. Pipes, sockets and devices in
it are passed over too; a pipe given by its own name is read.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from trafficcore.manifest.nodes import Spot
from trafficcore.manifest.parse import LIMITS, Limits
from trafficcore.manifest.problems import Ledger, Notes

__all__ = ["Source", "Sources"]

One: TypeAlias = "str | os.PathLike[str]"
Source: TypeAlias = "One | Iterable[One]"

_WANTED = "manifests are a path, a text or a list of them"
_SUFFIXES = frozenset((".yaml", ".yml", ".json"))


class Sources:
    """Turns what a caller gives into texts, each with the name that its problems carry."""

    def __init__(self, ledger: Ledger, limits: Limits = LIMITS) -> None:
        self._ledger = ledger
        self._limits = limits
        self._seen: set[str] = set()
        self._texts = 0

    def texts(self, source: Source) -> Iterator[tuple[str, Notes]]:
        """Yield each text with the notes of its file; what cannot be read is noted."""
        if not isinstance(source, Iterable | os.PathLike) or isinstance(source, bytes):
            raise TypeError(f"{_WANTED}, not {type(source).__name__}")
        for one in (source,) if isinstance(source, (str, os.PathLike)) else source:
            if isinstance(one, os.PathLike):
                yield from self._path(os.fspath(one))
            elif not isinstance(one, str):
                raise TypeError(f"{_WANTED}, not {type(one).__name__}")
            elif one and os.path.exists(one):  # noqa: PTH110 - false, not an error, for a text
                yield from self._path(one)
            elif _is_text(one):
                self._texts += 1
                yield from self._text(one)
            else:
                yield from self._path(one)

    def _text(self, text: str) -> Iterator[tuple[str, Notes]]:
        file = "<text>" if self._texts == 1 else f"<text {self._texts}>"
        notes = Notes(file, self._ledger)
        if len(text) > self._limits.size:
            notes.error(None, "", self._too_large(), code="TC001")
        else:
            yield text.removeprefix("\ufeff"), notes

    def _path(self, name: str) -> Iterator[tuple[str, Notes]]:
        if name and os.path.isdir(name):  # noqa: PTH112 - paths stay as they were given
            found = sorted(self._walk(name), key=lambda path: Path(path).parts)
            if not found:
                message = "holds no manifest: no file of it ends in .yaml, .yml or .json"
                Notes(name, self._ledger).warn("TC907", None, "", message)
            for path in found:
                yield from self._file(path)
        else:
            yield from self._file(name)

    def _walk(self, folder: str) -> Iterator[str]:
        entered = {os.path.realpath(folder)}

        def tell(error: OSError) -> None:
            _refuse(Notes(str(error.filename), self._ledger), error)

        for at, folders, files in os.walk(folder, onerror=tell, followlinks=True):
            for name in list(folders):
                real = os.path.realpath(os.path.join(at, name))  # noqa: PTH118
                if name.startswith(".") or real in entered:
                    folders.remove(name)
                entered.add(real)
            for name in files:
                path = os.path.join(at, name)  # noqa: PTH118
                named = not name.startswith(".") and Path(name).suffix.lower() in _SUFFIXES
                if named and not _waits(path):
                    yield path

    def _file(self, name: str) -> Iterator[tuple[str, Notes]]:
        notes = Notes(name or "''", self._ledger)
        try:
            real = os.path.realpath(name)
            if real in self._seen:
                return
            data = self._read(name)
        except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
            _refuse(notes, error)
            return
        self._seen.add(real)
        if len(data) > self._limits.size:
            notes.error(None, "", self._too_large(), code="TC001")
            return
        try:
            yield data.decode("utf-8-sig"), notes
        except UnicodeDecodeError as error:
            # The position counts from behind a byte order mark, the data from before it.
            start = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
            line = data.count(b"\n", 0, start)
            column = start - data.rfind(b"\n", 0, start)
            message = f"is not UTF-8: the byte 0x{data[start]:02x} begins no character"
            notes.error(Spot(line + 1, column), "", message, code="TC001")

    def _read(self, name: str) -> bytes:
        if not name:
            raise FileNotFoundError("no such file or folder")
        with open(name, "rb") as file:  # noqa: PTH123 - paths stay as they were given
            mode = os.fstat(file.fileno()).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
                raise OSError("is no file")
            return file.read(self._limits.size + 1)

    def _too_large(self) -> str:
        return f"is larger than {self._limits.size // 1024} KiB; not read"


def _waits(path: str) -> bool:
    """Whether reading it could wait for ever: it is there, and neither a file nor a link to one."""
    return os.path.exists(path) and not os.path.isfile(path)  # noqa: PTH110, PTH113


def _is_text(source: str) -> bool:
    """Whether a text that is no path was meant as YAML: it has lines, or a key with a value."""
    return "\n" in source or ": " in source or source.lstrip()[:1] in ("{", "[")


def _refuse(notes: Notes, error: Exception) -> None:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    notes.error(None, "", f"cannot be read: {reason[:1].lower()}{reason[1:]}", code="TC001")
