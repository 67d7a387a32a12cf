"""Scene 4: guests and subscribers, ten closed-loop clients each, share ten requests a second."""

import asyncio
import time
from importlib.resources import files
from typing import Any

import httpx2

from trafficcore.demo.report import Scene
from trafficcore.demo.servers import serve
from trafficcore.demo.services import Service
from trafficcore.engine import Engine
from trafficcore.web.asgi import AsgiTraffic

__all__ = ["priority"]

_NAME = "httpbin-00001-private.default.svc.cluster.local"
_CLASSES = ("guest", "subscriber")
_CLIENTS = 10
#: |S/200 - G/50| over any stretch in which both wait: one request of each (Golestani 1994).
_BOUND = 1 / 200 + 1 / 50


def priority(title: str, *, full: bool, seconds: float = 10) -> Scene:
    """Let both classes ask for more than there is, and count who gets how much."""
    seconds = 30 if full else seconds
    scene = Scene(title, "QuotaSchedulingPolicy: 10 per 1 s, guest 50 : subscriber 200")
    engine = Engine.load(
        (files("trafficcore.demo") / "policies" / "quota.yaml").read_text("utf-8"),
        hosts={_NAME: []},
    )
    service = Service("served")
    with serve(AsgiTraffic(service, engine)) as address:
        load = _Load(engine, address)
        asyncio.run(load.run(seconds))
    guests, subscribers = (load.admitted[name] for name in _CLASSES)
    apart = abs(subscribers / 200 - guests / 50)
    scene.saw(
        f"{_CLIENTS} clients of each class, {load.span:.1f} s with both waiting",
        f"guest {guests}, subscriber {subscribers}",
        f"1 : 4, |S/200 - G/50| <= {_BOUND:.3f}",
        fine=guests > 0 and apart <= _BOUND + 1e-9,
    )
    total, wanted = guests + subscribers, 10 * load.span
    scene.saw(
        "all of them together", f"{total / load.span:.1f} a second", "10 a second",
        fine=abs(total - wanted) <= 2,
    )  # fmt: skip
    scene.saw("answers other than 200", load.other, 0)
    for name in _CLASSES:
        scene.notes.append(f"{name:>10}: {_percentiles(load.latencies[name])}")
    return scene


class _Load:
    """Closed-loop clients over real HTTP, and the engine's own counts of whom it admitted."""

    def __init__(self, engine: Engine, address: str) -> None:
        self._engine = engine
        self._url = f"http://{address}/"
        self.latencies: dict[str, list[float]] = {name: [] for name in _CLASSES}
        self.admitted: dict[str, int] = {}
        self.span: float = 0
        self.other = 0

    async def run(self, seconds: float) -> None:
        limits = httpx2.Limits(max_connections=2 * _CLIENTS)
        async with httpx2.AsyncClient(limits=limits, timeout=60) as client:
            tasks = [
                asyncio.create_task(self._client(client, name))
                for name in _CLASSES
                for _ in range(_CLIENTS)
            ]
            end = time.monotonic() + seconds
            while not all(self._flow(name)["waiting"] for name in _CLASSES):
                await asyncio.sleep(0.005)
                if time.monotonic() > end:
                    break
            begun = time.monotonic()
            before = {name: self._flow(name)["admitted"] for name in _CLASSES}
            await asyncio.sleep(max(0, end - time.monotonic()))
            self.admitted = {n: self._flow(n)["admitted"] - before[n] for n in _CLASSES}
            self.span = time.monotonic() - begun
            for task in tasks:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                self.other += isinstance(ended, Exception)

    def _flow(self, name: str) -> dict[str, Any]:
        (rule,) = self._engine.snapshot(time.monotonic())["rules"]
        found: dict[str, Any] = next(
            flow for flow in rule["quota"]["workloads"] if flow["name"] == name
        )
        return found

    async def _client(self, client: httpx2.AsyncClient, name: str) -> None:
        headers = {"host": _NAME, "user_type": name}
        while True:
            begun = time.monotonic()
            answer = await client.get(self._url, headers=headers)
            self.latencies[name].append(time.monotonic() - begun)
            self.other += answer.status_code != 200


def _percentiles(latencies: list[float]) -> str:
    if not latencies:
        return "no answers"
    ordered = sorted(latencies)
    shown = (
        f"p{percent} {ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]:.2f} s"
        for percent in (50, 75, 90, 99)
    )
    return f"{len(ordered)} answers, {', '.join(shown)}"
