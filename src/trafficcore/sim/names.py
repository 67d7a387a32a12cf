"""What an expectation speaks of, held against its scenario.

A sentence about a class, a zone or a time that the scenario has not would hold for ever, or never.
"""

from collections.abc import Iterator

from trafficcore.manifest.fields import nearest
from trafficcore.manifest.problems import short
from trafficcore.sim.expect import Expectation
from trafficcore.sim.spec import Scenario

__all__ = ["amiss"]

#: So many names are listed where none is near.
_LISTED = 8


def amiss(expectation: Expectation, scenario: Scenario) -> Iterator[str]:
    """Yield what is wrong with an expectation of a scenario."""
    classes = list(dict.fromkeys(load.name for load in scenario.loads))
    for name in expectation.classes:
        if name not in classes:
            yield f"names the class {short(name)}{_hint(name, classes)}"
    if expectation.subject.kind == "calls_to":
        place = expectation.subject.what[0]
        places = list(dict.fromkeys(_places(scenario)))
        if place not in places:
            yield f"names the place {short(place)}{_hint(place, places)}"
    last = scenario.duration + scenario.drain
    if expectation.start > last:
        yield f"looks at a time after the end, {last:g} s"


def _places(scenario: Scenario) -> Iterator[str]:
    """Yield every zone, what each of them is in, and every address."""
    servers = [server for service in scenario.services for server in service.servers]
    for server in servers:
        parts = server.locality.split("/") if server.locality else []
        yield from ("/".join(parts[: depth + 1]) for depth in range(len(parts)))
    yield from (server.address for server in servers)


def _hint(name: str, known: list[str]) -> str:
    meant = nearest(name, known)
    if meant:
        return f"; did you mean {meant!r}?"
    more = ", …" if len(known) > _LISTED else ""
    return f": there is {', '.join(known[:_LISTED])}{more}"
