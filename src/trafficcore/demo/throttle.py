"""Scene 1: a token bucket of two, filled over a minute, in front of a service."""

from importlib.resources import files

import httpx2

from trafficcore.demo.report import Scene
from trafficcore.demo.servers import serve
from trafficcore.demo.services import Service
from trafficcore.engine import Engine
from trafficcore.web.asgi import AsgiTraffic

__all__ = ["throttling"]

_HOST = "helloworld-go.default.svc.cluster.local"


def throttling(title: str, *, full: bool) -> Scene:  # noqa: ARG001  # every scene takes it
    """Send three requests at once where two a minute are allowed."""
    scene = Scene(title, "ASMLocalRateLimiter: 2 requests per 60 s, refilled continuously")
    engine = Engine.load(
        (files("trafficcore.demo") / "policies" / "throttle.yaml").read_text("utf-8"),
        labels={"istio": "ingressgateway"},
        namespace="istio-system",
        gateway=True,
        hosts={f"{_HOST}:80": []},
    )
    service = Service("hello world")
    with serve(AsgiTraffic(service, engine)) as address, httpx2.Client() as client:
        for wanted in ("200 hello world", "200 hello world", "429 local_rate_limited"):
            answer = client.get(f"http://{address}/", headers={"host": _HOST})
            scene.saw(f"GET / to {_HOST}", f"{answer.status_code} {answer.text}", wanted)
        scene.saw(
            "when to come back (one token each 30 s)",
            f"retry-after: {answer.headers.get('retry-after')}",
            "retry-after: 30",
        )
    scene.saw("requests that reached the service", service.hits, 2)
    return scene
