"""Limits without a manifest: what `AsgiTraffic(app, limits=[…])` and `WsgiTraffic` take.

For example `Limit("100/min", capacity=20, by=header("x-api-key"), on="/v1/*")`. Routes have theirs
from `trafficcore.web.starlette` (FastAPI too), `trafficcore.web.flask`, `trafficcore.web.django`.
"""

from trafficcore.live.limits import Limit
from trafficcore.web.keys import client_address, cookie, first_of, header, query
from trafficcore.web.receipt import Receipt
from trafficcore.web.routed import path_parameter

__all__ = [
    "Limit",
    "Receipt",
    "client_address",
    "cookie",
    "first_of",
    "header",
    "path_parameter",
    "query",
]
