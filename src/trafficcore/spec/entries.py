"""Services that a document declares with their endpoints: what a ServiceEntry becomes."""

from enum import Enum

import attrs

from trafficcore.spec.endpoints import EndpointSpec
from trafficcore.spec.source import Source

__all__ = ["Resolution", "ServiceEntry"]


class Resolution(Enum):
    """How a call to the service finds its address; the values are Istio's.

    NONE, DYNAMIC_DNS: by the name or address that the call is for. STATIC: endpoints as they are
    listed. DNS: each address of their names is an endpoint. DNS_ROUND_ROBIN: the name itself is
    the one endpoint, and whoever connects to it looks it up.
    """

    NONE = "NONE"
    STATIC = "STATIC"
    DNS = "DNS"
    DNS_ROUND_ROBIN = "DNS_ROUND_ROBIN"
    DYNAMIC_DNS = "DYNAMIC_DNS"


@attrs.frozen(kw_only=True)
class ServiceEntry:
    """One host of a ServiceEntry: a full name or a wildcard, and who answers for it.

    `ports` are the service's own. `export_to` are namespaces that may see it (`*`: all, `.`: its
    own). `idle` names what keeps its endpoints from being used here, "" where they are: then calls
    go to the address they name.
    """

    source: Source
    host: str
    namespace: str
    resolution: Resolution = Resolution.NONE
    ports: tuple[int, ...] = ()
    endpoints: tuple[EndpointSpec, ...] = ()
    export_to: tuple[str, ...] = ("*",)
    idle: str = ""
