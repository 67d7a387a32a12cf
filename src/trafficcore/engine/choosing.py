"""`picker_of`: what chooses among the endpoints of a cluster, as its settings have it."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from trafficcore.core.balance import Endpoint, Picker, build_hashed, build_picker
from trafficcore.engine.guard import guarded
from trafficcore.engine.membership import Membership

__all__ = ["picker_of"]


def picker_of(
    membership: Membership,
    endpoints: Iterable[Endpoint],
    weights: Mapping[tuple[int, str], int] | None,
    *,
    previous: Picker,
    lock: Any,
    locked: bool | None,
) -> Picker:
    """Return a picker over endpoints as they are now: by key where there is one, else by turns."""

    def held(cls: type[Any]) -> type[Any]:
        return guarded(cls, locked)

    hashing, make = membership.hashing, membership.hosts
    if hashing is not None:
        return build_hashed(
            endpoints,
            table=hashing.tables,
            panic_threshold=membership.panic_threshold,
            locality_weights=weights,
            random=hashing.draw,
            lock=lock,
            guarded=held,
        )
    return build_picker(
        endpoints,
        hosts=None if make is None else partial(make, lock),
        panic_threshold=membership.panic_threshold,
        locality_weights=weights,
        zone_aware=membership.zone_aware,
        previous=previous,
        lock=lock,
        guarded=held,
    )
