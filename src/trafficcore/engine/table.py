"""`Table`: everything that one set of policies makes of an engine, swapped in one store."""

import attrs

from trafficcore.engine.cluster import Cluster
from trafficcore.engine.plan import Plan
from trafficcore.engine.route import Routes
from trafficcore.engine.rule import Rule
from trafficcore.engine.schedule import QuotaStage
from trafficcore.engine.stages import BreakStage, LimitStage
from trafficcore.engine.stock import Stock

__all__ = ["Table"]


@attrs.frozen(kw_only=True)
class Table:
    """The routing of both directions, and the lists that snapshots and queues are read from.

    `rules` holds every rule of the policies, those too that do not apply to this process.
    """

    inbound: Routes
    outbound: Routes
    rules: tuple[Rule, ...]
    limits: tuple[LimitStage, ...]
    breaks: tuple[BreakStage, ...]
    quotas: tuple[QuotaStage, ...]
    clusters: tuple[Cluster, ...]
    notices: tuple[str, ...]
    stock: Stock

    def plans(self) -> list[Plan]:
        """Return every plan that a request may follow."""
        return [*self.inbound.plans, *self.outbound.plans]
