"""Who answers for a service: one endpoint, as whoever knows of it has it."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

import attrs

from trafficcore.errors import ConfigError

__all__ = ["EndpointSpec", "check_address", "is_address", "split_address"]

_LAST_PORT: Final = 65535
#: What ends a host in a URL, or stands before it there.
_OUTSIDE: Final = frozenset("/\\?#@")


def is_address(text: str) -> bool:
    """Whether a host is an IP address, and so no name to look up."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def check_address(text: str) -> str | None:
    """Say what an endpoint's address must be instead; None: it is `host`, `host:port` or IPv6."""
    strange = any(sign in _OUTSIDE or not sign.isprintable() or sign.isspace() for sign in text)
    if strange or not _is_place(text):
        return f"an address, as host:port or host alone, with a port of 1 to {_LAST_PORT}"
    return None


def _is_place(text: str) -> bool:
    if _is_host(text):
        return True
    host, _, port = text.rpartition(":")
    if not _is_host(host) or (":" in host and not host.endswith("]")):
        return False
    return port.isascii() and port.isdecimal() and 1 <= int(port) <= _LAST_PORT


def _is_host(text: str) -> bool:
    """Whether it is a name, or an IP address; one of IPv6 may stand in brackets."""
    if text.startswith("[") and text.endswith("]"):
        return ":" in text and is_address(text[1:-1])
    return bool(text) and not set("[]") & set(text) and (":" not in text or is_address(text))


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
        wanted = check_address(self.address)
        if wanted:
            raise ConfigError(f"address must be {wanted}, not {self.address!r}")
        if not isinstance(self.weight, int) or self.weight < 1:
            raise ConfigError(f"weight must be a whole number from 1, not {self.weight!r}")
        if not all(isinstance(text, str) for pair in self.labels for text in pair):
            raise ConfigError(f"labels must be a mapping of texts, not {dict(self.labels)!r}")
