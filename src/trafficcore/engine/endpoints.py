"""`endpoints=` as people write it, read into what a cluster is made of."""

from collections.abc import Iterable
from typing import Any

from trafficcore.errors import ConfigError
from trafficcore.spec import EndpointSpec

__all__ = ["read_endpoints"]

_MOST_PARTS = 4


def read_endpoints(name: str, given: Iterable[Any]) -> tuple[EndpointSpec, ...]:
    """Read the endpoints of a service: addresses, tuples, or `EndpointSpec`s.

    A tuple is `(address, locality, weight, labels)`, as far as it goes. Raises `ConfigError` for
    what is none of these, and for an address that is there twice.
    """
    found: dict[str, EndpointSpec] = {}
    for entry in given:
        endpoint = _read(name, entry)
        if endpoint.address in found:
            raise ConfigError(f"endpoint {endpoint.address!r} of {name} is given twice")
        found[endpoint.address] = endpoint
    return tuple(found.values())


def _read(name: str, entry: Any) -> EndpointSpec:
    if isinstance(entry, EndpointSpec):
        return entry
    if isinstance(entry, str):
        entry = (entry,)
    if not isinstance(entry, (tuple, list)) or not 1 <= len(entry) <= _MOST_PARTS:
        raise ConfigError(f"an endpoint of {name} must be (address, locality), not {entry!r}")
    try:
        return EndpointSpec(*entry)
    except ConfigError as error:
        raise ConfigError(f"endpoint {entry!r} of {name}: {error}") from error
