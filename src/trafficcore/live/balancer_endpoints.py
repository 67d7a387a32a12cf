"""The endpoints of a `Balancer` as people write them, or what finds them."""

from collections.abc import Callable, Iterable
from typing import Any

from trafficcore.core.balance import Endpoint
from trafficcore.engine.discovery import source_of
from trafficcore.engine.feed import Feed
from trafficcore.errors import ConfigError
from trafficcore.live.loading import first_answers
from trafficcore.spec import EndpointSpec

__all__ = ["endpoints_by_address", "feed_of"]


def endpoints_by_address(
    endpoints: Iterable[Endpoint | EndpointSpec | str | tuple[Any, ...]],
) -> dict[str, Endpoint]:
    """Return endpoints by their addresses; raises `ConfigError` for one that is there twice."""
    made: dict[str, Endpoint] = {}
    for given in endpoints:
        endpoint = _endpoint(given)
        if endpoint.address in made:
            raise ConfigError(f"endpoint {endpoint.address!r} is given twice")
        made[endpoint.address] = endpoint
    return made


def feed_of(name: str, endpoints: Any, wake: Callable[[], None]) -> Feed | None:
    """Return what finds endpoints, after waiting for what it knows first; None: they are a list."""
    source = source_of(endpoints)
    if source is None:
        return None
    feed = Feed(name, source)
    first_answers([feed])
    feed.wakes[""] = wake
    return feed


def _endpoint(given: Endpoint | EndpointSpec | str | tuple[Any, ...]) -> Endpoint:
    if isinstance(given, Endpoint):
        return given
    if isinstance(given, EndpointSpec):
        return Endpoint(given.address, given.locality, given.weight, given.labels)
    return Endpoint(given) if isinstance(given, str) else Endpoint(*given)
