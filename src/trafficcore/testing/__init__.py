"""For tests of those who use trafficcore: time that stands still, limits switched off, scenarios.

pytest finds the fixtures by itself once trafficcore is installed: `virtual_time` and `no_limits`.
Nothing here patches a clock: whatever takes `clock=` takes a `VirtualTime`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trafficcore.testing.scenarios import check_scenario, check_scenarios, expect
    from trafficcore.testing.switch import limits_off
    from trafficcore.testing.virtual import VirtualTime

__all__ = ["VirtualTime", "check_scenario", "check_scenarios", "expect", "limits_off"]

#: Imported when first asked for: pytest loads the plugin beside it in every run.
_HOMES = {
    "VirtualTime": "virtual",
    "check_scenario": "scenarios",
    "check_scenarios": "scenarios",
    "expect": "scenarios",
    "limits_off": "switch",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
