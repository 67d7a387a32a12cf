"""`Finding`: how endpoints are found out, handed in by whoever has a clock and a network."""

from collections.abc import Callable, Iterable
from typing import Final

import attrs

from trafficcore.engine.discovery import Discovery
from trafficcore.engine.feed import Feed
from trafficcore.spec import EndpointSpec

__all__ = ["UNAIDED", "Discover", "Finding", "Ready"]

#: Has sources that can learn who is there before the first request do so; may wait and raise.
Ready = Callable[[Iterable[Feed]], None]
#: Endpoints whose addresses are names, to what finds the addresses.
Discover = Callable[[tuple[EndpointSpec, ...]], Discovery]


def _wait_for_nobody(_feeds: Iterable[Feed]) -> None:
    """Leave it to the first request to ask."""


@attrs.frozen(kw_only=True)
class Finding:
    """`ready` waits before endpoints are needed; `discover` None: nobody looks names up."""

    ready: Ready = _wait_for_nobody
    discover: Discover | None = None


#: Requests ask by themselves, and names stay names.
UNAIDED: Final = Finding()
