"""One endpoint as data."""

import pytest

from trafficcore.errors import ConfigError
from trafficcore.spec import EndpointSpec


def test_labels_are_the_same_however_they_are_given():
    given = ({"b": "2", "a": "1"}, [("b", "2"), ("a", "1")], (("a", "1"), ("b", "2")))
    assert len({EndpointSpec("a:1", labels=labels) for labels in given}) == 1


@pytest.mark.parametrize(
    "address",
    [
        "a", "a:1", "a:65535", "10.0.0.1", "10.0.0.1:80",
        "web.shop.svc.cluster.local:9080", "web_1", "fd00::1", "fe80::1%eth0", "[fd00::1]",
        "[fd00::1]:80",
    ],
)  # fmt: skip
def test_an_address_is_a_host_with_a_port_or_without(address):
    assert EndpointSpec(address).address == address


@pytest.mark.parametrize(
    "address",
    [
        "http://10.0.0.1:80", "h:port", "h:0", "h:65536", "h:99999", "h:", ":80", ":", "h: 80",
        "h:80 ", "h:80/path", "user@h:80", "  ", "h:\u00b2", "h:\u0661", "h:+1", "h:80:90", "h?x",
        "h#x", "h\\x:80", "h\x00", "[fd00::1", "fd00::1]:80", "[10.0.0.1]:80", "[]:80", "fd00::g",
        "fd00::1:12345", "\u4e2d\u3000:80",
    ],
)  # fmt: skip
def test_an_address_that_nobody_could_connect_to_is_refused(address):
    with pytest.raises(ConfigError, match="address must be an address, as host:port") as error:
        EndpointSpec(address)
    assert repr(address) in str(error.value)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"address": ""}, "address"),
        ({"address": 7}, "address"),
        ({"locality": None}, "locality"),
        ({"weight": 0}, "weight"),
        ({"weight": 1.5}, "weight"),
        ({"labels": "ab"}, "labels"),
        ({"labels": {"a": 1}}, "labels"),
        ({"labels": 5}, "labels"),
    ],
)
def test_what_cannot_be_is_refused_with_its_value(fields, told):
    with pytest.raises(ConfigError, match=told) as error:
        EndpointSpec(**{"address": "a:1", **fields})
    assert repr(next(iter(fields.values()))) in str(error.value)
