"""Who answers for a service: one endpoint, as whoever knows of it has it."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

import attrs

from trafficcore.errors import ConfigError

__all__ = ["EndpointSpec", "is_address", "split_address"]


def is_address(text: str) -> bool:
    """Whether a host is an IP address, and so no name to look up."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)
def split_address(address: str) -> tuple[str, int | None]:
    """Part `host:port`, where a host that is an IPv6 address may stand in brackets; None: no port.

    More than one colon without brackets is an address without a port.
    """
    host, _, port = address.rpartition(":")
    if not port.isdigit() or (":" in host and not host.endswith("]")):
        return address.strip("[]"), None
    return host.strip("[]"), int(port)


def _pairs(labels: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Make labels the same however they were given and in whatever order."""
    try:
        return tuple(sorted(dict(labels).items()))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"labels must be a mapping of texts, not {labels!r}") from error


def _text(_of: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if not isinstance(value, str):
        raise ConfigError(f"{field.name} must be a text, not {value!r}")


@attrs.frozen
class EndpointSpec:
    """An endpoint at `address` (`host:port`, or a host alone: then calls keep their own port).

    `locality` is `region/zone/sub-zone`, "" where nobody knows; `weight` a whole number from 1;
    `labels` are what subsets and `failoverPriority` choose by. Raises `ConfigError`.
    """

    address: str = attrs.field(validator=_text)
    locality: str = attrs.field(default="", validator=_text)
    weight: int = 1
    labels: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=_pairs)

    def __attrs_post_init__(self) -> None:
        if not self.address:
            raise ConfigError(f"address must be a text such as host:port, not {self.address!r}")
        if not isinstance(self.weight, int) or self.weight < 1:
            raise ConfigError(f"weight must be a whole number from 1, not {self.weight!r}")
        if not all(isinstance(text, str) for pair in self.labels for text in pair):
            raise ConfigError(f"labels must be a mapping of texts, not {dict(self.labels)!r}")
