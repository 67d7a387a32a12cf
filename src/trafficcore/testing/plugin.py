"""The pytest plugin, found by its entry point; imports nothing heavy before a fixture is used."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from trafficcore.testing.virtual import VirtualTime

__all__ = ["no_limits", "virtual_time"]


@pytest.fixture
def virtual_time() -> "VirtualTime":
    """Return a clock that stands still until the test moves it: hand it on as `clock=`."""
    from trafficcore.testing.virtual import VirtualTime

    return VirtualTime()


@pytest.fixture
def no_limits() -> Iterator[None]:
    """Switch everything off that could refuse or delay, for this test."""
    from trafficcore.testing.switch import limits_off

    with limits_off():
        yield
