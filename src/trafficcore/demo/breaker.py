"""Scene 2: five slow answers trip a breaker; what it refuses never reaches the service."""

import time
from importlib.resources import files

import httpx2

from trafficcore.demo.report import Scene
from trafficcore.demo.servers import serve
from trafficcore.demo.services import Service
from trafficcore.engine import Engine
from trafficcore.web.asgi import AsgiTraffic

__all__ = ["slow_breaker"]

_SERVICE = "httpbin-00001-private.default.svc.cluster.local:8012"
_HOST = "httpbin.default.example.com"
_OTHER = "helloworld.default.example.com"
_DELAY = 0.55


def slow_breaker(title: str, *, full: bool) -> Scene:  # noqa: ARG001  # every scene takes it
    """Call a service that takes over half a second, until it is left alone for a minute."""
    scene = Scene(title, "ASMCircuitBreaker: 5 calls over 0.5 s within 10 s, then 498 for 60 s")
    engine = Engine.load(
        (files("trafficcore.demo") / "policies" / "breaker.yaml").read_text("utf-8"),
        labels={"app": "activator"},
        namespace="knative-serving",
        hosts={_SERVICE: [_HOST], "helloworld-00001-private.default.svc.cluster.local": [_OTHER]},
    )
    service = Service("slow answer", delay=_DELAY)
    with serve(AsgiTraffic(service, engine)) as address, httpx2.Client() as client:

        def call(host: str) -> tuple[httpx2.Response, float]:
            begun = time.monotonic()
            answer = client.get(f"http://{address}/delay", headers={"host": host})
            return answer, time.monotonic() - begun

        for _ in range(5):
            answer, took = call(_HOST)
            came = f"{answer.status_code} after {took:.2f} s"
            fine = answer.status_code == 200 and took > 0.5
            scene.saw(f"GET /delay to {_HOST}", came, "200 after more than 0.5 s", fine=fine)
        answer, took = call(_HOST)
        header = answer.headers.get("x-envoy-overload")
        came = f"{answer.status_code} {answer.text}, x-envoy-overload: {header}"
        scene.saw("the same again", came, "498 delay break!, x-envoy-overload: true")
        scene.saw("how long that took", f"{took:.3f} s", "at once", fine=took < _DELAY / 2)
        scene.saw("requests that reached the service", service.hits, 5)
        answer, took = call(_OTHER)
        scene.saw(f"GET /delay to {_OTHER}", answer.status_code, 200)
        scene.saw("requests that reached the service", service.hits, 6)
    return scene
