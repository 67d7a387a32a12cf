"""Places at which policies look at requests, by their selectors' control points."""

from collections.abc import Iterable
from typing import Final

from trafficcore.engine.identity import Identity
from trafficcore.spec import Direction, QuotaRule, QuotaSelector, RampRule

__all__ = ["Place", "about", "by_place", "elsewhere"]

#: Where requests are seen: a direction, or the name of a control point of the application's own.
Place = Direction | str

_POINTS: Final[dict[str, Place]] = {"ingress": Direction.INBOUND, "egress": Direction.OUTBOUND}


def by_place(
    selectors: Iterable[QuotaSelector], direction: Direction | None
) -> dict[Place, list[QuotaSelector]]:
    """Return the selectors of each place; a direction that the policy gives overrules them."""
    found: dict[Place, list[QuotaSelector]] = {}
    for selector in selectors:
        place = direction or _POINTS.get(selector.control_point, selector.control_point)
        found.setdefault(place, []).append(selector)
    return found


def about(spec: QuotaRule | RampRule) -> str:
    """Say in words which requests a policy selects."""
    words = (
        f"{place.value if isinstance(place, Direction) else place} {selector.service or '*'}"
        for place, selectors in by_place(spec.selectors, spec.direction).items()
        for selector in selectors
    )
    return ", ".join(words)


def elsewhere(spec: QuotaRule | RampRule, identity: Identity) -> str:
    """Return why a policy is not for this process; "": it is."""
    why_not = identity.selects(spec.namespace, spec.labels)
    if spec.gateway is not None and spec.gateway is not identity.gateway:
        why_not = why_not or ("for gateways" if spec.gateway else "for workloads")
    return why_not
