"""Whose request it is: the peer's address, or what trusted proxies say of it, and nothing else.

Law    Without trusted proxies it is the peer, whatever the headers say. A peer that is trusted is
       asked who called it: the hops of the header are read from right to left, the order in which
       they were appended, as long as they are trusted; the first that is not is the client. A hop
       that is no address (`unknown`, a made-up name) ends the walk: then it is the last one known.
       Exactly one header is read: what a proxy does not write comes from the caller as it is.
       A peer at a UNIX socket has no address; it is trusted by the name `unix`.
       An IPv4 address in IPv6's guise is that IPv4 address; an IPv6 client is its /64, since a
       household has all of it.
Source RFC 7239 (forwarded); x-forwarded-for as Envoy and nginx append to it.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Literal

from trafficcore.errors import ConfigError

__all__ = ["HEADERS", "Network", "client_of", "hops", "key_of", "networks"]

Address = IPv4Address | IPv6Address
#: The peer at the other end of a UNIX socket, which has no address.
UNIX: Final = "unix"
Network = IPv4Network | IPv6Network | Literal["unix"]

HEADERS: Final = ("x-forwarded-for", "forwarded")
#: A peer without an address: a UNIX socket, a test client. All of them are one client.
UNKNOWN: Final = "unknown"
#: A header longer than this is read from its end: that is where the proxies wrote.
_LONGEST: Final = 4096
_PREFIX: Final = 64


def networks(trusted: Iterable[str]) -> tuple[Network, ...]:
    """Read networks (`10.0.0.0/8`), addresses, and `unix`: the peer of a UNIX socket.

    Raises `ConfigError` for what is none of them.
    """
    if not isinstance(trusted, Iterable):
        raise ConfigError(f"trusted proxies must be a list of networks, not {trusted!r}")
    return tuple(_network(text) for text in trusted)


def _network(text: object) -> Network:
    if text == UNIX:
        return UNIX
    try:
        return ip_network(str(text).strip(), strict=False)
    except ValueError as error:
        message = f'a trusted proxy must be an address, a network or "{UNIX}", not {text!r}'
        raise ConfigError(message) from error


@lru_cache(maxsize=4096)
def _parse(text: str) -> Address | None:
    """Read an address as a hop may write it, with a port or without; None: it is none."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@lru_cache(maxsize=4096)
def key_of(text: str) -> str:
    """Return the key of a client by its address: an IPv4 address, an IPv6 /64, or the text."""
    address = _parse(text)
    if address is None:
        return text or UNKNOWN
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _PREFIX), strict=False))
    return str(address)


def hops(lines: Sequence[str], header: str) -> list[str]:
    """Return the hops that the lines of a header name, the nearest one last."""
    parts = ",".join(lines)[-_LONGEST:].split(",")
    if header == "x-forwarded-for":
        return [part.strip() for part in parts if part.strip()]
    found = []
    for part in parts:
        for pair in part.split(";"):
            name, _, value = pair.strip().partition("=")
            if name.strip().lower() == "for":
                found.append(value.strip())
    return found


def client_of(
    peer: str,
    lines: Callable[[], Sequence[str]],
    trusted: tuple[Network, ...],
    header: str = "x-forwarded-for",
) -> str:
    """Return the address of the client; `lines` gives the header's lines when they are needed."""
    if not trusted or not _is_trusted(peer, trusted):
        return peer
    client = peer
    for hop in reversed(hops(lines(), header)):
        if _parse(hop) is None:
            return client
        client = str(_parse(hop))
        if not _is_trusted(hop, trusted):
            return client
    return client


@lru_cache(maxsize=4096)
def _is_trusted(text: str, trusted: tuple[Network, ...]) -> bool:
    if not text:
        return UNIX in trusted
    address = _parse(text)
    return address is not None and any(
        network != UNIX and address.version == network.version and address in network
        for network in trusted
    )
