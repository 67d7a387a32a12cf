"""Where endpoints come from: DNS, a file, a callable, or a `Discovery` of your own.

engine = Engine.load("policies/", endpoints={
    "reviews": Dns("reviews.default.svc.cluster.local:9080"),
    "ratings": File("/etc/endpoints/ratings.yaml"),
    "stock": Background(ask_the_registry, every=30),
})
"""

from trafficcore.core.discovery import RefreshSettings
from trafficcore.discovery.background import Background
from trafficcore.discovery.dns import Dns
from trafficcore.discovery.file import File
from trafficcore.discovery.lookup import Answer, system_lookup
from trafficcore.engine.discovery import Discovery, Polled
from trafficcore.spec import EndpointSpec

__all__ = [
    "Answer",
    "Background",
    "Discovery",
    "Dns",
    "EndpointSpec",
    "File",
    "Polled",
    "RefreshSettings",
    "system_lookup",
]
