"""The demo: four scenes, one after the other, and an exit code that says whether they held."""

import sys
from typing import TextIO

from trafficcore.demo.breaker import slow_breaker
from trafficcore.demo.ejection import ejection_and_zones
from trafficcore.demo.priority import priority
from trafficcore.demo.report import Report, Scene
from trafficcore.demo.throttle import throttling

__all__ = ["run"]

_SCENES = {
    "1. Throttling": throttling,
    "2. Slow breaker": slow_breaker,
    "3. Ejection and zones": ejection_and_zones,
    "4. Priority": priority,
}


def run(*, full: bool = False, out: TextIO | None = None) -> int:
    """Run every scene; return 0 if all showed what they must, else 1 (130 after Ctrl-C)."""
    report = Report(sys.stdout if out is None else out)
    scenes: list[Scene] = []
    try:
        for title, play in _SCENES.items():
            with report.progress(title):
                scene = play(title, full=full)
            report.show(scene)
            scenes.append(scene)
    except KeyboardInterrupt:
        report.say("stopped; every server is down.")
        return 130
    report.end(scenes, len(_SCENES))
    return 0 if all(scene.fine for scene in scenes) else 1
