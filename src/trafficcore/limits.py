"""Limits without a manifest: what `AsgiTraffic(app, limits=[…])` and `WsgiTraffic` take.

    from trafficcore.limits import Limit, client_address, header

    limits = [Limit("100/min", capacity=20, by=header("x-api-key"), on="/v1/*")]
"""

from trafficcore.live.limits import Limit
from trafficcore.web.keys import client_address, cookie, first_of, header, path_parameter, query

__all__ = [
    "Limit",
    "client_address",
    "cookie",
    "first_of",
    "header",
    "path_parameter",
    "query",
]
