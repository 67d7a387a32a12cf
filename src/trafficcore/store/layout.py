"""What stands where in a shared file: a checked header, three cells, two columns.

    0    header: magic, layout version, bytes a record, slots, boot, key of the hashes, checksum
    64   cells: `swept` and `overflow_full_at` (float64), `overflowed` (uint64)
    128  column of hashes (uint64), 0: free
    ...  column of `full_at` (float64), -inf: full whatever the time is

Every number that changes has eight bytes at an address divisible by eight, so it is written in one
instruction: whoever is killed in mid-decision leaves the old value or the new one.
"""

import secrets
import struct
import zlib
from array import array
from math import inf
from typing import Final

import attrs

from trafficcore.errors import StoreError

__all__ = [
    "FIRST",
    "HEADER_SIZE",
    "OVERFLOWED",
    "OVERFLOW_FULL_AT",
    "SWEPT",
    "VERSION",
    "Header",
    "file_size",
]

_MAGIC: Final = b"trafcore"
#: Counts up with every change of what stands where; part of the file's name as well.
VERSION: Final = 1
_RECORD: Final = 16
_FIXED: Final = struct.Struct("<8sIIQ16s16s")
_SUM: Final = struct.Struct("<I")
HEADER_SIZE: Final = _FIXED.size + _SUM.size

#: Places, counted in eights of bytes.
SWEPT: Final = 8
OVERFLOW_FULL_AT: Final = 9
OVERFLOWED: Final = 10
FIRST: Final = 16


def file_size(slots: int) -> int:
    """Return how many bytes a file of so many records has."""
    return FIRST * 8 + slots * _RECORD


@attrs.frozen
class Header:
    """What a file says of itself."""

    slots: int
    boot: bytes
    #: Hashes are keyed, so that nobody can make up keys that meet in one place.
    key: bytes = attrs.field(factory=lambda: secrets.token_bytes(16), repr=False)

    def image(self) -> bytes:
        """Return the bytes of a new file: the header, and every bucket full."""
        fixed = _FIXED.pack(_MAGIC, VERSION, _RECORD, self.slots, self.boot, self.key)
        header = (fixed + _SUM.pack(zlib.crc32(fixed))).ljust(SWEPT * 8, b"\0")
        cells = array("d", (-inf, -inf)).tobytes().ljust((FIRST - SWEPT) * 8, b"\0")
        full = array("d", (-inf,)).tobytes() * self.slots
        return header + cells + bytes(8 * self.slots) + full

    @classmethod
    def read(cls, path: str, raw: bytes) -> "Header":
        """Return the header of a file that begins with `raw`, or raise `StoreError`."""
        if len(raw) < HEADER_SIZE or not raw.startswith(_MAGIC):
            raise StoreError(f"{path} is no file of trafficcore's; it was left as it is")
        fixed = raw[: _FIXED.size]
        _, version, record, slots, boot, key = _FIXED.unpack(fixed)
        if version != VERSION:
            raise StoreError(f"{path} has layout version {version!r}, not {VERSION}")
        if _SUM.unpack(raw[_FIXED.size : HEADER_SIZE]) != (zlib.crc32(fixed),) or record != _RECORD:
            raise StoreError(f"{path} has a torn header; remove it while none of its workers runs")
        return cls(slots, boot, key)
