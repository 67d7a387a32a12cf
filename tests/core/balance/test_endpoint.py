import pytest

from trafficcore.core.balance import Endpoint
from trafficcore.errors import ConfigError


def test_an_endpoint_starts_healthy_idle_and_first():
    endpoint = Endpoint("10.0.0.7:8080", "cn-hangzhou/zone-a", labels=(("version", "v1"),))
    assert endpoint.healthy
    assert not endpoint.degraded
    assert (endpoint.priority, endpoint.active, endpoint.weight) == (0, 0, 1)
    assert endpoint.tally is None
    assert endpoint.labels == {"version": "v1"}
    assert repr(endpoint) == "<Endpoint 10.0.0.7:8080 in cn-hangzhou/zone-a, priority 0>"


def test_two_endpoints_of_one_address_are_two():
    assert len({Endpoint("a:1"), Endpoint("a:1")}) == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("",), "''"),
        ((7,), "7"),
        (("a:1", "", 0), "0"),
        (("a:1", "", -3), "-3"),
        (("a:1", "", 1.5), "1.5"),
    ],
)
def test_what_cannot_be_an_endpoint_is_told_with_its_value(arguments, told):
    with pytest.raises(ConfigError, match=f"not {told}$"):
        Endpoint(*arguments)
