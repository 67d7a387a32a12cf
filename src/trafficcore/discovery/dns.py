"""`Dns`: the addresses that names stand for, each of them an endpoint (Envoy's STRICT_DNS).

Law    no request waits for a resolver. `Engine.load` waits for the first answer, at most five
       seconds; whoever comes before there is one is refused for want of an endpoint. From then on
       the last good answer stands, and the request that finds its time over has it looked up
       anew, on another thread; `Refresh` has the law of when.
State  a question a name. Addresses among the names are endpoints as they stand.
Source Envoy strict_dns_cluster; Istio's `resolution: DNS`
"""

import random
import time
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, Final

import attrs

from trafficcore.core.discovery import Refresh, RefreshSettings
from trafficcore.discovery.inquiry import Inquiry
from trafficcore.discovery.lookup import FAMILIES, Lookup, default_lookup
from trafficcore.discovery.notices import Notices
from trafficcore.engine.endpoints import read_endpoints
from trafficcore.errors import ConfigError
from trafficcore.spec import EndpointSpec, is_address, split_address

__all__ = ["Dns"]

_TIMEOUT: Final = 5


class Dns:
    """Endpoints by name: `Dns("reviews.shop.svc.cluster.local:9080")`.

    `names` are written like endpoints, `host:port` or `(host:port, locality, weight, labels)`, and
    each address of a host gets what is said of its name; without a port calls keep their own.
    `family` is one of `v4`, `v6`, `v4 first` (v6 where there is no v4), `v6 first`, `all`.
    `refresh` bounds the time between two look-ups, `timeout` is how long one may take, in seconds.
    `lookup` None: by dnspython (`trafficcore[dns]`) where that is installed, else the operating
    system, which says nothing of times to live. Raises `ConfigError`.
    """

    def __init__(
        self,
        *names: Any,
        family: str = "v4 first",
        refresh: RefreshSettings | None = None,
        timeout: float = _TIMEOUT,
        lookup: Lookup | None = None,
        draw: Callable[[], float] | None = random.random,
    ) -> None:
        if family not in FAMILIES:
            raise ConfigError(f"family must be one of {', '.join(FAMILIES)}, not {family!r}")
        if not 0 < timeout < inf:
            raise ConfigError(f"timeout must be seconds above 0, not {timeout!r}")
        self._specs = read_endpoints("Dns", names)
        if not self._specs:
            raise ConfigError("Dns must have a name to look up")
        self._notices = Notices()
        self._parts = [(spec, *split_address(spec.address)) for spec in self._specs]
        hosts = dict.fromkeys(host for _, host, _ in self._parts if not is_address(host))
        ask: Any = (lookup or default_lookup()) if hosts else None
        settings = refresh or RefreshSettings()
        self._inquiries = {
            host: Inquiry(
                partial(ask, host, family, timeout), Refresh(settings, draw), self._notices.tell
            )
            for host in hosts
        }

    def __repr__(self) -> str:
        return f"<Dns {', '.join(spec.address for spec in self._specs)}>"

    @property
    def error(self) -> str:
        """What went wrong with the last look-up of each name that failed, "" where nothing did."""
        return "; ".join(one.error for one in self._inquiries.values() if one.error)

    def snapshot(self, now: float) -> list[EndpointSpec] | None:
        """Return an endpoint for each known address; have names looked up whose time is over."""
        return self._endpoints({host: one.look(now) for host, one in self._inquiries.items()})

    def _endpoints(self, known: dict[str, Any]) -> list[EndpointSpec] | None:
        """Return an endpoint for each address; None where no host has any that is known."""
        found = [(spec, known.get(host, (host,)), port) for spec, host, port in self._parts]
        if all(addresses is None for _, addresses, _ in found):
            return None
        endpoints: dict[str, EndpointSpec] = {}
        for spec, addresses, port in found:
            for address in addresses or ():
                where = _join(address, port)
                endpoints.setdefault(where, attrs.evolve(spec, address=where))
        return list(endpoints.values())

    def next_deadline(self) -> float:
        """Return when the first of the names is to be looked up again."""
        return min((one.next_deadline() for one in self._inquiries.values()), default=inf)

    def watch(self, notice: Callable[[], None]) -> None:
        """Call `notice` when an answer is there."""
        self._notices.add(notice)

    def prepare(self, timeout: float) -> list[EndpointSpec] | None:
        """Look every name up now; return what is known of them within `timeout` seconds.

        In an event loop: `await asyncio.to_thread(names.prepare, 5)`.
        """
        for one in self._inquiries.values():
            one.send()
        until = time.monotonic() + timeout
        for one in self._inquiries.values():
            one.wait(until - time.monotonic())
        return self._endpoints({host: one.peek() for host, one in self._inquiries.items()})


def _join(host: str, port: int | None) -> str:
    host = f"[{host}]" if ":" in host else host
    return host if port is None else f"{host}:{port}"
