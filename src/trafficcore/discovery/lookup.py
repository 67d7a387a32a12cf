"""`Answer` and look-ups: a name's addresses, as whoever resolves it says.

A look-up waits, and raises where nobody answers. That there is nothing is an answer as well.
"""

import socket
from collections.abc import Callable
from typing import Any, Final

import attrs

__all__ = ["FAMILIES", "Answer", "Lookup", "default_lookup", "ordered", "system_lookup"]

#: Which addresses are wanted: of one family, of the first that has any, or of both.
FAMILIES: Final = {
    "v4": ("A",),
    "v6": ("AAAA",),
    "v4 first": ("A", "AAAA"),
    "v6 first": ("AAAA", "A"),
    "all": ("A", "AAAA"),
}
_NOTHING: Final = frozenset(
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA") if hasattr(socket, name)
)


@attrs.frozen(kw_only=True)
class Answer:
    """What was found, () where there is nothing, and then `why`.

    `ttl` is for how many seconds it is good; None: nobody says.
    """

    found: tuple[Any, ...] = ()
    ttl: float | None = None
    why: str = ""


#: Takes a name, a family (see `FAMILIES`) and the seconds it may wait.
Lookup = Callable[[str, str, float], Answer]


def ordered(addresses: "set[str]") -> tuple[str, ...]:
    """Return addresses in an order that does not change as resolvers turn their answers."""
    return tuple(sorted(addresses, key=lambda it: (":" in it, it)))


def system_lookup(name: str, family: str, timeout: float) -> Answer:  # noqa: ARG001  # its own
    """Ask the operating system, which also knows its hosts file, and no times to live.

    It waits as long as it is set up to wait, whatever `timeout` says.
    """
    try:
        rows = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in _NOTHING:
            return Answer(why=f"{name}: {error.strerror}")
        raise
    kinds = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}
    by_type = {
        kind: {str(row[4][0]) for row in rows if row[0] == number} for kind, number in kinds.items()
    }
    wanted = [by_type[kind] for kind in FAMILIES[family] if by_type[kind]]
    if not wanted:
        return Answer(why=f"{name} has no address of the family {family}")
    return Answer(found=ordered(set().union(*wanted) if family == "all" else wanted[0]))


def default_lookup() -> Lookup:
    """Return the look-up by dnspython where it is installed, else the operating system's."""
    try:
        from trafficcore.discovery.dns_lookup import dns_lookup
    except ImportError:
        return system_lookup
    return dns_lookup
