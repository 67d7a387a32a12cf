"""Who takes a call, for people without an engine: the pickers by their names."""

import random as chance
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from trafficcore.core.balance import (
    Endpoint,
    MaglevMaker,
    Picker,
    RingMaker,
    TableMaker,
    build_hashed,
    build_picker,
)
from trafficcore.engine.guard import guarded
from trafficcore.engine.picking import hosts_picker
from trafficcore.errors import ConfigError

__all__ = ["PICKERS", "Chooser", "chooser"]

#: What a picker is called, and what a mesh calls it.
_SIMPLE: Final = {
    "round_robin": "ROUND_ROBIN",
    "least_request": "LEAST_REQUEST",
    "random": "RANDOM",
}
_TABLES: Final[dict[str, Callable[[], TableMaker]]] = {
    "ring_hash": RingMaker,
    "maglev": MaglevMaker,
}
PICKERS: Final = (*_SIMPLE, *_TABLES)
#: Makes a picker of endpoints, weights of localities, the panic threshold, the last one, a lock.
Chooser = Callable[
    [Iterable[Endpoint], Mapping[tuple[int, str], int] | None, int, Picker, Any], Picker
]


def chooser(name: str, draw: Callable[[], float] = chance.random) -> Chooser:
    """Return what makes the pickers of a name; raises `ConfigError` where there is none."""
    if name in _TABLES:
        table = _TABLES[name]()

        def by_key(
            endpoints: Iterable[Endpoint], weights: Any, panic: int, _last: Picker, lock: Any
        ) -> Picker:
            return build_hashed(
                endpoints,
                table=table,
                locality_weights=weights,
                panic_threshold=panic,
                random=draw,
                lock=lock,
                guarded=guarded,
            )

        return by_key
    if name not in _SIMPLE:
        raise ConfigError(f"picker must be one of {', '.join(PICKERS)}, not {name!r}")
    make = hosts_picker(_SIMPLE[name], draw)

    def by_name(
        endpoints: Iterable[Endpoint], weights: Any, panic: int, last: Picker, lock: Any
    ) -> Picker:
        return build_picker(
            endpoints,
            hosts=None if make is None else partial(make, lock),
            locality_weights=weights,
            panic_threshold=panic,
            previous=last,
            lock=lock,
            guarded=guarded,
        )

    return by_name
