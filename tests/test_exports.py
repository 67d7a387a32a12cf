"""The public names: what `__all__` says is there, and nothing public is left out of it."""

import importlib
import pkgutil
from types import ModuleType

import pytest

import trafficcore

FIXED = {
    "AsgiTraffic",
    "AsyncTrafficTransport",
    "Balancer",
    "CircuitBreaker",
    "Engine",
    "KeyedRateLimiter",
    "QuotaScheduler",
    "RateLimiter",
    "TrafficTransport",
    "WsgiTraffic",
}
MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(trafficcore.__path__, "trafficcore.")
    if not name.endswith("__main__")
]


@pytest.mark.parametrize("name", ["trafficcore", *MODULES])
def test_every_name_of_all_is_there_once_and_in_order(name: str) -> None:
    module: ModuleType = importlib.import_module(name)
    names = module.__all__
    assert len(names) == len(set(names))
    for public in names:
        assert getattr(module, public) is not None or public


def test_the_fixed_names_can_be_imported_from_the_top() -> None:
    assert set(trafficcore.__all__) >= FIXED
    assert len(trafficcore.__all__) <= 25
    for name in FIXED:
        assert callable(getattr(trafficcore, name))
    for verb in ("load", "reload", "snapshot"):
        assert callable(getattr(trafficcore.Engine, verb))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Limiter'"):
        _ = trafficcore.Limiter


def test_dir_shows_the_lazy_names_too() -> None:
    assert set(trafficcore.__all__) <= set(dir(trafficcore))
