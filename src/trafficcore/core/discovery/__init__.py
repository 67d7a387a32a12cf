"""When what was found out is to be found out again."""

from trafficcore.core.discovery.refresh import Refresh, RefreshSettings

__all__ = ["Refresh", "RefreshSettings"]
