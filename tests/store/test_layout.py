"""The header of a shared file: written, read, and refused where a bit of it is wrong."""

import struct
from math import inf

import pytest

from trafficcore.errors import StoreError
from trafficcore.store.layout import FIRST, HEADER_SIZE, SWEPT, Header, file_size

BOOT = bytes(range(16))


def test_an_image_is_read_as_it_was_written():
    header = Header(3, BOOT)
    image = header.image()
    assert len(image) == file_size(3) == 128 + 3 * 16
    assert Header.read("here", image) == header
    assert Header.read("here", image[:HEADER_SIZE]) == header


def test_a_new_file_has_free_slots_and_full_buckets():
    image = Header(3, BOOT).image()
    words = struct.unpack(f"={len(image) // 8}Q", image)
    floats = struct.unpack(f"={len(image) // 8}d", image)
    assert floats[SWEPT : SWEPT + 2] == (-inf, -inf)
    assert words[SWEPT + 2 : FIRST + 3] == (0,) * (FIRST + 1 - SWEPT)
    assert floats[FIRST + 3 :] == (-inf,) * 3


def test_every_file_has_a_key_of_its_own_that_nobody_prints():
    one, other = Header(3, BOOT), Header(3, BOOT)
    assert one.key != other.key
    assert repr(one.key) not in repr(one)


@pytest.mark.parametrize("byte", range(HEADER_SIZE))
def test_no_bit_of_the_header_can_change_unnoticed(byte):
    image = bytearray(Header(3, BOOT).image())
    image[byte] ^= 1
    with pytest.raises(StoreError, match=r"here (is no file|has layout version|has a torn header)"):
        Header.read("here", bytes(image))


@pytest.mark.parametrize("raw", [b"", b"trafcore", b"[settings]\n" * 20])
def test_what_is_not_ours_is_left_alone(raw):
    with pytest.raises(StoreError, match="here is no file of trafficcore's; it was left as it is"):
        Header.read("here", raw)


def test_another_version_is_named():
    image = bytearray(Header(3, BOOT).image())
    image[8] = 9
    with pytest.raises(StoreError, match="here has layout version 9, not 1"):
        Header.read("here", bytes(image))
