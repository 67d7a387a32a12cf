"""xxHash64 against values that the reference implementation is known to give."""

import pytest

from trafficcore.core.balance.xxhash64 import xxhash64


@pytest.mark.parametrize(
    ("text", "seed", "wanted"),
    [
        ("", 0, 0xEF46DB3751D8E999),
        ("a", 0, 0xD24EC4F1A98C6E5B),
        ("abc", 0, 0x44BC2CF5AD770999),
        ("xxhash", 20141025, 0xB559B98D844E0635),
        ("I want an unsigned 64-bit seed!", 0, 0xD4CB0A70A2B8C7C1),
        ("I want an unsigned 64-bit seed!", 1, 0xCE5087F12470D961),
        ("Nobody inspects the spammish repetition", 0, 0xFBCEA83C8A378BF1),
    ],
)
def test_known_values(text: str, seed: int, wanted: int) -> None:
    assert xxhash64(text.encode(), seed) == wanted


def test_the_seed_is_one_of_64_bits() -> None:
    assert xxhash64(b"abc", 2**64) == xxhash64(b"abc", 0)
    assert xxhash64(b"a" * 40, 2**64 - 1) == xxhash64(b"a" * 40, -1)


def test_every_length_has_a_hash_of_its_own() -> None:
    assert len({xxhash64(b"x" * size) for size in range(100)}) == 100
