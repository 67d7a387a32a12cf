"""`Table`: everything that one set of policies makes of an engine, swapped in one store."""

from collections.abc import Mapping

import attrs

from trafficcore.engine.cluster import Cluster
from trafficcore.engine.feed import Feed
from trafficcore.engine.plan import Plan
from trafficcore.engine.ramp import RampStage
from trafficcore.engine.route import Routes
from trafficcore.engine.route_retries import RouteRetries
from trafficcore.engine.rule import Rule
from trafficcore.engine.schedule import QuotaStage
from trafficcore.engine.stages import BreakStage, LimitStage
from trafficcore.engine.stock import Stock
from trafficcore.spec import Direction

__all__ = ["Table"]


@attrs.frozen(kw_only=True)
class Table:
    """The routing of both directions, and the lists that snapshots and queues are read from.

    `points` is the routing at the application's own control points, `elsewhere` that at any which
    no rule names. `rules` holds every rule of the policies, those too that do not apply to this
    process.
    """

    inbound: Routes
    outbound: Routes
    points: Mapping[str, Routes]
    elsewhere: Routes
    rules: tuple[Rule, ...]
    limits: tuple[LimitStage, ...]
    breaks: tuple[BreakStage, ...]
    ramps: tuple[RampStage, ...]
    quotas: tuple[QuotaStage, ...]
    clusters: tuple[Cluster, ...]
    feeds: tuple[Feed, ...]
    notices: tuple[str, ...]
    retries: RouteRetries
    stock: Stock

    def at(self, place: Direction | str) -> Routes:
        """Return the routing at one place."""
        if isinstance(place, Direction):
            return self.inbound if place is Direction.INBOUND else self.outbound
        return self.points.get(place, self.elsewhere)

    def look(self, now: float) -> None:
        """Have each breaker count the calls that have become slow in flight."""
        for stage in self.breaks:
            stage.look(now)

    def plans(self) -> list[Plan]:
        """Return every plan that a request may follow."""
        everywhere = (self.inbound, self.outbound, *self.points.values())
        return [plan for routes in everywhere for plan in routes.plans]
