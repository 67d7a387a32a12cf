"""xxHash64, the hash by which Envoy places hosts and requests on a ring or in a maglev table.

Law    four lanes take 32 bytes at a time; what is left goes in by 8, 4 and 1; then a final mix.
       All arithmetic is modulo 2 ** 64, words are little-endian.
State  none.   Cost  O(bytes)
Source the xxHash specification, version 0.1.1
"""

import struct
from typing import Final

__all__ = ["xxhash64"]

_MASK: Final = 2**64 - 1
_P1: Final = 0x9E3779B185EBCA87
_P2: Final = 0xC2B2AE3D27D4EB4F
_P3: Final = 0x165667B19E3779F9
_P4: Final = 0x85EBCA77C2B2AE63
_P5: Final = 0x27D4EB2F165667C5
_STRIPE: Final = struct.Struct("<4Q")
_LONG: Final = struct.Struct("<Q")
_INT: Final = struct.Struct("<I")


def xxhash64(data: bytes, seed: int = 0) -> int:
    """Return the hash of `data`, from 0 up to 2 ** 64."""
    size = len(data)
    ended = size - size % _STRIPE.size
    mixed = _lanes(data, ended, seed) if ended else seed + _P5
    return _avalanche(_tail(data, ended, (mixed + size) & _MASK))


def _turn(value: int, by: int) -> int:
    return (value << by | value >> (64 - by)) & _MASK


def _round(lane: int, word: int) -> int:
    return _turn((lane + word * _P2) & _MASK, 31) * _P1 & _MASK


def _lanes(data: bytes, end: int, seed: int) -> int:
    """Take in all whole stripes."""
    a, b = (seed + _P1 + _P2) & _MASK, (seed + _P2) & _MASK
    c, d = seed & _MASK, (seed - _P1) & _MASK
    for w, x, y, z in _STRIPE.iter_unpack(data[:end]):
        a, b, c, d = _round(a, w), _round(b, x), _round(c, y), _round(d, z)
    mixed = _turn(a, 1) + _turn(b, 7) + _turn(c, 12) + _turn(d, 18)
    for lane in (a, b, c, d):
        mixed = ((mixed ^ _round(0, lane)) * _P1 + _P4) & _MASK
    return mixed


def _tail(data: bytes, at: int, mixed: int) -> int:
    """Take in what is shorter than a stripe."""
    size = len(data)
    while at + 8 <= size:
        (word,) = _LONG.unpack_from(data, at)
        mixed = (_turn(mixed ^ _round(0, word), 27) * _P1 + _P4) & _MASK
        at += 8
    if at + 4 <= size:
        (word,) = _INT.unpack_from(data, at)
        mixed = (_turn(mixed ^ (word * _P1 & _MASK), 23) * _P2 + _P3) & _MASK
        at += 4
    for byte in data[at:]:
        mixed = _turn(mixed ^ (byte * _P5 & _MASK), 11) * _P1 & _MASK
    return mixed


def _avalanche(mixed: int) -> int:
    mixed = (mixed ^ mixed >> 33) * _P2 & _MASK
    mixed = (mixed ^ mixed >> 29) * _P3 & _MASK
    return mixed ^ mixed >> 32
