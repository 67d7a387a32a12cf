"""Where a connection goes: an endpoint's address as host and port."""

from functools import lru_cache

__all__ = ["split_address"]


@lru_cache(maxsize=4096)
def split_address(address: str) -> tuple[str, int | None]:
    """Return the host, without brackets, and the port of an address; None: it names none."""
    host, _, port = address.rpartition(":")
    if not port.isdigit() or (":" in host and not host.endswith("]")):
        return address.strip("[]"), None
    return host.strip("[]"), int(port)
