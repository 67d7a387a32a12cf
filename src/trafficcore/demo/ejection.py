"""Scene 3: four servers in two zones, and a client that calls one at a time."""

import time
from collections import Counter
from importlib.resources import files

import httpx2

from trafficcore.demo.report import Scene
from trafficcore.demo.servers import serve_all
from trafficcore.demo.services import Service
from trafficcore.engine import Engine
from trafficcore.web.httpx import TrafficTransport

__all__ = ["ejection_and_zones"]

_NAME = "httpbin-00001-private.default.svc.cluster.local"
_ZONES = {"a1": "zone-a", "a2": "zone-a", "b1": "zone-b", "b2": "zone-b"}


class _Caller:
    """A client that notes who answered, and what."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client
        self.errors = 0

    def calls(self, count: int) -> Counter[str]:
        """Make calls one after the other; return how many each server answered."""
        answered: Counter[str] = Counter()
        for _ in range(count):
            answer = self._client.get(f"http://{_NAME}/")
            answered[answer.text] += 1
            self.errors += answer.status_code >= 500
        return answered

    def until_error(self, errors: int, most: int = 100) -> int:
        """Call until so many errors have come; return how many calls that took."""
        wanted = self.errors + errors
        for made in range(1, most + 1):
            self.calls(1)
            if self.errors == wanted:
                return made
        return most


def ejection_and_zones(title: str, *, full: bool) -> Scene:
    """Let the servers of the own zone fail, one after the other, and come back."""
    interval, base = (5, 20) if full else (1, 4)
    scene = Scene(
        title,
        f"DestinationRule: out after 3 errors in a row, for {base} s, swept each {interval} s",
    )
    services = {name: Service(name) for name in _ZONES}
    text = (files("trafficcore.demo") / "policies" / "outlier.yaml").read_text("utf-8")
    with serve_all(list(services.values())) as addresses:
        engine = Engine.load(
            text.replace("INTERVAL", f"{interval}s").replace("BASE", f"{base}s"),
            locality="cn-hangzhou/zone-a",
            endpoints={
                _NAME: [
                    (address, f"cn-hangzhou/{zone}")
                    for address, zone in zip(addresses, _ZONES.values(), strict=True)
                ]
            },
        )
        with httpx2.Client(transport=TrafficTransport(engine)) as client:
            _play(scene, _Caller(client), services, interval, base)
    if not full:
        scene.notes.append(f"(the article's 5 s and 20 s, here {interval} s and {base} s: --full)")
    return scene


def _shown(answered: Counter[str]) -> str:
    return ", ".join(f"{name} {answered[name]}" for name in _ZONES if answered[name])


def _play(
    scene: Scene, caller: _Caller, services: dict[str, Service], interval: float, base: float
) -> None:
    scene.saw("20 calls, all well", _shown(caller.calls(20)), "a1 10, a2 10")
    services["a1"].status = 503
    caller.until_error(3)
    out_a1 = time.monotonic()
    services["a1"].status = 200
    answered = caller.calls(50)
    came = f"a1 {answered['a1']}, a2 {answered['a2']}, zone b {answered['b1'] + answered['b2']}"
    scene.saw("a1 fails 3 times; 50 calls more", came, "a1 0, a2 35, zone b 15")
    services["a2"].status = 503
    caller.until_error(3)
    out_a2 = time.monotonic()
    services["a2"].status = 200
    scene.saw("a2 fails 3 times; 20 calls more", _shown(caller.calls(20)), "b1 10, b2 10")
    scene.saw("errors that the client saw in all", caller.errors, 6)
    for name, out in (("a1", out_a1), ("a2", out_a2)):
        hits = services[name].hits
        latest = out + base + interval + 1
        while services[name].hits == hits and time.monotonic() < latest:
            caller.calls(1)
            time.sleep(0.02)
        away = time.monotonic() - out
        fine = services[name].hits > hits and base - 0.1 <= away <= base + interval + 0.5
        wanted = f"after {base} s, rounded up to the next sweep"
        scene.saw(f"{name} is well again", f"back after {away:.1f} s", wanted, fine=fine)
    scene.saw("20 calls, all well again", _shown(caller.calls(20)), "a1 10, a2 10")
    scene.saw("errors that the client saw in all", caller.errors, 6)
